"""Rights to decide, and one decision that counts.

Two people click at once, on old rounds, on ended incidents, as strangers, or with deliveries sent
twice.
"""

from __future__ import annotations

import asyncio

from sandbox.slack.channels import OTHER
from sandbox.slack.people import Json, Person, plain
from sandbox.world import World
from tests.support.bots.stage import (
    asked,
    burn,
    declared,
    ephemeral_with,
    eventually,
    go_on_burning,
    messages_with,
    runs,
    status,
)


def allow(world: World, *people: Person) -> None:
    """Puts people on call for the service, before anybody has asked Slack who is."""
    group = next(iter(world.workspace.usergroups.values()))
    group["users"] = [person.id for person in people]


async def decided(
    person: Person, decision: Json, words: str = "Read back from the deployer"
) -> str:
    return plain(await person.sees_change(decision, words))


async def test_who_may_not_deploy_is_told_who_may_and_can_break_the_glass(small: World):
    world, alice, bob = small, small.alice, small.bob
    burn(world)
    channel = await declared(alice, "checkout is failing")
    decision = await alice.sees("Recommended: roll back", channel)

    # Guests and people of another workspace that shares the channel decide nothing at all.
    olga = Person(world.workspace, world.delivery, OTHER)
    for stranger in (world.guest, olga):
        channel.members.append(stranger.id)
        for button in ("decision.rollback", "decision.investigate", "decision.fixed"):
            await stranger.click(decision, button)
        for words in ("cancel it is nothing", "resolve", "the sky is falling"):
            await stranger.command(f"/incident {words}", channel)
        refusals = await eventually(
            world, lambda who=stranger: len(who.ephemerals()) == 6 and who.ephemerals(), "answers"
        )
        assert all("Only full members of this workspace" in plain(m) for m in refusals)
        assert stranger.modal() is None
    await eventually(world, lambda: "To decide" in status(channel), "the pinned status follows")
    assert asked(world) == []
    await alice.command("/incident list")
    assert "1 incident open" in plain(await ephemeral_with(alice, "incident open"))

    # A full member who is not on call may look, and may not deploy.
    bob.join(channel)
    await bob.click(decision, "decision.rollback")
    refused = await ephemeral_with(bob, "Only the owners of this service deploy it")
    assert alice.mention in plain(refused), "who may, by name"
    assert asked(world) == []

    # The forms ask the same question.
    await bob.command("/incident rollback", channel)
    form = await bob.open_modal("incident.rollback", text="Go back to")
    await bob.submit(form, {"target": "1.2.0"})
    glass = await bob.open_modal("incident.break_glass")
    assert alice.mention in plain(glass)
    assert asked(world) == []
    await bob.close(glass)

    # Looking into it, saying what is wrong and what is new is everybody's.
    await bob.command("/incident update I am on it", channel)
    await eventually(world, lambda: "I am on it" in status(channel), "Bob's update")

    # Nobody there? With a reason, a name, and a page to the owners.
    await bob.click(refused, "incident.break_glass")
    glass = await bob.open_modal("incident.break_glass")
    await bob.submit(glass, {"reason": "Alice does not answer, every order fails"})
    done = await decided(bob, decision)
    assert "Break glass: Alice does not answer" in done
    assert f"{bob.mention}" in done
    assert runs(world) == "v1.2.0"
    assert "Break glass: Alice does not answer" in plain(await alice.sees("Break glass", channel))
    await eventually(
        world,
        lambda: any("broke the glass" in e.summary for e in world.pagerduty.events),
        "the owners are paged",
    )
    assert "<@" not in " ".join(e.summary for e in world.pagerduty.events), (
        "in names, not in Slack's ids"
    )


async def test_one_action_a_round_whoever_clicks_and_however_often_it_arrives(small: World):
    world, alice, bob = small, small.alice, small.bob
    allow(world, alice, bob)
    burn(world)
    # The command arrives twice, and counts once.
    world.delivery.twist("command", copies=2)
    channel = await declared(alice, "checkout is failing")
    decision = await alice.sees("Recommended: roll back", channel)
    bob.join(channel)
    assert len([c for c in world.workspace.channels.values() if c.name.startswith("inc-")]) == 1

    # Two people click at once, and each click is delivered twice. One deploy starts, and the second
    # person hears of the first.
    (world.folder / "hold").touch()
    for _ in range(2):
        world.delivery.twist("block_actions", copies=2)
    await asyncio.gather(
        alice.click(decision, "decision.rollback"), bob.click(decision, "decision.rollback")
    )
    await alice.sees_change(decision, "waiting for a free machine")
    first, second = (
        (alice, bob) if f"{alice.mention}, <!date" in plain(alice.now(decision)) else (bob, alice)
    )
    refusal = plain(await ephemeral_with(second, f"{first.mention} decided"))  # who
    assert "1.2.0" in refusal, "what"
    assert "<!date^" in refusal or "UTC" in refusal, "when"

    assert not any("decided" in plain(m) for m in first.ephemerals()), (
        "a click that arrives twice is no second click"
    )

    # While it runs: not another one, not a cancel, and the buttons have given way.
    await bob.click(decision, "decision.fixed")
    await ephemeral_with(bob, "rollback to 1.2.0")
    await alice.command("/incident cancel false alarm", channel)
    await ephemeral_with(alice, "A deploy is under way")
    await alice.command("/incident rollback", channel)
    await ephemeral_with(alice, "One action in production at a time")
    assert "decision.rollback" not in str(alice.now(decision))
    go_on_burning(world)
    (world.folder / "hold").unlink()
    await decided(alice, decision)
    assert asked(world) == ["v1.2.0"], "once"

    # It did not help, and a new decision comes. The old one's buttons are refused with what came of
    # it.
    again = await alice.sees("Decision 2", channel)
    assert "did not help" in plain(again)
    await alice.click(decision, "decision.rollback")
    refusal = plain(await ephemeral_with(alice, "Decision 2 is open"))
    assert first.mention in refusal
    await alice.click(decision, "decision.investigate")
    await ephemeral_with(alice, "That decision is over")
    assert asked(world) == ["v1.2.0"]


async def test_a_false_alarm_ends_with_a_reason_and_closes_the_ticket(small: World):
    world, alice, bob = small, small.alice, small.bob
    channel = await declared(alice, "checkout looks odd")
    decision = await alice.sees("Decision 1", channel)
    await eventually(world, lambda: world.linear.issues, "the ticket")
    assert "nothing unusual" in plain(decision)
    await alice.command("/incident cancel", channel)
    form = await alice.open_modal("incident.cancel")
    world.delivery.twist("view_submission", copies=2)
    await alice.submit(form, {"reason": "a load test, no real users"})
    await alice.sees(f"was cancelled by {alice.mention}: a load test", channel)
    await eventually(
        world, lambda: world.linear.issues[0].state.type == "canceled", "the ticket is closed"
    )
    await eventually(world, lambda: "cancelled" in str(world.discord.posts), "Discord")
    await eventually(world, lambda: "Cancelled" in status(channel), "the pinned status")
    assert len(messages_with(alice, channel, "was cancelled by")) == 1, (
        "submitted once, delivered twice, said once"
    )

    # Forms that are open on somebody's screen are refused with who, what, and why.
    bob.join(channel)
    for button in ("decision.investigate", "decision.fixed"):
        await bob.click(decision, button)
        assert "a load test" in plain(await ephemeral_with(bob, "INC-0001 was cancelled"))
    for words in (
        "rollback",
        "resolve",
        "postmortem",
        "update it is back",
        "cancel again, it is nothing",
    ):
        after = bob.ephemerals()[-1]["ts"]
        await bob.command(f"/incident {words}", channel)
        if words.startswith("cancel"):  # it may be a new incident
            await ephemeral_with(bob, "is that about the open incident, or a new one?", after=after)
        else:
            await ephemeral_with(bob, "INC-0001 was cancelled", after=after)

    # The service is free again.
    await declared(bob, "checkout really fails", "inc-0002-")
