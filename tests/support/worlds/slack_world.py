"""A local Slack over real HTTP. A small app behind a request URL verifies every signature."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from sandbox.faults import Faults
from sandbox.slack.api import BOT_TOKEN, slack_app
from sandbox.slack.channels import ALICE, BOB, GUEST, OTHER
from sandbox.slack.people import Person
from sandbox.slack.to_app.delivery import Delivery
from sandbox.slack.workspace import Workspace
from tests.support.worlds.local_http import serving

SECRET = "shhh"
PATIENCE_SECONDS = 60.0


@dataclass
class Received:
    """One request that came to the app, its body decoded."""

    headers: dict[str, str]
    body: dict[str, Any]
    raw: str = ""


Answer = Callable[[Received], Awaitable[Response]]


async def empty(_: Received) -> Response:
    return Response()


@dataclass
class App:
    """The app under the request URL: keeps what it receives, answers what a test says."""

    received: list[Received] = field(default_factory=list)
    answer: Answer = empty
    refused: int = 0
    came: asyncio.Event = field(default_factory=asyncio.Event)
    verifier: SignatureVerifier = field(default_factory=lambda: SignatureVerifier(SECRET))

    async def events(self, request: Request) -> Response:
        raw = (await request.body()).decode()
        headers = dict(request.headers)
        if not self.verifier.is_valid_request(raw, headers):
            self.refused += 1
            return Response(status_code=401)
        got = Received(headers, decoded(raw, headers["content-type"]), raw)
        self.received.append(got)
        self.came.set()
        return await self.answer(got)

    def answers(self, body: Any, status: int = 200) -> None:
        async def answer(_: Received) -> Response:
            return JSONResponse(body, status)

        self.answer = answer

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        """Payloads of interactions, or events, of this type."""
        bodies = [r.body for r in self.received if r.body.get("type") == kind]
        return bodies + [
            r.body["event"] for r in self.received if r.body.get("event", {}).get("type") == kind
        ]


def bolt(world: World) -> AsyncApp:
    """A real Bolt app in place of the answers that a test gives."""
    app = AsyncApp(
        name="app", client=world.client, signing_secret=SECRET, process_before_response=True
    )

    async def dispatch(got: Received) -> Response:
        answer = await app.async_dispatch(AsyncBoltRequest(body=got.raw, headers=dict(got.headers)))
        return Response(
            answer.body, answer.status, {key: value[0] for key, value in answer.headers.items()}
        )

    world.app.answer = dispatch
    return app


def decoded(raw: str, content_type: str) -> dict[str, Any]:
    if content_type.startswith("application/json"):
        return json.loads(raw)
    form = dict(parse_qsl(raw, keep_blank_values=True))
    return json.loads(form["payload"]) if "payload" in form else form


@dataclass
class World:
    workspace: Workspace
    delivery: Delivery
    faults: Faults
    client: AsyncWebClient
    app: App
    url: str

    def person(self, user: str) -> Person:
        return Person(self.workspace, self.delivery, user)

    @property
    def alice(self) -> Person:
        return self.person(ALICE)

    @property
    def bob(self) -> Person:
        return self.person(BOB)

    @property
    def guest(self) -> Person:
        return self.person(GUEST)

    @property
    def other(self) -> Person:
        return self.person(OTHER)


@asynccontextmanager
async def slack_world(
    *, now: Callable[[], float] = time.time, **delivery: Any
) -> AsyncIterator[World]:
    """Slack and the app on a free port; retries follow at once unless `delivery` says otherwise.

    Acks and trigger ids have time, unless a test is about it: a busy machine is no slow bot.
    """
    app = App()
    workspace, faults = Workspace(now=now), Faults()
    workspace.modals.trigger_seconds = workspace.changes.patience = PATIENCE_SECONDS
    usual = {
        "signing_secret": SECRET,
        "retry_delays": (0.0, 0.0, 0.0),
        "ack_seconds": PATIENCE_SECONDS,
    }
    options: dict[str, Any] = {**usual, **delivery}
    async with Delivery(workspace, request_url="", **options) as sender:
        slack = Mount("/slack", slack_app(workspace, sender, faults))
        request_url = Route("/app/slack/events", app.events, methods=["POST"])
        async with serving(Starlette(routes=[slack, request_url])) as url:
            sender.request_url = f"{url}/app/slack/events"
            sender.response_urls.public_url = f"{url}/slack"
            client = AsyncWebClient(BOT_TOKEN, base_url=f"{url}/slack/api/", retry_handlers=[])
            yield World(workspace, sender, faults, client, app, url)
            await sender.idle()
