"""The one post in Discord, pinned while its incident is open, whatever is lost on the way.

The incident says where the bot may not pin.
"""

from __future__ import annotations

from sandbox.faults import Fault
from sandbox.slack.people import plain
from sandbox.world import World
from tests.support.bots.stage import declared, ephemeral_with, eventually, messages_with, status


async def test_pinned_while_it_is_open_and_one_post_though_its_answer_was_lost(small: World):
    world, alice = small, small.alice
    world.faults.next("discord.post", Fault(lose_answer=True))
    world.faults.next("discord.pin", Fault(lose_answer=True))
    channel = await declared(alice, "checkout is failing")
    await eventually(world, lambda: world.discord.pins, "pinned")
    (post,) = world.discord.posts
    assert post.author == "Firebreak INC-0001"
    await alice.command("/incident update The pool of db-2 is full", channel)
    await eventually(world, lambda: "The pool of db-2" in post.content, "edited in place")
    assert post.pinned

    await alice.command("/incident cancel a load test", channel)
    await eventually(
        world,
        lambda: "cancelled" in post.content and not post.pinned,
        "over: it is not pinned any more",
    )
    await alice.command("/incident reopen INC-0001", channel)
    await eventually(world, lambda: post.pinned, "open again: pinned again")
    assert len(world.discord.posts) == 1


async def test_a_bot_that_may_not_pin_says_what_it_needs_and_can_try_again(small: World):
    world, alice = small, small.alice
    world.discord.may_pin = False
    channel = await declared(alice, "checkout is failing")
    # Said before the channel exists, it stands in the status alone; otherwise it is a message of
    # its own, too.
    failed = (
        await eventually(
            world,
            lambda: messages_with(alice, channel, "in Discord could not be pinned"),
            "it is said",
        )
    )[-1]
    assert "does not let the bot pin" in plain(failed)
    await eventually(
        world,
        lambda: "in Discord could not be pinned" in status(channel),
        "pinned in Slack as well",
    )
    assert len(world.discord.posts) == 1, "the post itself is there"

    world.discord.may_pin = True
    await alice.click(failed, "incident.try_again")
    await eventually(world, lambda: world.discord.pins, "pinned")
    await eventually(
        world, lambda: "could not be pinned" not in status(channel), "nothing is left to try"
    )
    await alice.click(failed, "incident.try_again")
    await ephemeral_with(alice, "That is done")
