"""An incident's edges.

A duplicate joins another one, a resolved one is reopened, a channel is archived.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from sandbox.faults import Fault
from sandbox.slack.people import plain
from sandbox.world import World
from tests.support.bots.stage import (
    PATIENCE_SECONDS,
    SHOP,
    burn,
    declared,
    ephemeral_with,
    eventually,
    messages_with,
    status,
    ticket,
    town,
)
from tests.support.redis.dump import redis_of


async def test_a_duplicate_ends_and_the_other_has_all_of_it(two_services: World):
    world, alice, bob = two_services, two_services.alice, two_services.bob
    burn(world)
    first = await declared(alice, "checkout is failing", "inc-0001-")
    second = await declared(bob, "search is slow as well", "inc-0002-")
    bob.say(second, "look at the payment logs")
    await bob.command("/incident update search is slow since noon", second)
    await bob.sees("search is slow since noon", second)

    # Nothing is merged by a slip: which one goes on is asked, and asked again.
    await bob.command("/incident merge INC-0001", second)
    asked = await ephemeral_with(bob, "are the same?")
    assert "Keep INC-0001" in plain(asked)
    await bob.click(asked, "incident.merge")
    await alice.sees("INC-0002 is the same", first)
    await bob.sees("Duplicate of INC-0001", second)
    await eventually(
        world, lambda: "duplicate of INC-0001" in status(second), "the duplicate's status"
    )
    await eventually(world, lambda: bob.id in first.members, "its people come along")
    opened = await ticket(world)
    await eventually(
        world,
        lambda: any("INC-0002 is the same" in c.body for c in world.linear.comments_on(opened)),
        "the ticket says so",
    )

    # One timeline, by time.
    await alice.command("/incident timeline", first)
    lines = plain(await ephemeral_with(alice, "INC-0002: "))
    assert "INC-0002: search is slow since noon" in lines
    assert lines.index("checkout is failing") < lines.index("search is slow since noon")

    # Its buttons are over; a second merge changes nothing.
    await bob.command("/incident rollback", second)
    await ephemeral_with(bob, "was cancelled: duplicate of INC-0001")
    await bob.command("/incident merge INC-0002 INC-0001")
    asked = await ephemeral_with(bob, "are the same?")
    assert "incident.merge_other" not in str(asked), "what is over takes nothing in"
    await bob.click(asked, "incident.merge")
    await ephemeral_with(bob, "is already merged into INC-0001")

    # The service of the duplicate is free for another incident.
    await declared(bob, "search is down", "inc-0003-")


async def test_what_cannot_be_one_is_not_merged(two_services: World):
    world, alice = two_services, two_services.alice
    burn(world)
    await declared(alice, "search is slow", "inc-0001-")
    second = await declared(alice, "checkout is failing", "inc-0002-")

    async def merge(keep: str, gone: str, click: str = "incident.merge") -> None:
        await alice.command(f"/incident merge {keep} {gone}")
        await alice.click(await ephemeral_with(alice, "are the same?"), click)

    # A duplicate whose deploy is under way: what it does to production would be nobody's.
    (world.folder / "hold").touch()
    decision = await alice.sees("Decision 1", second)
    await alice.click(decision, "decision.rollback")
    await eventually(world, lambda: "eploying" in status(second), "the deploy is under way")
    await merge("INC-0001", "INC-0002")
    refusal = plain(await ephemeral_with(alice, "A deploy of INC-0002 is under way"))
    assert "Keep INC-0002, or merge it when that is checked. Nothing was changed." in refusal
    (world.folder / "hold").unlink()
    await alice.sees("Deployed: 1.3.0 → 1.2.0", second)

    # A drill and a real one: practice would be counted, or a fire would not.
    await alice.command("/incident drill checkout is practised")
    await alice.sees("Decision 1", await alice.channel("inc-0003-"))
    await merge("INC-0001", "INC-0003")
    await ephemeral_with(alice, "A drill is not merged with a real incident. Nothing was changed.")

    # The one that changed production goes on, and no ticket but a duplicate's is closed.
    await merge("INC-0002", "INC-0001", "incident.merge_other")
    await alice.sees("INC-0001 is the same", second)

    def state(id: str) -> str:
        states = (i.state.type for i in world.linear.issues if i.title.startswith(id))
        return next(states, "")

    for id in ("INC-0002", "INC-0003"):
        await eventually(world, lambda id=id: state(id) == "started", f"the ticket of {id}")


async def test_it_was_not_over(small: World):
    world, alice, bob = small, small.alice, small.bob
    burn(world)
    channel = await declared(alice, "checkout is failing", "inc-0001-")
    await alice.command("/incident cancel false alarm", channel)
    await alice.sees("was cancelled", channel)
    common = world.workspace.channel("incidents")
    await eventually(
        world,
        lambda: messages_with(alice, common, "Cancelled"),
        "its announcement is known, and follows",
    )
    await alice.command("/incident reopen INC-0001")
    await ephemeral_with(alice, "INC-0001 is open again")
    await alice.sees("Decision 2", channel)
    await eventually(
        world, lambda: "cancelled" not in status(channel).lower(), "the status is of now"
    )
    await eventually(
        world, lambda: messages_with(alice, common, "Open again: checkout is failing"), "announced"
    )
    await alice.command("/incident reopen INC-0001")
    await ephemeral_with(alice, "INC-0001 is open. Nothing was changed")

    # Over again, and its channel put away by a person: no bot can take it out again.
    await alice.command("/incident cancel false alarm", channel)
    await eventually(world, lambda: "Cancelled" in status(channel), "cancelled again")
    world.workspace.archive(channel, alice.id)

    # Meanwhile its service burns anew: the same, or something else?
    other = await declared(bob, "checkout fails once more", "inc-0002-")

    async def asked_to_reopen() -> None:
        await alice.command("/incident reopen INC-0001")

    await asked_to_reopen()
    question = await ephemeral_with(alice, "INC-0002 is now open on shop")
    await alice.click(question, "incident.reopen")
    again = await alice.channel("inc-0001-checkout-is-failing-2")
    assert again.id != channel.id
    await ephemeral_with(alice, "a new one is being created")
    await alice.sees("Decision 3", again)
    await eventually(world, lambda: again.pins, "its status")
    await eventually(world, lambda: "INC-0001" in status(again), "of this incident")

    # The same after all.
    await bob.command("/incident merge INC-0001 INC-0002")
    await bob.click(await ephemeral_with(bob, "are the same?"), "incident.merge_other")
    await bob.sees("INC-0001 is the same", other)
    await eventually(
        world, lambda: "duplicate of INC-0002" in status(again), "the duplicate's status"
    )


async def test_a_week_after_the_end_its_channel_is_put_away(small: World):
    world, alice = small, small.alice
    channel = await declared(alice, "checkout is failing", "inc-0001-")
    alice.say(channel, "is somebody there?")
    await alice.command("/incident cancel false alarm", channel)
    await alice.sees("was cancelled", channel)

    async def due() -> float | None:
        """Days until the channel is archived."""
        async with redis_of(world) as redis:
            score = await redis.zscore("{fb}:timers", "INC-0001|archive")
        return None if score is None else (score / 1000 - time.time()) / 86400

    async def a_week_later() -> None:
        async with redis_of(world) as redis:
            await redis.zadd("{fb}:timers", {"INC-0001|archive": round(time.time() * 1000)})

    assert 6.9 < (await due() or 0) < 7.1
    await a_week_later()

    async with asyncio.timeout(PATIENCE_SECONDS):
        while not 0.9 < (await due() or 0) < 1.1:  # noqa: ASYNC110  somebody wrote within the last day
            await asyncio.sleep(0.05)
    assert not channel.is_archived
    world.kill_bot()  # the timer is not the process's
    channel.messages[:] = [m for m in channel.messages if m["user"] != alice.id]
    await world.bot.until_running()
    await a_week_later()
    await eventually(world, lambda: channel.is_archived, "the channel is archived")


async def test_its_bookmarks_lead_to_sentry_ticket_and_runbook(tmp_path: Path):
    runbook = "https://wiki.example.com/shop"
    world = town(
        tmp_path,
        services=SHOP.replace('linear_team = "ENG"', f'linear_team = "ENG"\nrunbook = "{runbook}"'),
    )
    async with world:
        burn(world)
        world.workspace.scopes.add("bookmarks:read")
        world.faults.next("slack.bookmarks.add", Fault(lose_answer=True))
        channel = await declared(world.alice, "checkout is failing", "inc-0001-")

        def marks() -> list[str]:
            return sorted(bookmark["title"] for bookmark in channel.bookmarks)

        await eventually(
            world,
            lambda: {"Runbook", "Sentry"} < set(marks()) and len(marks()) >= 3,
            "the bookmarks",
        )
        assert len(set(marks())) == len(marks()), "an answer that was lost makes no second one"
        assert (
            next(
                bookmark["link"] for bookmark in channel.bookmarks if bookmark["title"] == "Runbook"
            )
            == runbook
        )
