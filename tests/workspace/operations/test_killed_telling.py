"""The bot is killed with kill -9 while it sends messages.

Discord has one pinned post, and every status is current.
"""

from __future__ import annotations

from sandbox.faults import Fault
from sandbox.slack.channels import Channel
from sandbox.world import World
from tests.support.bots.stage import declared, eventually, status


async def test_killed_when_discord_has_the_post_and_again_when_it_has_the_pin(small: World):
    world, alice = small, small.alice
    world.faults.next("discord.post", Fault(lose_answer=True))
    await alice.command("/incident checkout is failing")
    (post,) = await eventually(world, lambda: list(world.discord.posts), "Discord has the post")
    world.faults.next("discord.pin", Fault(lose_answer=True))
    world.kill_bot()
    await world.bot.until_running()
    await eventually(world, lambda: post.pinned, "found again, and pinned")
    world.kill_bot()
    await world.bot.until_running()
    channel = await alice.channel("inc-0001-")
    await alice.command("/incident update The pool of db-2 is full", channel)
    await eventually(world, lambda: "The pool of db-2" in post.content, "edited in place")
    assert post.pinned
    assert len(world.discord.posts) == 1


async def test_killed_while_slack_takes_few_edits_and_the_last_state_is_shown(two_services: World):
    world, alice, bob = two_services, two_services.alice, two_services.bob
    first = await declared(alice, "checkout is failing")
    second = await declared(bob, "search is slow", "inc-0002-")
    alice.join(second)
    world.faults.limit("slack.chat.update", 2, seconds=4)

    async def say(word: str) -> None:
        for channel in (first, second):
            await alice.command(f"/incident update {word}", channel)

    def shown(word: str, *channels: Channel) -> bool:
        return all(f">: {word}" in status(channel) for channel in channels)

    for number in range(4):
        await say(f"step {number}")
    world.kill_bot()
    await world.bot.until_running()
    await say("step 9")
    await eventually(
        world, lambda: shown("step 9", first, second), "the newest of each, whatever was refused"
    )
