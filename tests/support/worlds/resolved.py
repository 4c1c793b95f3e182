"""An incident in the small world that was rolled back and has recovered."""

from __future__ import annotations

from sandbox.slack.channels import Channel
from sandbox.world import World
from tests.support.bots.stage import burn, declared


async def recovered(world: World, every: float = 0.05) -> Channel:
    burn(world, every=every)
    channel = await declared(world.alice, "checkout is failing")
    decision = await world.alice.sees("Recommended: roll back", channel)
    await world.alice.click(decision, "decision.rollback")
    await world.alice.sees("*Recovered.*", channel)
    return channel
