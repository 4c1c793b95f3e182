"""Drills. Everything works as in earnest and is marked.

Nobody is paged, nothing is deployed, and no real incident is hindered.
"""

from __future__ import annotations

from sandbox.slack.people import plain
from sandbox.world import World
from tests.support.bots.stage import (
    asked,
    burn,
    declared,
    ephemeral_with,
    eventually,
    messages_with,
    runs,
    status,
)


async def test_a_drill_is_marked_everywhere_and_touches_nothing(small: World):
    world, alice, bob = small, small.alice, small.bob
    burn(world)
    channel = await declared(bob, "drill checkout is failing", "inc-0001-drill-checkout")
    announcements = world.workspace.channel("incidents")
    assert alice.id not in channel.members, "the owners are not called to a drill"
    assert "DRILL: checkout is failing" in status(channel)
    await eventually(world, lambda: "DRILL" in channel.topic["value"], "the topic")
    assert messages_with(bob, announcements, "DRILL: checkout is failing")
    await eventually(world, lambda: world.linear.issues, "a ticket")
    assert "DRILL" in world.linear.issues[0].title

    # Many users, many features: for real it would page. It says so and does not.
    await bob.sees("Drill: nobody was paged", channel)
    assert world.pagerduty.events == []
    assert world.discord.posts == []

    # The button works; production is not touched.
    decision = await bob.sees("Recommended: roll back", channel)
    await alice.click(decision, "decision.rollback")
    await bob.sees_change(decision, "drill: nothing was deployed")
    assert asked(world) == []
    assert runs(world) == "v1.3.0"

    # In earnest at the same time: its own incident, that the drill neither swallows nor holds up.
    real = await declared(alice, "checkout is failing", "inc-0002-checkout")
    assert "DRILL" not in status(real)
    await eventually(world, lambda: world.pagerduty.events, "people are paged for the real one")
    assert all("DRILL" not in event.summary for event in world.pagerduty.events)
    assert all("INC-0001" not in post.content for post in world.discord.posts)
    await alice.click(await alice.sees("Recommended: roll back", real), "decision.rollback")
    await eventually(world, lambda: runs(world) == "v1.2.0", "the real one is rolled back")
    await alice.sees("Recovered", real)

    # Practice ends without a post-mortem, and is never remembered in earnest.
    await eventually(
        world,
        lambda: (
            messages_with(bob, channel, "Recovered") or messages_with(bob, channel, "Did it help")
        ),
        "its check",
    )
    if not messages_with(bob, channel, "Recovered."):
        question = next(m for m in channel.messages if "incident.recovered" in str(m))
        await bob.click(question, "incident.recovered")
        await bob.sees("Recovered", channel)
    await bob.command("/incident postmortem", channel)
    await ephemeral_with(bob, "A drill needs no post-mortem")
    await bob.command("/incident resolve", channel)
    await bob.sees("is resolved", channel)
    await alice.command("/incident cancel false alarm", real)
    await alice.sees("was cancelled", real)
    third = await declared(alice, "checkout again", "inc-0003-")
    shown = "\n".join(plain(m) for m in third.messages)
    assert "INC-0001" not in shown, "a drill is no memory"
