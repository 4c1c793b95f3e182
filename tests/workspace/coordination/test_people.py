"""Lead, severity and updates to everybody, over a bot that is killed in between."""

from __future__ import annotations

import asyncio

from sandbox.faults import Fault
from sandbox.slack.people import Json, plain
from sandbox.world import World
from tests.support.bots.stage import (
    PATIENCE_SECONDS,
    burn,
    declared,
    ephemeral_with,
    eventually,
    messages_with,
    status,
    ticket,
)
from tests.support.redis.dump import redis_of


async def due_now(world: World, timer: str) -> None:
    """Half an hour passes: a timer of the incident is due at once."""
    async with redis_of(world) as redis:
        (key,) = [key async for key in redis.scan_iter("*:timers")]
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await redis.zscore(key, f"INC-0001|{timer}") is None:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await redis.zadd(key, {f"INC-0001|{timer}": 1})


async def test_whoever_reads_the_announcement_joins_with_one_tap(small: World):
    world, alice, bob = small, small.alice, small.bob
    burn(world)
    channel = await declared(alice, "checkout is failing")
    assert bob.id not in channel.members
    announcement = await bob.sees("checkout is failing", world.workspace.channel("incidents"))
    await bob.click(announcement, "incident.join")
    await ephemeral_with(bob, f"You are in <#{channel.id}> now.")
    assert bob.id in channel.members
    await bob.click(announcement, "incident.join")
    await ephemeral_with(bob, f"You are in <#{channel.id}> already.")

    guest = world.guest
    world.workspace.join(world.workspace.channel("incidents"), guest.id)
    await guest.click(announcement, "incident.join")
    await ephemeral_with(guest, "Only full members of this workspace")
    assert guest.id not in channel.members

    # An incident that is over has nothing to join any more.
    await alice.command("/incident cancel false alarm", channel)
    await bob.sees_change(announcement, "Cancelled")
    now = next(
        m
        for m in bob.messages(world.workspace.channel("incidents"))
        if m["ts"] == announcement["ts"]
    )
    assert "incident.join" not in str(now)


async def test_the_lead_is_handed_over_and_severity_is_a_persons_word(small: World):
    world, alice, bob = small, small.alice, small.bob
    burn(world)
    channel = await declared(alice, "checkout is failing")
    await alice.command("/incident lead @gus", channel)
    await ephemeral_with(alice, "no lead")
    await alice.command("/incident lead @bob", channel)
    await bob.sees(f"<@{bob.id}> leads, in place of <@{alice.id}>", channel)
    await eventually(world, lambda: bob.id in channel.members, "the new lead is in the channel")
    await eventually(
        world, lambda: f"Lead*: <@{bob.id}>" in status(channel), "the status names him"
    )
    await bob.command("/incident lead", channel)
    await ephemeral_with(bob, "leads INC-0001 already")
    await bob.command("/incident severity 2", channel)
    await bob.sees("SEV1 → SEV2, says", channel)
    pinned = bob.pinned(channel)[0]
    await bob.choose(pinned, "incident.more", "SEV3: one user")
    await bob.sees("SEV2 → SEV3, says", channel)
    await alice.choose(alice.pinned(channel)[0], "incident.more", "Take lead")
    await alice.sees(f"<@{alice.id}> leads, in place of <@{bob.id}>", channel)
    await bob.command("/incident timeline", channel)
    story = plain(await ephemeral_with(bob, "*INC-0001*"))
    assert f"in place of <@{alice.id}>" in story
    assert "SEV1 → SEV2" in story


async def test_an_update_is_asked_for_posted_everywhere_and_put_off(small: World):
    world, alice, bob = small, small.alice, small.bob
    burn(world)
    channel = await declared(alice, "checkout is failing")
    await eventually(world, lambda: "SEV1" in status(channel), "how bad it is")

    # The clock outlives the bot.
    world.kill_bot()
    await world.bot.until_running()
    await due_now(world, "update")
    reminder: Json = await alice.sees("What is the status?")
    assert reminder["channel"].startswith("D"), "the lead alone"
    assert messages_with(alice, channel, "update is due") == []
    await alice.click(reminder, "incident.snooze")
    await ephemeral_with(alice, "I ask again in 15 min")
    await due_now(world, "update")
    await alice.sees("What is the status?", after=reminder["ts"])
    await due_now(world, "update")
    asked = await bob.sees("An update is due", channel)
    assert f"<@{alice.id}>" in plain(asked)

    # One click, a true template, and everybody knows.
    await bob.click(asked, "incident.update")
    form = await bob.open_modal("incident.update")
    assert "30 users get errors in" in str(form)
    assert "We are deciding what to do." in str(form)
    await bob.submit(form, {"text": "The pool of db-2 is full", "next": "60"})
    posted = await alice.sees("The pool of db-2 is full", channel)
    assert "Next update" in plain(posted)
    await eventually(world, lambda: "The pool of db-2" in status(channel), "the pinned status")
    incidents = world.workspace.channel("incidents")
    root = next(m for m in incidents.messages if f"<#{channel.id}>" in plain(m))
    await eventually(
        world,
        lambda: any("The pool of db-2" in plain(m) for m in incidents.thread(root["ts"])[1:]),
        "in the announcement's thread",
    )
    assert not any("The pool of db-2" in plain(m) for m in incidents.roots() if m is not root)
    opened = await ticket(world)
    await eventually(
        world,
        lambda: any("The pool of db-2" in c.body for c in world.linear.comments_on(opened)),
        "on the ticket",
    )


async def test_a_lead_who_cannot_be_written_to_is_asked_in_the_channel(small: World):
    world, alice = small, small.alice
    burn(world)
    channel = await declared(alice, "checkout is failing")
    await eventually(world, lambda: "SEV1" in status(channel), "how bad it is")
    world.faults.always("slack.conversations.open", Fault(error="user_disabled"))
    await due_now(world, "update")
    asked = await alice.sees("What is the status?", channel)
    assert f"<@{alice.id}>" in plain(asked)
    await alice.command("/incident update The pool of db-2 is full", channel)
    await alice.sees("Next update", channel)
    await eventually(world, lambda: "*Update*" in status(channel), "the pinned status")
    assert "*Next*: update" in status(channel)
    assert not [m for m in alice.ephemerals() if "your update is posted" in plain(m)], (
        "the channel has just said so"
    )


async def test_a_lead_whose_account_is_deactivated_leads_no_more(small: World):
    world, alice, bob = small, small.alice, small.bob
    burn(world)
    channel = await declared(alice, "checkout is failing")
    await eventually(world, lambda: "SEV1" in status(channel), "how bad it is")
    world.workspace.users[alice.id]["deleted"] = True
    world.kill_bot()  # and with it what it knew of people
    await world.bot.until_running()
    await due_now(world, "update")
    await alice.sees("account is deactivated", channel)
    await eventually(world, lambda: "*Lead*: nobody yet" in status(channel), "the status")
    await bob.command("/incident lead INC-0001")
    await eventually(world, lambda: f"*Lead*: <@{bob.id}>" in status(channel), "who leads now")
