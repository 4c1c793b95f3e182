"""Many people are invited in few calls: Slack takes some 50 of these a minute.

https://docs.slack.dev/apis/web-api/rate-limits (Tier 3)
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.clients.slack.client import Slack
from bot.clients.slack.errors import SlackRefused
from sandbox.faults import Fault
from sandbox.slack.api import BOT_TOKEN
from tests.support.worlds.slack_world import World, slack_world


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with slack_world() as made:
        yield made


@pytest.fixture
async def slack(world: World) -> AsyncIterator[Slack]:
    slack = Slack(BOT_TOKEN, world.client.base_url)
    await slack.start()
    yield slack
    await slack.aclose()


async def test_one_who_is_in_already_costs_no_call_for_each_of_the_others(
    world: World, slack: Slack
) -> None:
    people = [f"U0P{n:03d}" for n in range(130)]
    alice = world.workspace.users["U0ALICE"]
    world.workspace.users |= {id: {**alice, "id": id, "name": id.lower()} for id in people}
    made = await slack.call("conversations.create", name="inc-0001-x")
    channel = str(made["channel"]["id"])
    assert await slack.invite(channel, people[:3]) == {}
    world.faults.limit("slack.conversations.invite", 10)
    assert await slack.invite(channel, [*people, "U0NOBODY"]) == {"U0NOBODY": "user_not_found"}
    assert set(people) <= set(world.workspace.channel(channel).members)


async def test_what_is_wrong_with_the_channel_is_said_once(world: World, slack: Slack) -> None:
    world.faults.always("slack.conversations.invite", Fault(error="missing_scope"))
    with pytest.raises(SlackRefused, match="missing_scope"):
        await slack.invite("C0GENERAL", ["U0ALICE", "U0BOB", "U0CAROL"])
