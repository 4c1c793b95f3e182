"""A kept connection that ends just when a call is sent: reading calls are made again at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bot.clients.http.errors import HttpError
from bot.clients.slack.client import Slack
from phases.ports.ports import PortError

ANSWER = b"""HTTP/1.1 200 OK\r
Content-Type: application/json\r
Content-Length: 11\r
\r
{"ok":true}"""


class Ending:
    """A server that ends so many connections where it should answer."""

    def __init__(self, ends: int, answer: bytes = ANSWER) -> None:
        self.asked = 0
        self._ends = ends
        self._answer = answer

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            length = 0
            while (line := await reader.readline()) != b"\r\n":
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            await reader.readexactly(length)
            self.asked += 1
            if self.asked <= self._ends:
                break
            writer.write(self._answer)
        writer.close()


@asynccontextmanager
async def asked(server: Ending) -> AsyncIterator[Slack]:
    async with await asyncio.start_server(server, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        slack = Slack("xoxb-1", f"http://127.0.0.1:{port}/api/")
        await slack.start()
        try:
            yield slack
        finally:
            await slack.aclose()


async def test_who_somebody_is_is_asked_again() -> None:
    server = Ending(2)
    async with asked(server) as slack:
        assert (await slack.get("users.info", user="U0ALICE"))["ok"]
    assert server.asked == 3


async def test_it_is_not_asked_for_ever() -> None:
    server = Ending(99)
    async with asked(server) as slack:
        with pytest.raises(HttpError):
            await slack.get("users.info", user="U0ALICE")
    assert server.asked == 3


async def test_what_writes_is_sent_once() -> None:
    server = Ending(1)
    async with asked(server) as slack:
        with pytest.raises(PortError):
            await slack.call("chat.postMessage", channel="C1", text="x")
    assert server.asked == 1


@pytest.mark.parametrize(
    "answer",
    [
        b'Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{"ok":tru',
        b"Content-Type: text/html\r\nContent-Length: 12\r\n\r\n<html>Log in",
        b"Content-Type: application/json\r\nContent-Length: 4\r\n\r\nnull",
        b"Content-Length: 0\r\n\r\n",
    ],
)
async def test_an_answer_that_was_cut_or_is_a_proxys_page_is_asked_for_again(answer: bytes) -> None:
    server = Ending(0, b"HTTP/1.1 200 OK\r\n" + answer)
    async with asked(server) as slack:
        with pytest.raises(PortError) as lost:
            await slack.get("users.info", user="U0ALICE")
        assert lost.value.retryable
        assert server.asked == 3
        with pytest.raises(PortError):
            await slack.call("chat.postMessage", channel="C1", text="x")
    assert server.asked == 4
