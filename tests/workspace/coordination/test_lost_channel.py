"""A channel that was archived while the bot did not hear of it.

Slack's event gets lost while the bot is away, and an app of an older manifest has none.
"""

from __future__ import annotations

from sandbox.slack.people import plain
from sandbox.world import World
from tests.support.bots.stage import burn, declared, ephemeral_with, eventually, status


async def test_it_has_a_successor_as_soon_as_anything_is_to_be_shown(small: World) -> None:
    world, alice = small, small.alice
    burn(world)
    channel = await declared(alice, "checkout is failing", "inc-0001-")
    await alice.sees("Decision 1", channel)
    channel.is_archived = True  # and no event tells of it
    again = await alice.channel("inc-0001-checkout-is-failing-2")
    await alice.sees("Decision 1", again)
    await eventually(world, lambda: again.pins and "INC-0001" in status(again), "its status")
    await alice.command("/incident timeline", again)
    assert "Somebody archived the channel" in plain(await ephemeral_with(alice, "Somebody"))
