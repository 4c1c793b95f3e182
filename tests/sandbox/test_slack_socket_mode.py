"""Socket Mode: Bolt's own client at the other end of the local server."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from sandbox.slack.errors import SlackError
from sandbox.slack.to_app.socket_mode import SocketMode
from tests.support.worlds.slack_world import World, slack_world

BUTTON = {
    "type": "actions",
    "elements": [
        {"type": "button", "action_id": "go", "text": {"type": "plain_text", "text": "Go"}}
    ],
}


def socket_app(world: World) -> tuple[AsyncSocketModeHandler, asyncio.Queue[Any]]:
    app, heard = AsyncApp(client=world.client), asyncio.Queue[Any]()

    @app.command("/incident")
    async def command(ack: Any, body: dict[str, Any]) -> None:
        await heard.put(body["text"])
        await ack(text="opened")

    @app.action("go")
    async def go(ack: Any, body: dict[str, Any]) -> None:
        await heard.put(body["actions"][0]["action_id"])
        await ack()

    @app.event("message")
    async def message(event: dict[str, Any]) -> None:
        await heard.put(event["text"])

    client = AsyncWebClient(base_url=f"{world.url}/slack/api/", retry_handlers=[])
    return AsyncSocketModeHandler(app, "xapp-sandbox", web_client=client), heard


async def test_commands_clicks_and_events_go_over_the_socket_while_one_is_connected() -> None:
    async with slack_world() as world, SocketMode() as socket:
        world.delivery.socket = socket
        handler, heard = socket_app(world)
        await handler.connect_async()
        await asyncio.wait_for(socket.arrived.wait(), 60)

        await world.alice.command("/incident checkout")
        assert await heard.get() == "checkout"
        assert world.alice.ephemerals()[0]["text"] == "opened", "the ack's payload is shown"

        world.alice.say("general", "hello")
        assert await asyncio.wait_for(heard.get(), 60) == "hello"
        await world.delivery.idle()
        assert world.delivery.log[-1].acks[0].ok

        await world.client.chat_postEphemeral(
            channel="C0GENERAL", user="U0ALICE", text="press", blocks=[BUTTON]
        )
        await world.alice.click(await world.alice.sees("press"), "go")
        assert await heard.get() == "go"
        assert world.app.received == [], "nothing went over HTTP"

        await socket.refresh()
        await asyncio.wait_for(socket.arrived.wait(), 60)
        await world.alice.command("/incident after the refresh")
        assert await heard.get() == "after the refresh"
        await handler.close_async()


async def test_an_app_that_never_acks_times_out_on_the_socket() -> None:
    async with slack_world(ack_seconds=0.1) as world, SocketMode() as socket:
        world.delivery.socket = socket
        handler, _ = socket_app(world)
        await handler.connect_async()
        await asyncio.wait_for(socket.arrived.wait(), 60)
        ack = await world.alice.shortcut("nobody.listens")
        assert ack.failure == "http_timeout"
        await handler.close_async()


async def test_two_replicas_share_the_envelopes_and_one_that_is_dropped_takes_its_own_with_it() -> (
    None
):
    async with slack_world() as world, SocketMode() as socket:
        world.delivery.socket = socket
        handler, heard = socket_app(world)
        other, also = socket_app(world)
        for replica in (handler, other):
            await replica.connect_async()
        await world.workspace.until(
            lambda: socket.connections == 2 or None, what="both are connected"
        )
        for n in range(4):
            await world.alice.command(f"/incident {n}")
        assert (heard.qsize(), also.qsize()) == (2, 2)

        assert socket.drop() == 2
        ack = await world.alice.command("/incident into the void")
        assert ack.failure == "connection_failed"
        for replica in (handler, other):
            await replica.close_async()


async def test_while_socket_mode_is_off_nobody_connects_and_nothing_is_delivered() -> None:
    async with slack_world() as world, SocketMode() as socket:
        world.delivery.socket = socket
        handler, heard = socket_app(world)
        await handler.connect_async()
        await asyncio.wait_for(socket.arrived.wait(), 60)
        await socket.disconnect("link_disabled")
        await world.workspace.until(lambda: not socket.connected or None, what="it is disconnected")
        with pytest.raises(SlackError):
            socket.url()
        assert (await world.alice.command("/incident now")).failure == "connection_failed"
        assert heard.empty()
        await handler.close_async()
