"""A post is made once, also where its answer was lost and clocks are apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bot.clients.slack.client import MessageKey, Slack
from handlers.views.notes import note
from phases.ports.ports import PortError
from sandbox.faults import Fault
from sandbox.slack.api import BOT_TOKEN
from tests.support.worlds.slack_world import slack_world


@pytest.mark.parametrize("hours", [-1, 0, 1])
async def test_a_post_whose_answer_was_lost_is_found(hours: int) -> None:
    since = datetime.now(UTC) + timedelta(hours=hours)  # by a clock that is wrong by a time zone
    async with slack_world() as world:
        slack = Slack(BOT_TOKEN, world.client.base_url)
        await slack.start()
        try:
            world.faults.next("slack.chat.postMessage", Fault(lose_answer=True))
            with pytest.raises(PortError):
                await _post(slack, since, again=False)
            ts = await _post(slack, since, again=True)
            general = world.workspace.channel("C0GENERAL")
            posts = [m for m in general.messages if "Deploy started" in str(m)]
            assert [post["ts"] for post in posts] == [ts]
        finally:
            await slack.aclose()


async def _post(slack: Slack, since: datetime, *, again: bool) -> str:
    return await slack.post(
        "C0GENERAL",
        note("Deploy started"),
        MessageKey("INC-0001", "INC-0001.3.1", since=since, maybe_posted=again),
    )
