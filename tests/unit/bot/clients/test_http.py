"""The HTTP base over real HTTP on localhost.

Answers become the right errors, and no error shows a secret.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bot.clients.http.client import Http
from bot.clients.http.errors import HttpError, retry_after
from bot.clients.slack.client import Slack
from bot.clients.slack.errors import SlackRefused
from bot.runtime.backoff import patient
from tests.support.worlds.local_http import serving

TOKEN = "sntrys_not_for_logs_0123"


def echo(answer: Response) -> Starlette:
    async def handle(_: Request) -> Response:
        return answer

    return Starlette(routes=[Route("/api/{rest:path}", handle, methods=["GET", "POST"])])


@pytest.mark.parametrize(
    ("status", "headers", "words", "retryable", "wait"),
    [
        (401, {}, "does not accept our token", False, None),
        (403, {}, "needs event:read", False, None),
        (403, {"X-RateLimit-Remaining": "0"}, "slow down", True, None),
        (404, {}, "may not see it", False, None),
        (429, {"Retry-After": "7"}, "slow down", True, 7.0),
        (503, {"Retry-After": "2"}, "fault of its own (503)", True, 2.0),
        (302, {"Location": "/login"}, "sends us elsewhere", False, None),
        (422, {}, "refused the request (422)", False, None),
    ],
)
async def test_refusals_are_typed(
    status: int, headers: dict[str, str], words: str, retryable: bool, wait: float | None
) -> None:
    async with serving(
        echo(PlainTextResponse(f'{{"detail": "no: {TOKEN}"}}', status, headers))
    ) as url:
        http = Http("Sentry", f"{url}/api", {"Authorization": f"Bearer {TOKEN}"})
        with pytest.raises(HttpError) as caught:
            await http.get("/issues/", scope="event:read")
        await http.aclose()
    assert words in caught.value.text
    assert (caught.value.status, caught.value.retryable, caught.value.retry_after) == (
        status,
        retryable,
        wait,
    )
    assert TOKEN not in str(caught.value)
    assert url not in str(caught.value)


async def test_who_is_asked_to_slow_down_is_told_why_and_not_how_to_write_queries() -> None:
    message = (
        '{"detail": "Rate limit exceeded. Please try your query with a smaller date range or '
        'fewer projects."}'
    )
    async with serving(echo(PlainTextResponse(message, 429))) as url:
        http = Http("Sentry", f"{url}/api", {})
        with pytest.raises(HttpError) as caught:
            await http.get("/events/")
        await http.aclose()
    assert caught.value.text == "Sentry asks us to slow down (Rate limit exceeded)"


async def test_an_answer_that_is_not_json_says_so() -> None:
    async with serving(echo(PlainTextResponse("<html>maintenance</html>"))) as url:
        http = Http("Sentry", f"{url}/api", {})
        with pytest.raises(HttpError, match="not JSON") as caught:
            http.json(await http.get("/"))
        await http.aclose()
    assert caught.value.retryable


async def test_nobody_there() -> None:
    http = Http("Linear", "http://127.0.0.1:1", {})
    with pytest.raises(HttpError, match="Linear cannot be reached") as caught:
        await http.request("POST", "/graphql", json={})
    assert caught.value.retryable
    assert not caught.value.sent
    await http.aclose()


async def test_a_slow_system_is_given_up_on() -> None:
    released = asyncio.Event()

    async def slow(_: Request) -> Response:
        await released.wait()
        return PlainTextResponse("{}")

    async with serving(Starlette(routes=[Route("/api/", slow)])) as url:
        http = Http("Sentry", f"{url}/api", {}, timeout=0.1)
        with pytest.raises(HttpError, match="did not answer within") as caught:
            await http.get("/")
        released.set()
        await http.aclose()
    assert caught.value.retryable


async def test_a_lost_connection_is_tried_once_more_for_reads_only() -> None:
    calls: list[bytes] = []

    async def drop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        calls.append((await reader.readline()).split()[0])
        if calls == [b"GET", b"GET"]:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(drop, "127.0.0.1", 0)
    http = Http("GitHub", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", {})
    assert http.json(await http.get("/")) == {}
    with pytest.raises(HttpError, match="broke off") as caught:
        await http.request("POST", "/")
    assert caught.value.sent
    assert calls == [b"GET", b"GET", b"POST"]
    await http.aclose()
    server.close()
    await server.wait_closed()


async def test_faults_do_not_spoil_a_read_and_a_write_is_not_sent_twice() -> None:
    calls: list[str] = []

    async def handle(request: Request) -> Response:
        calls.append(request.method)
        return PlainTextResponse("{}", 503 if calls.count(request.method) < 3 else 200)

    async with serving(Starlette(routes=[Route("/", handle, methods=["GET", "POST"])])) as url:
        http = Http("Sentry", url, {})
        assert http.json(await http.get("/")) == {}
        with pytest.raises(HttpError, match="fault of its own"):
            await http.request("POST", "/")
        await http.aclose()
    assert calls == ["GET", "GET", "GET", "POST"]


async def test_who_has_the_time_waits_as_long_as_a_system_asks_and_nobody_else() -> None:
    calls: list[str] = []

    async def handle(request: Request) -> Response:
        calls.append(request.method)
        limited = len(calls) % 2 == 1
        return PlainTextResponse(
            "{}", 429 if limited else 200, {"Retry-After": "0.05"} if limited else {}
        )

    async with serving(Starlette(routes=[Route("/", handle, methods=["POST"])])) as url:
        http = Http("Discord", url, {})
        with patient(5):
            assert http.json(await http.request("POST", "/")) == {}
        assert len(calls) == 2
        with pytest.raises(HttpError, match="slow down") as refused:
            await http.request("POST", "/")
        assert refused.value.retry_after == 0.05
        calls.clear()
        with patient(0.01), pytest.raises(HttpError, match="slow down"):
            await http.request("POST", "/")
        await http.aclose()
    assert len(calls) == 1


async def test_who_says_that_no_time_has_to_pass_is_not_asked_hundreds_of_times() -> None:
    calls: list[str] = []

    async def handle(request: Request) -> Response:
        calls.append(request.method)
        return PlainTextResponse("{}", 429, {"Retry-After": "0"})

    async with serving(Starlette(routes=[Route("/", handle, methods=["POST"])])) as url:
        http = Http("Discord", url, {})
        with patient(0.5), pytest.raises(HttpError, match="slow down"):
            await http.request("POST", "/")
        await http.aclose()
    assert 1 < len(calls) <= 4


async def test_quoted_paths_and_repeated_parameters_arrive_as_sent() -> None:
    async def handle(request: Request) -> Response:
        return PlainTextResponse(f"{request.scope['raw_path'].decode()}?{request.url.query}")

    async with serving(Starlette(routes=[Route("/api/{rest:path}", handle)])) as url:
        http = Http("Sentry", f"{url}/api", {})
        answer = await http.get(
            "/releases/shop%2Fweb%401.0/deploys/", {"project": [1, 2], "cursor": None}
        )
        await http.aclose()
    assert answer.text == "/api/releases/shop%2Fweb%401.0/deploys/?project=1&project=2"


def test_retry_after_reads_numbers_and_dates() -> None:
    now = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
    assert retry_after({"Retry-After": "1.5"}) == 1.5
    assert retry_after({"Retry-After": "Fri, 01 May 2026 12:00:30 GMT"}, now) == 30
    assert retry_after({"Retry-After": "soon"}) is None
    assert retry_after({}) is None


async def test_a_gateway_in_front_of_slack_may_say_until_when_to_wait() -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    async with serving(echo(PlainTextResponse("busy", 429, {"Retry-After": at}))) as url:
        slack = Slack(TOKEN, f"{url}/api/")
        await slack.start()
        with pytest.raises(SlackRefused) as refused:
            await slack.call("chat.postMessage", channel="C1", text="hello")
        await slack.aclose()
    assert refused.value.retryable
    assert 20 < (refused.value.retry_after or 0) <= 30
