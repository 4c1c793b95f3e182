"""The floor makes the same outside calls, with as many at once as their order allows.

It has no state and no queue, and nothing in it is safe.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.serving import bound, serving
from sandbox.slack.api import BOT_TOKEN
from sandbox.slack.channels import ALICE
from sandbox.world import SENTRY_TOKEN, World

SENTRY_ROUNDS = (2, 1, 6)
"""Calls of a triage in its three serial rounds, as the bot makes them (see docs/performance.md)."""


class Floor:
    def __init__(self, world: World) -> None:
        self._world = world
        self._numbers = itertools.count(9000)
        self._slack = httpx.AsyncClient(
            base_url=f"{world.url}/slack/api/",
            headers={"Authorization": f"Bearer {BOT_TOKEN}"},
            trust_env=False,
        )
        self._sentry = httpx.AsyncClient(
            base_url=f"{world.url}/sentry/api/0/organizations/{world.sentry.org}/",
            headers={"Authorization": f"Bearer {SENTRY_TOKEN}"},
            trust_env=False,
        )
        self._me = httpx.AsyncClient(trust_env=False)
        self._tasks: set[asyncio.Task[None]] = set()
        self._port = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        listening = bound(0)
        self._port = listening.getsockname()[1]
        app = Starlette(routes=[Route("/slack/events", self._heard, methods=["POST"])])
        async with serving(app, listening, lambda: None):
            yield
        for client in (self._slack, self._sentry, self._me):
            await client.aclose()

    async def command(self, text: str) -> None:
        await self._me.post(f"http://127.0.0.1:{self._port}/slack/events", data={"text": text})

    async def _heard(self, request: Request) -> Response:
        form = parse_qs((await request.body()).decode())
        task = asyncio.create_task(self._run(form["text"][0]))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return Response()

    async def _call(self, method: str, **arguments: Any) -> dict[str, Any]:
        answer = (await self._slack.post(method, json=arguments)).json()
        if not answer.get("ok"):
            raise RuntimeError(f"floor: {method}: {answer.get('error')}")
        return answer

    async def _triage(self) -> None:
        for calls in SENTRY_ROUNDS:
            await asyncio.gather(
                *(self._sentry.get("releases/", params={"per_page": 5}) for _ in range(calls))
            )

    async def _run(self, text: str) -> None:
        name = f"inc-{next(self._numbers)}-{text.replace(' ', '-')}"
        made, _ = await asyncio.gather(
            self._call("conversations.create", name=name), self._triage()
        )
        channel = made["channel"]["id"]
        announcements = self._world.workspace.channel_named("incidents")
        assert announcements is not None
        await asyncio.gather(
            self._call("conversations.setPurpose", channel=channel, purpose=text),
            self._call(
                "chat.postMessage",
                channel=channel,
                text=f"{text}: decision.rollback, 180 events in 15 min",
            ),
            self._status(channel, text),
            self._call("conversations.setTopic", channel=channel, topic=text),
            self._call("conversations.invite", channel=channel, users=ALICE),
            self._call("chat.postMessage", channel=announcements.id, text=text),
        )

    async def _status(self, channel: str, text: str) -> None:
        posted = await self._call("chat.postMessage", channel=channel, text=text)
        await self._call("pins.add", channel=channel, timestamp=posted["ts"])
