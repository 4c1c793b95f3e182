"""A live message is posted once.

That holds even if the effect that posted it was given up, and another posts it.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest

from bot.clients.slack.client import Slack
from bot.performers.context import EffectContext
from bot.performers.slack import post_live
from bot.store.job import Job
from handlers.views.blocks import Message
from phases.messages.effects import EFFECT, PostLive
from phases.messages.results import MessagePosted
from phases.ports.ports import PortError
from phases.record.incident import Channel, Failure, Incident
from sandbox.faults import Fault
from sandbox.slack.api import BOT_TOKEN
from tests.support.values.factories import NOW, incident
from tests.support.worlds.slack_world import slack_world

STATUS = PostLive(name="status")
FAILURE = Failure(
    effect_id="INC-0001.2.1",
    kind="post.live",
    reason="Slack did not answer",
    at=NOW,
    effect=EFFECT.dump_json(STATUS).decode(),
)


async def render(name: str, of: Incident, now: datetime) -> Message:
    return Message(f"{of.id} {name}")


def job(effect_id: str) -> Job:
    return Job("INC-0001", effect_id, NOW, 1)


@pytest.mark.parametrize("by_itself", [True, False])
async def test_what_was_posted_without_an_answer_and_given_up_is_found_by_the_next_effect(
    by_itself: bool,
) -> None:
    async with slack_world() as world:
        slack = Slack(BOT_TOKEN, f"{world.url}/slack/api/")
        await slack.start()
        record = incident(channel=Channel(id="C0GENERAL", name="general"))
        known, shown = [record], list[Message | None]()

        async def heard(id: str, name: str, message: Message | None) -> None:
            shown.append(message)

        async def look(id: str, version: int = 0) -> Incident:
            return known[0]

        nothing: dict[str, Any] = {field.name: None for field in dataclasses.fields(EffectContext)}
        dispatcher = SimpleNamespace(load=look, recent=look)
        ctx = EffectContext(
            **nothing
            | {
                "dispatcher": dispatcher,
                "slack": slack,
                "render": render,
                "posted": heard,
                "now": lambda: NOW,
            }
        )
        world.faults.next("slack.chat.postMessage", Fault(lose_answer=True))
        with pytest.raises(PortError):
            await post_live(STATUS, job("INC-0001.2.1"), ctx)

        # It was given up, and is tried again: by itself, its failure in sight; or by a person.
        known[0] = record.model_copy(update={"failures": (FAILURE,)}) if by_itself else record
        effect = STATUS if by_itself else PostLive(name="status", wanted_as="INC-0001.2.1")
        done = await post_live(effect, job("INC-0001.9.1"), ctx)
        posted = [
            m for m in world.workspace.channel("general").messages if "INC-0001 status" in m["text"]
        ]
        assert len(posted) == 1
        assert isinstance(done, MessagePosted)
        assert done.ref.ts == posted[0]["ts"]
        assert shown == [None], "it shows the state of the first try, and not what was rendered now"
        await slack.aclose()
