"""People, asked of Slack once.

An answer that comes too late for one click is there for the next.
"""

from __future__ import annotations

import asyncio

import pytest

from bot.clients.slack.client import Slack
from bot.clients.slack.people import SlackPeople
from sandbox.faults import Fault
from sandbox.slack.channels import TEAM
from tests.support.worlds.slack_world import slack_world


async def test_an_answer_that_is_late_for_one_click_is_there_for_the_next() -> None:
    async with slack_world() as world:
        slack = Slack(world.client.token or "", world.client.base_url)
        await slack.start()
        people = SlackPeople(slack, TEAM, None)
        world.faults.next("slack.users.info", Fault(delay=0.3))
        for _ in range(2):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await people.person("U0ALICE", TEAM)
        assert (await people.person("U0ALICE", TEAM)).member
        assert [call.method for call in world.workspace.calls].count("users.info") == 1
        await slack.aclose()
