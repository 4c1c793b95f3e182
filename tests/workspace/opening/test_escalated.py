"""A regular bug turns out to be on fire: what people name becomes a part of the incident."""

from __future__ import annotations

from typing import Any

from sandbox.faults import Fault
from sandbox.slack.people import plain
from sandbox.world import World
from tests.support.bots.stage import burn, ephemeral_with, eventually, messages_with


def bug(world: World, title: str) -> Any:
    """A Linear issue that somebody wrote days ago."""
    team = world.linear.teams[0]
    world.linear.create_issue({"teamId": team.id, "title": title})
    return world.linear.issues[-1]


async def test_a_sentry_issue_and_a_linear_bug_are_adopted(two_services: World):
    world, alice, bob = two_services, two_services.alice, two_services.bob
    burn(world)
    known = bug(world, "Region is sometimes missing")

    # Neither word names a service by itself: the project of the Sentry issue does.
    world.faults.next("sentry.issue", Fault(status=503), times=3)  # each try of a command
    await alice.command(f"/incident SHOP-1 is everywhere now, was {known.url}")
    channel = await alice.channel("inc-0001-")
    await alice.sees("Recommended: roll back", channel)

    await alice.command("/incident timeline", channel)
    assert "Looked up in Sentry: SHOP-1" in plain(await ephemeral_with(alice, "timeline"))
    await eventually(world, lambda: len(world.linear.issues) == 2, "the ticket")
    ticket = world.linear.issues[1]
    assert ticket.parent_id == known.id

    def both_ways() -> bool:
        up = [c.body for c in world.linear.comments_on(known)]
        down = [c.body for c in world.linear.comments_on(ticket)]
        return any(ticket.url in body for body in up) and any(known.url in body for body in down)

    await eventually(world, both_ways, "a comment both ways")

    # The issue belongs to this incident now: whoever names it elsewhere is led there.
    issue = next(iter(world.sentry.issues.values()))
    written = bob.say(
        "general", f"Look at this: {world.url}/sentry/organizations/sandbox/issues/{issue.id}/"
    )
    await bob.shortcut("incident.declare", message=written)
    form = await bob.open_modal("incident.declare")
    await bob.submit(form, {"service": "search"})
    await eventually(world, lambda: "Go there" in plain(bob.modal() or {}), "it is open already")
    assert not messages_with(alice, channel, "could not be looked up")
