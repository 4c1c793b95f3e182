"""The bot's end of Socket Mode.

It reconnects at a new address, and answers clicks before it goes.
"""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest
from aiohttp import web
from slack_sdk.web.async_client import AsyncWebClient

from bot.clients.slack.socket_mode import SocketMode as OurEnd
from handlers.app import build_app
from handlers.slack.bolt import App
from sandbox.slack.api import BOT_TOKEN
from sandbox.slack.to_app.socket_mode import SocketMode
from tests.support.worlds.handlers_world import ME
from tests.support.worlds.slack_world import World, slack_world
from tests.support.worlds.small_world import running, until


def untimed(_: str) -> AbstractContextManager[None]:
    return nullcontext()


def our_end(world: World) -> tuple[App, OurEnd]:
    app = build_app(AsyncWebClient(token=BOT_TOKEN, base_url=f"{world.url}/slack/api/"), ME)
    return app, OurEnd(app, "xapp-sandbox", untimed)


class FailsOnce(SocketMode):
    """A gateway that takes the first ticket and then fails."""

    tickets = 0

    async def _link(self, request: web.Request) -> web.StreamResponse:
        self.tickets += 1
        if self.tickets == 1:
            self._tickets.discard(request.query.get("ticket", ""))
            return web.Response(status=503)
        return await super()._link(request)


async def test_an_address_that_did_not_connect_is_not_tried_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its ticket is used up.

    The SDK's client alone would be refused with 403 until somebody restarts the bot.
    """
    monkeypatch.setattr("bot.clients.slack.socket_mode.PING_SECONDS", 0.3)
    monkeypatch.setattr("bot.clients.slack.socket_mode.ADDRESS_SECONDS", 0.2)
    async with slack_world() as world, FailsOnce() as socket:
        world.delivery.socket = socket
        _, ours = our_end(world)
        async with running(ours.run()):
            await asyncio.wait_for(socket.arrived.wait(), 60)


async def test_where_there_is_no_place_it_waits_longer_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The SDK's client alone tries as fast as it can."""
    monkeypatch.setattr("bot.clients.slack.socket_mode.FULL_SECONDS", (0.05, 0.1, 3600.0))
    async with slack_world() as world, SocketMode() as socket:
        world.delivery.socket, socket.most = socket, 1
        app, ours = our_end(world)
        _, another = our_end(world)

        @app.command("/incident")
        async def command(ack: Any) -> None:
            await ack(text="opened")

        async with running(ours.run()):
            await asyncio.wait_for(socket.arrived.wait(), 60)
            async with running(another.run()):
                await until(lambda: another.client.full == 3)
                for _ in range(3):
                    assert (await world.alice.command("/incident checkout")).ok
                assert (socket.refused, socket.connections) == (3, 1)


async def test_it_connects_where_a_place_becomes_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.clients.slack.socket_mode.FULL_SECONDS", (0.05,))
    async with slack_world() as world, SocketMode() as socket:
        world.delivery.socket, socket.most = socket, 0
        _, ours = our_end(world)
        async with running(ours.run()):
            await until(lambda: socket.refused == 2)
            socket.most = 1
            await asyncio.wait_for(socket.arrived.wait(), 60)
            await until(lambda: ours.client.full == 0)


async def test_what_was_sent_before_the_stop_is_answered_before_the_connection_ends() -> None:
    async with slack_world() as world, SocketMode() as socket:
        world.delivery.socket = socket
        app, ours = our_end(world)
        came, may_go = asyncio.Event(), asyncio.Event()

        @app.command("/incident")
        async def command(ack: Any) -> None:
            came.set()
            await may_go.wait()
            await ack(text="opened")

        bot = asyncio.create_task(ours.run())
        await asyncio.wait_for(socket.arrived.wait(), 60)
        typed = asyncio.create_task(world.alice.command("/incident checkout"))
        await asyncio.wait_for(came.wait(), 60)
        bot.cancel()
        await asyncio.sleep(0.1)  # its stop has begun
        may_go.set()
        ack = await typed
        assert ack.ok, ack
        assert world.alice.ephemerals()[0]["text"] == "opened"
        with contextlib.suppress(asyncio.CancelledError):
            await bot
        await until(lambda: not socket.connected)
