"""Many commands in one moment go a few at a time.

They hold up neither clicks nor, for long, each other.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.web.async_client import AsyncWebClient

from handlers.app import build_app
from handlers.slack.bolt import COMMANDS_AT_ONCE, App
from tests.support.handlers_world import ME

# https://docs.slack.dev/interactivity/implementing-slash-commands#app_command_handling
COMMAND = {
    "command": "/incident",
    "text": "help",
    "team_id": "T0FIREBREAK",
    "user_id": "U0ALICE",
    "channel_id": "C0",
}
# https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
CLICK = {
    "type": "block_actions",
    "team": {"id": "T0FIREBREAK"},
    "user": {"id": "U0ALICE"},
    "actions": [{"type": "button", "action_id": "decision.rollback", "block_id": "b"}],
}


async def dispatched(app: App, body: dict[str, Any]) -> int:
    return (await app.async_dispatch(AsyncBoltRequest(body=body, mode="socket_mode"))).status


async def test_of_many_commands_a_few_go_at_a_time_and_a_click_waits_for_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("handlers.slack.bolt.TURN_SECONDS", 60.0)  # a slow machine is no slow Slack
    app = build_app(AsyncWebClient(token="xoxb-1"), ME)
    going, most = 0, 0

    @app.command("/incident")
    async def heard(ack: AsyncAck) -> None:
        nonlocal going, most
        going += 1
        most = max(most, going)
        await asyncio.sleep(0.001)
        going -= 1
        await ack()

    @app.action("decision.rollback")
    async def clicked(ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack()

    commands = [asyncio.create_task(dispatched(app, COMMAND)) for _ in range(20)]
    assert await dispatched(app, CLICK) == 200
    assert sum(one.done() for one in commands) < 20
    assert await asyncio.gather(*commands) == [200] * 20
    assert most == COMMANDS_AT_ONCE


async def test_commands_that_wait_for_somebody_else_do_not_stop_the_others() -> None:
    app = build_app(AsyncWebClient(token="xoxb-1"), ME)
    stuck, held = asyncio.Event(), 0

    @app.command("/incident")
    async def heard(ack: AsyncAck) -> None:
        nonlocal held
        held += 1
        if held <= COMMANDS_AT_ONCE:
            await stuck.wait()
        await ack()

    waiting = [asyncio.create_task(dispatched(app, COMMAND)) for _ in range(COMMANDS_AT_ONCE)]
    await asyncio.sleep(0)
    assert await dispatched(app, COMMAND) == 200, "though all places are taken"
    assert not any(one.done() for one in waiting)
    stuck.set()
    assert await asyncio.gather(*waiting) == [200] * COMMANDS_AT_ONCE
