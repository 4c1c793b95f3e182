"""The catalogue's group of owners was renamed.

Nobody may deploy by accident, and no message is lost.
"""

from __future__ import annotations

from pathlib import Path

from sandbox.faults import Fault
from sandbox.slack.people import plain
from tests.support.bots.stage import (
    SHOP,
    asked,
    burn,
    declared,
    doctor_of,
    ephemeral_with,
    eventually,
    messages_with,
    town,
)


async def test_what_would_mention_unknown_owners_is_posted_and_says_so(tmp_path: Path) -> None:
    world = town(tmp_path, services=SHOP.replace("@checkout-oncall", "@old-oncall"))
    world.faults.always("pagerduty.*", Fault(status=503))
    async with world:
        alice = world.alice
        burn(world)
        channel = await declared(alice, "checkout is failing")
        unknown = "the owners' group or user @old-oncall of the catalogue is not known to Slack"
        await eventually(
            world,
            lambda: messages_with(alice, channel, f"No owner is mentioned: {unknown}"),
            "the page, as a message",
        )
        await alice.click(await alice.sees("Recommended: roll back", channel), "decision.rollback")
        refused = plain(await ephemeral_with(alice, "I cannot tell who owns shop"))
        assert unknown in refused
        assert "try again" not in refused
        assert asked(world) == []
        assert unknown in await doctor_of(world)
