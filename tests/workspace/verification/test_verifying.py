"""Verification in stories.

The bot checks, people decide where numbers cannot tell, parts are missing before the end, and
trouble returns.
"""

from __future__ import annotations

import re

from sandbox.faults import Fault
from sandbox.slack.channels import Channel
from sandbox.slack.people import Person, plain
from sandbox.world import World
from tests.support.bots.stage import (
    burn,
    declared,
    ephemeral_with,
    eventually,
    go_on_burning,
    messages_with,
    status,
    ticket,
)

SUMMARY = re.compile(
    r"""PRODUCTION INCIDENT — checkout is failing

Detected:    \d{4}-\d\d-\d\d \d\d:\d\d UTC via /incident by alice
Blast:       30 users, 3 features \(cart, catalog and payment\)
Root cause:  the flag new-pricing reads a table that is empty
Action:      fixed: flag new-pricing off
Resolution:  \d{4}-\d\d-\d\d \d\d:\d\d UTC, took \d+ min
Sentry:      [\d,]+ / 0 events a minute before / after

Linear:      http\S+ENG-1
Post-mortem: ADR-0001

Action items: 2 \(tests:1, monitors:1, gates:0\)
"""
)
"""The exact layout of the workflow's reconciliation."""
PARTS = {
    "monitoring": "No alert watches pricing.",
    "tests": "No test runs with the flag on.",
    "item_1": "pricing with an empty table",
    "incident.item.owner.1": "U0BOB",
    "incident.item.due.1": "2027-01-31",
    "item_2": "alert on empty price tables",
    "item_3": "",
    "revisit": "When both are done.",
}


async def fixed(person: Person, channel: Channel, sentence: str) -> None:
    await person.command(f"/incident fixed {sentence}", channel)
    await person.workspace.until(
        lambda: f"fixed another way: {sentence}" in status(channel), what="it is pinned"
    )


async def test_a_person_looks_before_a_look_is_due(looks_on_request: World):
    world, alice = looks_on_request, looks_on_request.alice
    burn(world)
    channel = await declared(alice, "checkout is failing")
    await alice.command("/incident recheck", channel)
    await ephemeral_with(alice, "nothing to check")
    await fixed(alice, channel, "flag new-pricing off")
    await eventually(world, lambda: "Checking" in status(channel), "the pinned status")
    await alice.command("/incident recheck", channel)
    await alice.sees("*Checked.*", channel)
    assert "Checking" in status(channel), "one look is no verdict"


async def test_fixed_another_way_understood_written_down_and_remembered(small: World):
    world, alice = small, small.alice
    burn(world)
    channel = await declared(alice, "checkout is failing")
    await alice.command("/incident postmortem", channel)
    await ephemeral_with(alice, "once the bleeding has stopped")
    await fixed(alice, channel, "flag new-pricing off")
    message = await alice.sees("*Recovered.*", channel)
    assert "events a minute" in plain(message), "the rate before and after"
    assert re.search(r"where up to 3 are normal, about \d+ if nothing had changed", plain(message))
    chart = next(b["chart"] for b in message["blocks"] if b["type"] == "data_visualization")
    drawn = [f"{point['value']:g}" for point in chart["series"][0]["data"]]
    assert chart["axis_config"]["categories"][-1].endswith((" recovered", " E"))
    assert all(number in message["text"] for number in drawn), (
        "for notifications and screen readers"
    )

    # Not over before somebody understands why: what is missing, with the forms that bring it.
    await alice.command("/incident resolve", channel)
    refused = await ephemeral_with(alice, "cannot be resolved yet")
    for lacking in ("cause", "post-mortem"):
        assert lacking in plain(refused).lower()
    await alice.click(refused, "incident.cause")
    form = await alice.open_modal("incident.cause")
    await alice.submit(form, {"text": "the flag new-pricing reads a table that is empty"})
    await eventually(world, lambda: "*Root cause*" in status(channel), "the cause is pinned")
    await alice.command("/incident resolve", channel)
    refused = await ephemeral_with(alice, "cannot be resolved yet", after=refused["ts"])
    assert "cause" not in plain(refused).lower().split("missing:")[1]

    await alice.click(refused, "incident.postmortem")
    form = await alice.open_modal("incident.postmortem", text="Root cause")
    await alice.submit(form, {**PARTS, "item_1": "", "item_2": "todo"})
    assert "item_1" in alice.errors(form), "one action item at least"
    await alice.submit(form, PARTS)
    summary = plain(await alice.sees("PRODUCTION INCIDENT —", channel))
    assert SUMMARY.search(summary), summary
    written = next((world.folder / "adr").glob("0001-*.md")).read_text()
    for name, part in PARTS.items():
        assert name.startswith("incident.item.owner") or part in written
    assert "(owner bob, due 2027-01-31)" in written
    assert "<@U" not in written
    assert f"bar [{', '.join(drawn)}]" in written.split("xychart-beta")[1], "the same picture"
    await eventually(
        world,
        lambda: [i for i in world.linear.issues if i.state.type == "completed"],
        "the ticket is closed",
    )
    await eventually(world, lambda: "Resolved" in status(channel), "the pinned status")

    # The next one on this service hears of it at triage.
    world.sentry.load(
        "ValueError: price",
        times=20,
        every=0.2,
        users=["id:1"],
        transaction="/pay",
        release="shop@1.3.0",
    )
    second = await declared(alice, "prices are odd", "inc-0002-")
    decision = await alice.sees("Decision 1", second)
    past = plain(await alice.sees_change(decision, "INC-0001"))
    assert "the flag new-pricing reads a table that is empty" in past
    assert "flag new-pricing off" in past


async def test_not_recovered_is_paged_and_decided_again(small: World):
    world, alice = small, small.alice
    burn(world)
    channel = await declared(alice, "checkout is failing")
    decision = await alice.sees("Recommended: roll back", channel)
    await eventually(world, lambda: world.pagerduty.events, "a SEV1 is paged")
    go_on_burning(world)
    await alice.click(decision, "decision.rollback")
    await alice.sees("Deployed: 1.3.0 → 1.2.0", channel)
    again = await alice.sees("Decision 2", channel)
    assert "rollback to 1.2.0 did not help" in plain(again)
    assert "events" in plain(again)
    await eventually(
        world,
        lambda: any("did not help" in e.summary for e in world.pagerduty.events),
        "people are paged again",
    )
    await alice.sees_change(decision, "Not recovered: a new decision is open")
    await eventually(world, lambda: "To decide" in status(channel), "the pinned status")
    opened = await ticket(world)
    await eventually(
        world,
        lambda: any("did not help" in c.body for c in world.linear.comments_on(opened)),
        "the ticket follows",
    )
    # The action that was tried is not recommended again.
    measured = plain(await alice.sees_change(again, "Recommended"))
    assert "Recommended: roll back" not in measured


async def test_not_measured_a_person_confirms_by_name(small: World):
    world, alice, bob = small, small.alice, small.bob
    burn(world)
    channel = await declared(alice, "checkout is failing")
    world.faults.always("sentry.*", Fault(status=503))
    await fixed(alice, channel, "cache cleared")
    unseen = plain(await alice.sees("Not checked yet.", channel))
    assert "recovered" not in unseen.lower()
    asked = await alice.sees("Does it work for users again?", channel)
    assert "I cannot tell" in plain(asked)
    bob.join(channel)
    await bob.click(asked, "incident.recovered")
    confirmed = plain(await bob.sees("*Recovered.*", channel))
    assert bob.mention in confirmed
    assert "not measured" in confirmed
    await alice.click(asked, "incident.not_recovered")
    await ephemeral_with(alice, "That question is answered")
    assert len(messages_with(alice, channel, "*Recovered.*")) == 1
    world.faults.clear()

    # The same issue after recovery opens it again, by itself.
    await bob.command("/incident status", channel)
    await ephemeral_with(bob, "confirmed by a person")
    await eventually(world, lambda: "Users are fine" in status(channel), "the pinned status")
    go_on_burning(world, seconds=2)
    event = world.sentry.events[-1]
    assert (await world.alerts.event_alert(event)).status == 200
    again = await alice.sees("Decision 2", channel)
    assert "it is back" in plain(again).lower()
    await eventually(
        world, lambda: any("it is back" in e.summary for e in world.pagerduty.events), "paged"
    )
    await eventually(world, lambda: "To decide" in status(channel), "the pinned status, again")


async def test_a_workspace_without_charts_gets_the_same_numbers_in_words(small: World):
    world, alice = small, small.alice
    world.workspace.rich_blocks = False
    burn(world)
    channel = await declared(alice, "checkout is failing")
    decision = await alice.sees("Recommended: roll back", channel)
    await alice.click(decision, "decision.rollback")
    message = await alice.sees("*Recovered.*", channel)
    assert [b["type"] for b in message["blocks"]] == [
        "section",
        "context",
        "context",
        "context",
        "actions",
    ]
    assert re.search(
        r"Events a minute, each for 10 s: .*\[alert\].*\[rollback to 1\.2\.0\].*\[recovered\]",
        plain(message),
    )
    tried = [c for c in world.workspace.calls if "data_visualization" in str(c.args)]
    assert [c.answer.get("error") for c in tried] == ["invalid_blocks"], "once: it is remembered"
    assert len(messages_with(alice, channel, "*Recovered.*")) == 1
