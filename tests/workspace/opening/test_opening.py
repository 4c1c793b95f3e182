"""The beginning of an incident by alert, command, phrase or shortcut.

Two of these at once make one.
"""

from __future__ import annotations

import asyncio

from sandbox.slack.people import plain
from sandbox.world import World
from tests.support.bots.stage import (
    burn,
    declared,
    ephemeral_with,
    eventually,
    everything,
    incidents,
    messages_with,
    opened,
    status,
)


async def test_alert_command_and_phrase_at_once_make_one_incident(small: World):
    alice, bob, world = small.alice, small.bob, small
    bob.say("general", "prod is down!!")
    offer = await bob.sees("Is production on fire?", "general")
    await bob.click(offer, "incident.declare")
    form = await bob.open_modal("incident.declare")

    burn(world)
    events = world.sentry.events
    await asyncio.gather(
        world.alerts.event_alert(events[-1]),
        alice.command("/incident checkout is failing"),
        bob.submit(form, {"title": "prod is down!!"}),
    )
    channel = await alice.channel("inc-0001-")
    await alice.sees("Recommended: roll back", channel)
    assert len(incidents(world)) == 1

    # At least one of the two came second: they are shown the way, not a second incident.
    second = [(p, m) for p in (alice, bob) for m in p.ephemerals() if "Go there" in plain(m)]
    if (late := bob.modal()) and "Go there" in plain(late):
        second.append((bob, late))
    assert second
    person, choice = second[0]
    await person.click(choice, "incident.go_there")
    await eventually(
        world,
        lambda: "Go there" not in str([*person.ephemerals(), person.modal()]),
        "the choice is made",
    )
    await person.command("/incident timeline INC-0001")
    assert f"<@{person.id}> reports" in plain(await ephemeral_with(person, "timeline")), (
        "what was said is kept"
    )
    assert len(incidents(world)) == 1

    # A storm of alerts after it is evidence, too.
    for event in events[-3:]:
        assert (await world.alerts.event_alert(event)).status == 200
    assert len(incidents(world)) == 1

    # It may really be something else: that is an incident of its own, and says of which it is not.
    await bob.command("/incident the invoices are wrong")
    choice = await ephemeral_with(bob, "It is something else")
    await bob.click(choice, "incident.something_else")
    other = await bob.channel("inc-0002-")
    assert other.name == "inc-0002-the-invoices-are-wrong"
    assert len(incidents(world)) == 2


async def test_prod_is_down_leads_to_an_incident_by_a_button_and_a_form(two_services: World):
    world, alice, bob = two_services, two_services.alice, two_services.bob
    burn(world)
    # Told twice, as two different events.
    world.delivery.twist("event:message", copies=2, fresh_event_id=True)
    burning = bob.say("general", "Folks, *Prod is down*, users are reporting errors & white pages")
    offer = await bob.sees("Is production on fire?", "general")
    assert offer["thread_ts"] == burning["ts"], "in the thread, not in everybody's face"
    bob.say("general", "prod is down, really")
    assert len(incidents(world)) == 0, "a phrase alone opens nothing"

    await alice.click(offer, "incident.declare")  # whoever sees it may press it
    form = await alice.open_modal("incident.declare")
    assert "Prod is down" in str(form)
    await alice.submit(form, {"service": "shop"})
    channel = await opened(alice)
    await alice.command("/incident timeline", channel)
    await ephemeral_with(alice, "a phrase in <#C0GENERAL>, declared by <@U0ALICE>")
    await alice.sees("Recommended: roll back", channel)
    assert "INC-0001 is declared" in plain(alice.modal() or {})
    await alice.close(await alice.open_modal())

    # The second message got no second offer, and in the incident's channel everybody knows.
    alice.say(channel, "prod is down here, too")
    await world.delivery.idle()
    await alice.command("/incident status", channel)
    await ephemeral_with(alice, "INC-0001")
    offers = [
        m for m in everything(alice, world.workspace.channel("general")) if "on fire?" in plain(m)
    ]
    assert len(offers) == 1
    assert not messages_with(alice, channel, "on fire?")

    # A message that somebody wrote is what is wrong: its shortcut brings it into the form.
    written = bob.say(
        "general", "The finder finds nothing: https://sentry.example.com/issues/4711/"
    )
    await bob.shortcut("incident.declare", message=written)
    form = await bob.open_modal("incident.declare")
    assert "The finder finds nothing" in str(form)
    await bob.submit(form)  # the words name the service
    second = await bob.channel("inc-0002-")
    assert second.name.startswith("inc-0002-the-finder-finds-nothing")
    decision = await bob.sees("Decision 1", second)
    assert "no deployer in the catalogue" in plain(decision)
    assert "decision.rollback" not in str(decision), "what cannot work is not offered"

    # And from anywhere, with nothing said yet.
    await bob.shortcut("incident.declare")
    form = await bob.open_modal("incident.declare")
    assert bob.modal()
    await bob.close(form)


async def test_a_status_and_a_decision_that_somebody_deletes_come_back(small: World):
    """An administrator may delete a bot's message; its next edit finds out.

    https://slack.com/help/articles/202395258-Edit-or-delete-messages
    """
    world, alice = small, small.alice
    burn(world)
    channel = await declared(alice, "checkout is failing")
    decision = await alice.sees("Recommended: roll back", channel)
    pinned = (await eventually(world, lambda: channel.pins, "the status is pinned"))[0]["ts"]
    for ts in (decision["ts"], pinned):
        world.workspace.delete(channel, ts)
    anew = await alice.sees("Recommended: roll back", channel)
    assert anew["ts"] > decision["ts"]
    await eventually(
        world, lambda: [pin for pin in channel.pins if pin["ts"] != pinned], "pinned again"
    )
    await alice.click(anew, "decision.rollback")
    await alice.sees_change(anew, "done in")
    await eventually(world, lambda: "done in" in status(channel), "the new one is kept true")
