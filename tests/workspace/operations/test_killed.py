"""kill -9 of the bot where it hurts: nothing is lost, nothing happens twice."""

from __future__ import annotations

from sandbox.faults import Fault
from sandbox.world import World
from tests.support.bots.opened_once import settled
from tests.support.bots.stage import recovered_in_the_shop


async def test_killed_between_the_channel_and_its_purpose(world: World):
    world.faults.next("slack.conversations.setPurpose", Fault(delay=5))
    await world.alice.command("/incident checkout is failing")
    channel = await world.alice.channel("inc-0001-")
    world.kill_bot()
    await world.bot.until_running()
    await settled(world, channel)


async def test_killed_when_the_decision_is_posted_and_its_answer_is_lost(world: World):
    world.faults.next("slack.chat.postMessage", Fault(lose_answer=True), times=3)
    await world.alice.command("/incident checkout is failing")
    channel = await world.alice.channel("inc-0001-")
    await world.alice.sees("Decision 1", channel)
    world.kill_bot()
    await world.bot.until_running()
    await settled(world, channel)


async def test_killed_while_the_deploy_runs(world: World):
    shop, alice = world.shop, world.alice
    assert shop is not None
    await shop.break_everything()
    broken, before = shop.current_release(), len(shop.deploy_log())
    channel = await alice.channel("inc-0001-")  # by its alarm, so with errors to count
    decision = await alice.sees("Recommended: roll back", channel)
    await alice.click(decision, "decision.rollback")
    # It takes a second or two: a busy machine may look away for as long.
    await world.workspace.until(lambda: shop.deploying() or shop.deploy_log()[before:] or None)
    world.kill_bot()
    await world.bot.until_running()
    await alice.sees_change(decision, "Read back from the deployer")
    rollbacks = shop.deploy_log()[before:]
    assert len(rollbacks) == 1, rollbacks
    assert shop.current_release() != broken
    await recovered_in_the_shop(alice, channel)
