"""Nothing that a payload or an answer names is called, unless it is Slack's own."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from bot.clients.slack.client import Slack
from handlers.slack.response_url import answers
from phases.ports.ports import PortError
from tests.support.worlds.local_http import serving

REAL = "https://slack.com/api/"
LOCAL = "http://127.0.0.1:4000/api/"


@pytest.mark.parametrize(
    ("url", "api", "may"),
    [
        ("https://hooks.slack.com/commands/T0/1/x", REAL, True),
        ("https://hooks.slack-gov.com/actions/T0/1/x", "https://slack-gov.com/api/", True),
        ("http://hooks.slack.com/commands/T0/1/x", REAL, False),
        ("https://hooks.slack.com.evil.example/x", REAL, False),
        ("https://evil.example/hooks.slack.com", REAL, False),
        ("https://hooks.slack.com@evil.example/", REAL, False),
        ("http://169.254.169.254/latest/meta-data/", REAL, False),
        ("http://localhost:4000/response/1", REAL, False),
        ("http://localhost:4001/response/1", LOCAL, True),
        ("http://emulator.internal:9/response/1", "http://emulator.internal:8/api/", True),
        ("http://evil.example/", LOCAL, False),
        ("file://127.0.0.1/etc/passwd", LOCAL, False),
        ("http://[", LOCAL, False),
        ("", REAL, False),
    ],
)
def test_a_response_url_is_called_only_where_slack_is(url: str, api: str, may: bool) -> None:
    assert answers(url, api) is may


async def test_a_redirect_is_not_followed_and_the_token_goes_nowhere() -> None:
    came: list[str] = []

    async def elsewhere(request: Request) -> Response:
        came.append(request.headers.get("authorization", ""))
        return JSONResponse({"ok": True})

    async with serving(
        Starlette(routes=[Route("/{rest:path}", elsewhere, methods=["GET", "POST"])])
    ) as other:

        async def redirects(request: Request) -> Response:
            return RedirectResponse(f"{other}/api/auth.test", 307)

        async with serving(
            Starlette(routes=[Route("/api/{method}", redirects, methods=["GET", "POST"])])
        ) as url:
            slack = Slack("xoxb-1", f"{url}/api/")
            await slack.start()
            with pytest.raises(PortError):
                await slack.call("auth.test")
            await slack.aclose()
    assert came == []
