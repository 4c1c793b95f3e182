"""A storm of hundreds of alerts makes one incident.

The later ones are its evidence, and clicks are heard meanwhile.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox.sentry.events import Event
from sandbox.slack.people import plain
from sandbox.world import World
from tests.support.bots.stage import (
    PEOPLE,
    SHOP,
    burn,
    eventually,
    everything,
    incidents,
    messages_with,
    town,
    transcript,
)

PAYMENTS = """
[services.payments]
sentry = ["payments"]
"""
ALERTS = 1000
AT_ONCE = 25
"""Sentry sends from many workers."""


@pytest.fixture
async def depending(tmp_path: Path) -> AsyncIterator[World]:
    """The shop depends on payments."""
    services = (
        SHOP.replace('sentry = ["shop"]', 'sentry = ["shop"]\ndepends_on = ["payments"]', 1)
        + PAYMENTS
    )
    world = town(tmp_path, services=services)
    world.sentry.add_project("payments")
    async with world:
        try:
            yield world
        finally:
            print(transcript(world))


async def storm(world: World, events: list[Event]) -> list[int | None]:
    """Every event's alert, so many at once; the answers' statuses."""
    room = asyncio.Semaphore(AT_ONCE)

    async def send(event: Event) -> int | None:
        async with room:
            return (await world.alerts.event_alert(event)).status

    return await asyncio.gather(*(send(event) for event in events))


def issues(world: World, count: int, *, project: str = "shop", each: int = ALERTS) -> list[Event]:
    events: list[Event] = []
    for n in range(count):
        events += world.sentry.load(
            f"KeyError: 'region {n}'",
            at=time.time() - 30,
            every=25 / (each // count),
            times=each // count,
            users=PEOPLE,
            function=f"view_{n}",
            transaction=("/", "/cart", "/pay")[n % 3],
            release="shop@1.3.0",
            project=project,
        )
    return events


async def test_a_thousand_alerts_of_one_issue_are_one_incident_and_a_click_is_heard_meanwhile(
    small: World,
):
    world, alice = small, small.alice
    burn(world)
    telling = asyncio.create_task(storm(world, issues(world, 1)))
    channel = await alice.channel("inc-0001-")
    decision = await alice.sees("Recommended: roll back", channel)
    await alice.click(decision, "decision.investigate")
    await alice.sees_change(decision, "chose to investigate first")
    answers = await telling
    assert set(answers) <= {200, 202}, "none was lost"
    assert len(incidents(world)) == 1
    alerts = messages_with(alice, channel, "Sentry alert")
    assert len(alerts) <= 3, [plain(m) for m in alerts]
    assert len(everything(alice, channel)) < 20
    assert len(world.pagerduty.events) == 1


async def test_a_thousand_alerts_of_five_issues_are_one_incident_that_knows_them_all(small: World):
    world, alice = small, small.alice
    events = issues(world, 5)
    answers = await storm(world, events)
    assert set(answers) <= {200, 202}
    channel = await alice.channel("inc-0001-")
    assert len(incidents(world)) == 1
    decision = await alice.sees("Recommended: roll back", channel)
    names = {world.sentry.issues[event.issue_id].short_id for event in events}
    assert len(names) == 5

    def all_named() -> bool:
        text = "\n".join(plain(m) for m in everything(alice, channel)) + str(alice.now(decision))
        return all(f"region {n}" in text for n in range(5))

    await eventually(world, all_named, "each issue is named")
    assert len(incidents(world)) == 1


async def test_a_dependencys_alerts_join_the_incident_of_who_depends_on_it(depending: World):
    world, alice = depending, depending.alice
    burn(world)
    assert (await world.alerts.event_alert(world.sentry.events[-1])).status == 200
    channel = await alice.channel("inc-0001-")
    decision = await alice.sees("Decision 1", channel)

    answers = await storm(world, issues(world, 1, project="payments", each=200))
    assert set(answers) <= {200, 202}
    assert len(incidents(world)) == 1, "one fire"
    # The bot's own check may find the issue before its first alert, and then the alert is no news.
    await alice.sees_change(decision, "PAYMENTS-1")

    # With nothing open that depends on it, it has an incident of its own.
    await alice.command("/incident cancel a load test", channel)
    await eventually(
        world, lambda: messages_with(alice, channel, "was cancelled"), "the first is over"
    )
    later = issues(world, 1, project="payments", each=1)
    assert (await world.alerts.event_alert(later[0])).status == 200
    other = await alice.channel("inc-0002-")
    await alice.sees("Decision 1", other)
