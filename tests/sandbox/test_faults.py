"""Faults in front of the emulated systems.

Each n-th call fails, or the first of each method, or a system hangs.
"""

from __future__ import annotations

import asyncio

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from sandbox.faults import Fault, Faults, Hanging
from sandbox.serving import bound
from sandbox.serving import serving as in_world
from tests.support.worlds.local_http import serving

BUSY, BROKEN, LOST = Fault(status=429, retry_after=1), Fault(status=503), Fault(lose_answer=True)


def test_each_nth_call_of_a_system_meets_the_faults_in_turn() -> None:
    faults = Faults()
    faults.always("slack.*", (BUSY, BROKEN), every=2)
    met = [faults.take(f"slack.{name}") for name in "abcdef"]
    assert met == [None, BUSY, None, BROKEN, None, BUSY]
    assert faults.take("sentry.events") is None


def test_a_calls_own_fault_goes_before_its_systems_and_what_is_queued_before_both() -> None:
    faults = Faults()
    faults.always("slack.*", BROKEN)
    faults.always("slack.views.open", BUSY)
    faults.next("slack.views.open", LOST)
    assert [faults.take("slack.views.open") for _ in range(2)] == [LOST, BUSY]
    assert faults.take("slack.pins.add") is BROKEN
    faults.clear()
    assert faults.take("slack.views.open") is None


def test_the_first_call_of_each_method_meets_what_is_once_each() -> None:
    faults = Faults()
    faults.once_each("linear", LOST)
    calls = ("linear.issues", "linear.issues", "linear.issueCreate", "linear.issueCreate")
    assert [faults.take(call) for call in calls] == [LOST, None, LOST, None]


async def test_a_hanging_system_carries_out_every_second_call_and_none_once_its_caller_left() -> (
    None
):
    faults, did = Faults(), list[str]()

    async def act(request: Request) -> Response:
        did.append(request.url.path)
        return PlainTextResponse("done")

    app = Starlette(routes=[Route("/{rest:path}", act, methods=["POST"])])
    async with (
        serving(Hanging(app, "slack", faults)) as url,
        httpx.AsyncClient(trust_env=False, verify=False, base_url=url) as http,
    ):
        assert (await http.post("/quick")).text == "done"
        faults.hang("slack", 30)
        for path in ("/one", "/two"):
            with pytest.raises(httpx.ReadTimeout):
                await http.post(path, timeout=2)
        faults.hang("slack", 0.05)
        assert (await http.post("/three")).status_code == 504
        assert (await http.post("/four")).text == "done"
        faults.hang("slack", 0)
        assert (await http.post("/five")).text == "done"
        await asyncio.sleep(0)
    assert did == ["/quick", "/two", "/four", "/five"]


async def test_a_caller_who_leaves_in_the_middle_is_no_error_in_the_log(
    capsys: pytest.CaptureFixture[str],
) -> None:
    came, ended = asyncio.Event(), asyncio.Event()

    async def late(request: Request) -> Response:
        came.set()
        while (await request.receive())["type"] != "http.disconnect":
            pass
        try:
            return PlainTextResponse(await request.body())
        finally:
            ended.set()

    app = Starlette(routes=[Route("/", late, methods=["POST"])])
    listening = bound(0)
    host, port = listening.getsockname()
    async with in_world(app, listening, lambda: None):
        _, caller = await asyncio.open_connection(host, port)
        caller.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi")
        await came.wait()
        caller.close()
        await caller.wait_closed()
        await ended.wait()
    assert capsys.readouterr().err == ""
