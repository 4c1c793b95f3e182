"""Addresses in settings and catalogue are the only ones called.

No client follows a redirect to another host, nor an address in an answer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import ClientError
from slack_sdk.errors import SlackClientError
from slack_sdk.webhook.async_client import AsyncWebhookClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from bot.clients.discord import Discord
from bot.clients.github import endpoints as calls
from bot.clients.github.client import GitHub
from bot.clients.http.endpoint import HttpEndpoint
from bot.clients.http.errors import HttpError
from bot.clients.linear.client import Linear
from bot.clients.pagerduty import PagerDuty
from bot.clients.sentry.client import Sentry
from bot.clients.sentry.http import path_part
from bot.clients.slack.client import Slack
from bot.clients.slack.socket_mode import SocketMode
from handlers.app import build_app
from phases.ports.ports import PortError
from tests.support.values.factories import service
from tests.support.worlds.handlers_world import ME
from tests.support.worlds.local_http import serving

SHOP = service()
NOW = datetime.now(UTC)
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
TOKEN = "token-canary-7d1f"


@dataclass
class Elsewhere:
    """A host that nobody named. What comes there is kept."""

    url: str = ""
    came: list[str] = field(default_factory=list[str])

    async def answer(self, request: Request) -> Response:
        self.came.append(
            f"{request.method} {request.url.path} {request.headers.get('authorization', '')}"
        )
        return JSONResponse({"ok": True, "url": "wss://127.0.0.1:1/"})


@asynccontextmanager
async def elsewhere() -> AsyncIterator[Elsewhere]:
    other = Elsewhere()
    async with serving(
        Starlette(routes=[Route("/{rest:path}", other.answer, methods=METHODS)])
    ) as url:
        # Another name of this machine: another host for whoever compares names.
        other.url = url.replace("127.0.0.1", "localhost")
        yield other


async def _slack(url: str, stack: AsyncExitStack) -> Any:
    slack = Slack(TOKEN, f"{url}/api/")
    await slack.start()
    stack.push_async_callback(slack.aclose)
    return slack


async def slack_get(url: str, stack: AsyncExitStack) -> None:
    await (await _slack(url, stack)).get("users.info", user="U1")


async def slack_post(url: str, stack: AsyncExitStack) -> None:
    await (await _slack(url, stack)).call("chat.postMessage", channel="C1", text="x")


async def response_url(url: str, stack: AsyncExitStack) -> None:
    slack = await _slack(url, stack)
    hook = AsyncWebhookClient(f"{url}/response/1", session=slack.web.session, retry_handlers=[])
    await hook.send_dict({"text": "x"})


async def socket_mode(url: str, stack: AsyncExitStack) -> None:
    slack = await _slack(url, stack)
    handler = SocketMode(build_app(slack.web, ME), TOKEN, lambda _: nullcontext())
    stack.push_async_callback(handler.client.close)
    await handler.client.issue_new_wss_url()


async def sentry(url: str, stack: AsyncExitStack) -> None:
    client = Sentry(url, "acme", TOKEN)
    stack.push_async_callback(client.aclose)
    await client.issue("41")


async def sentry_resolve(url: str, stack: AsyncExitStack) -> None:
    client = Sentry(url, "acme", TOKEN)
    stack.push_async_callback(client.aclose)
    await client.issues().resolve(["41"], [])


async def linear(url: str, stack: AsyncExitStack) -> None:
    client = Linear(f"{url}/graphql", TOKEN)
    stack.push_async_callback(client.aclose)
    await client.look("t1")


async def github(url: str, stack: AsyncExitStack) -> None:
    client = GitHub(url, TOKEN)
    stack.push_async_callback(client.aclose)
    await client.get(calls.PULLS, "acme/shop")


async def github_graphql(url: str, stack: AsyncExitStack) -> None:
    client = GitHub(url, TOKEN)
    stack.push_async_callback(client.aclose)
    await client.graphql(dict, "query { viewer { login } }", {}, permission="x")


async def pagerduty(url: str, stack: AsyncExitStack) -> None:
    client = PagerDuty(f"{url}/v2/enqueue", TOKEN)
    stack.push_async_callback(client.aclose)
    await client.page(key="k", text="x")


async def discord(url: str, stack: AsyncExitStack) -> None:
    client = Discord(f"{url}/api/webhooks/1/{TOKEN}")
    stack.push_async_callback(client.aclose)
    await client.post("x", author="Firebreak INC-0001")


async def discord_bot(url: str, stack: AsyncExitStack) -> None:
    client = Discord(f"{url}/api/webhooks/1/x", TOKEN)
    stack.push_async_callback(client.aclose)
    await client.pin("1", "2", pinned=True)


async def endpoint(url: str, stack: AsyncExitStack) -> None:
    client = HttpEndpoint(pause=0)
    stack.push_async_callback(client.aclose)
    answer = await client.call(f"{url}/health")
    assert not answer.ok, "an endpoint that sends us elsewhere does not answer well"
    raise PortError("endpoint", answer.said, retryable=False)


CLIENTS: list[Callable[[str, AsyncExitStack], Awaitable[None]]] = [
    slack_get,
    slack_post,
    response_url,
    socket_mode,
    sentry,
    sentry_resolve,
    linear,
    github,
    github_graphql,
    pagerduty,
    discord,
    discord_bot,
    endpoint,
]


@pytest.mark.parametrize("status", [302, 308])
@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__name__)
async def test_no_client_goes_where_it_is_sent(
    client: Callable[[str, AsyncExitStack], Awaitable[None]], status: int
) -> None:
    """Redirects go to plain http, to https, to another port, and to the cloud's own addresses."""
    async with elsewhere() as other, AsyncExitStack() as stack:
        asked: list[str] = []

        async def sends(request: Request) -> Response:
            asked.append(request.url.path)
            return RedirectResponse(f"{other.url}{request.url.path}", status)

        url = await stack.enter_async_context(
            serving(Starlette(routes=[Route("/{p:path}", sends, methods=METHODS)]))
        )
        with pytest.raises((PortError, SlackClientError, ClientError)):
            await client(url, stack)
        assert asked, "it was asked at all"
    assert other.came == []


async def test_addresses_in_sentrys_answers_are_shown_and_never_called() -> None:
    """Answers have `Link` with pages on another host, permalinks, and an event's url.

    The cursor is taken, the address is not.
    """
    async with elsewhere() as other, AsyncExitStack() as stack:
        asked: list[str] = []

        async def answers(request: Request) -> Response:
            asked.append(f"{request.url.path}?{request.url.query}")
            if request.url.path.endswith("/projects/"):
                return JSONResponse([{"id": "1", "slug": "shop"}])
            row = {
                "id": "41",
                "shortId": "SHOP-1",
                "title": "KeyError",
                "level": "error",
                "count": "3",
                "userCount": 1,
                "firstSeen": NOW.isoformat(),
                "lastSeen": NOW.isoformat(),
                "permalink": f"{other.url}/issues/41/",
                "project": {"id": "1", "slug": "shop"},
            }
            link = (
                f'<{other.url}/api/0/organizations/acme/issues/?cursor=0:100:0>; rel="next"; '
                'results="true"; cursor="0:100:0"'
            )
            return JSONResponse([row], headers={"Link": link})

        url = await stack.enter_async_context(
            serving(Starlette(routes=[Route("/{p:path}", answers)]))
        )
        client = Sentry(url, "acme", TOKEN)
        stack.push_async_callback(client.aclose)
        first = await client.page([SHOP], NOW - timedelta(minutes=15), NOW)
        assert first.next == "0:100:0"
        second = await client.page([SHOP], NOW - timedelta(minutes=15), NOW, after=first.next)
        assert second.rows[0].url == f"{other.url}/issues/41/", (
            "people may follow it; the bot does not"
        )
        assert any("cursor=0%3A100%3A0" in address for address in asked), (
            "the next page was asked of Sentry itself"
        )
    assert other.came == []


@pytest.mark.parametrize("id", ["", ".", ".."])
def test_no_id_leads_to_another_path(id: str) -> None:
    with pytest.raises(HttpError):
        path_part(id)
    assert path_part("../x?y#z") == "..%2Fx%3Fy%23z"
