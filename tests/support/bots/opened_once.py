"""Everything that a declaration wants, once, whatever was killed meanwhile."""

from __future__ import annotations

from sandbox.slack.channels import Channel
from sandbox.slack.people import Json, plain
from sandbox.world import World


def said_by_bot(world: World, channel: Channel, words: str) -> list[Json]:
    return [m for m in world.alice.messages(channel) if m.get("bot_id") and words in plain(m)]


async def settled(world: World, channel: Channel) -> None:
    """Everything that the declaration wants is there, once."""
    await world.alice.sees("Decision 1", channel)
    await world.workspace.until(lambda: world.alice.pinned(channel) or None)
    await world.workspace.until(lambda: world.linear.issues or None)
    assert len([c for c in world.workspace.channels.values() if c.name.startswith("inc-")]) == 1
    assert len(said_by_bot(world, channel, "○Learn")) == 1, "one status message"
    assert len(said_by_bot(world, channel, "Decision 1")) == 1
    assert len(world.alice.pinned(channel)) == 1
    assert len(world.linear.issues) == 1
