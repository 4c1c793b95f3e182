"""An issue that a person or an ended archive opened again is no fire; one that burns is.

The local Sentry sends the webhooks, as the real one does: who did it, and which substatus.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.store.incident_store import Store
from sandbox.faults import Fault
from sandbox.sentry import shapes
from sandbox.sentry.models import Issue
from tests.support.worlds.handlers_world import House, house
from tests.support.worlds.sentry_world import World, world
from tests.support.worlds.webhook_bodies import event_alert

JANE = {"type": "user", "id": 7, "name": "Jane"}


@asynccontextmanager
async def shop(store: Store) -> AsyncIterator[tuple[World, House]]:
    """Its clock is that of this machine: what is fresh and what is old is judged by it."""
    async with world() as w, house(store, tracker=w.client) as home:
        w.local.clock = lambda: datetime.now(UTC).timestamp()
        yield w, home


def known(
    w: World, *, minutes: float, times: int = 1, since_days: float = 40, every: float = 1
) -> Issue:
    """An issue of long ago whose newest events are so many minutes old."""
    now = datetime.now(UTC)
    w.local.load("Oops: a", at=now - timedelta(days=since_days), function="f", transaction="/cart")
    [first, *_] = w.local.load(
        "Oops: a",
        at=now - timedelta(minutes=minutes),
        every=every,
        times=times,
        function="f",
        transaction="/cart",
    )
    return w.local.issues[first.issue_id]


async def unresolved(w: World, home: House, issue: Issue, **fields: Any) -> dict[str, Any]:
    """Sentry's webhook of today. Fields that are None are not sent, as by an older Sentry."""
    issue_fields = {**shapes.webhook_issue(w.local, issue), **fields}
    issue_fields = {name: value for name, value in issue_fields.items() if value is not None}
    actor = issue.by or {"type": "application", "id": "sentry", "name": "Sentry"}
    body = {
        "action": "unresolved",
        "actor": actor,
        "data": {"issue": issue_fields},
        "installation": {"uuid": "a8"},
    }
    answer = await home.sentry("issue", json.loads(json.dumps(body)))
    await home.idle()  # it may go on behind the answer
    assert answer.status_code in (200, 202)
    return answer.json()


@pytest.mark.parametrize("by", [JANE, None])
@pytest.mark.parametrize("substatus", ["ongoing", "escalating", "regressed", "new"])
async def test_an_issue_that_was_last_seen_nine_days_ago_is_no_fire(
    store: Store, by: dict[str, Any] | None, substatus: str
) -> None:
    async with shop(store) as (w, home):
        issue = known(w, minutes=9 * 1440)
        w.local.set_status(issue.id, "resolved")
        w.local.set_status(issue.id, "unresolved", substatus=substatus, by=by)
        assert await unresolved(w, home, issue) == {"incident": None}
        assert await home.count() == 0


async def test_a_bulk_un_resolve_by_a_person_opens_nothing_and_joins_no_open_incident(
    store: Store,
) -> None:
    async with shop(store) as (w, home):
        await home.sentry("event_alert", event_alert("77"))
        await home.idle()
        for number in range(12):
            [event] = w.local.load(
                f"Old: {number}",
                at=datetime.now(UTC) - timedelta(minutes=20),
                function=f"g{number}",
            )
            issue = w.local.issues[event.issue_id]
            w.local.set_status(issue.id, "resolved")
            w.local.set_status(issue.id, "unresolved", by=JANE)
            await unresolved(w, home, issue)
        assert await home.count() == 1
        assert (await home.newest()).seeds == ("77",)


@pytest.mark.parametrize(
    ("times", "every", "by", "substatus", "opened"),
    [
        (1, 1, JANE, None, 0),  # a person's click: it happens now and then
        (40, 1, JANE, None, 1),  # … or it burns
        (1, 1, None, "ongoing", 0),  # an archive that ran out, or another system's word
        (1, 1, None, "escalating", 0),
        (40, 1, None, "escalating", 1),
        (1, 1, None, "regressed", 1),  # Sentry's own word for a return
        (1, 1, None, "", 1),  # an older Sentry says nothing of it
    ],
)
async def test_a_fresh_one_is_looked_at_unless_sentry_calls_it_a_return(
    store: Store,
    times: int,
    every: float,
    by: dict[str, Any] | None,
    substatus: str | None,
    opened: int,
) -> None:
    async with shop(store) as (w, home):
        issue = known(w, minutes=2, times=times, every=every)
        w.local.set_status(issue.id, "resolved")
        w.local.set_status(issue.id, "unresolved", substatus=substatus or None, by=by)
        await unresolved(w, home, issue, **({"substatus": None} if substatus == "" else {}))
        assert await home.count() == opened


async def test_what_goes_on_as_it_has_for_weeks_is_no_fire_however_loud(store: Store) -> None:
    async with shop(store) as (w, home):
        issue = known(w, minutes=1000, times=1000, every=60)
        w.local.set_status(issue.id, "ignored")
        w.local.set_status(issue.id, "unresolved", by=JANE)
        await unresolved(w, home, issue)
        assert await home.count() == 0


@pytest.mark.parametrize(
    ("category", "kind"),
    [
        ("uptime", "uptime_domain_failure"),
        ("outage", "uptime_domain_failure"),
        ("cron", "monitor_check_in_failure"),
    ],
)
async def test_a_monitors_issue_has_no_errors_that_could_show_it_quiet(
    store: Store, category: str, kind: str
) -> None:
    """An archive that ran out while the site is down."""
    async with shop(store) as (w, home):
        issue = known(w, minutes=2)
        w.local.set_status(issue.id, "ignored")
        w.local.set_status(issue.id, "unresolved", substatus="escalating")
        await unresolved(w, home, issue, issueCategory=category, issueType=kind)
        assert await home.count() == 1


@pytest.mark.parametrize(
    ("fields", "actor"),
    [
        ({"lastSeen": ""}, None),
        ({"lastSeen": "a moment ago"}, None),
        ({"project": "shop"}, None),
        ({"title": {"text": "Oops"}, "level": ["error"], "web_url": 7}, None),
        ({}, "sentry"),
        ({}, []),
    ],
)
async def test_a_field_that_cannot_be_read_costs_no_alarm(
    store: Store, fields: dict[str, Any], actor: object
) -> None:
    async with shop(store) as (w, home):
        issue_fields = {**shapes.webhook_issue(w.local, known(w, minutes=2, times=40)), **fields}
        answer = await home.sentry(
            "issue", {"action": "created", "actor": actor, "data": {"issue": issue_fields}}
        )
        await home.idle()
        assert answer.status_code == 200
        assert await home.count() == 1


async def test_a_sentry_that_cannot_be_asked_keeps_no_alarm_back(store: Store) -> None:
    async with shop(store) as (w, home):
        issue = known(w, minutes=2)
        w.local.set_status(issue.id, "resolved")
        w.local.set_status(issue.id, "unresolved", by=JANE)
        w.faults.always("sentry.*", Fault(status=503))
        await unresolved(w, home, issue)
        assert await home.count() == 1


@pytest.mark.parametrize("resource", ["event_alert", "error"])
@pytest.mark.parametrize(("minutes", "opened"), [(9 * 1440, 0), (2, 1)])
async def test_an_alert_about_an_event_of_long_ago_is_looked_at(
    store: Store, resource: str, minutes: float, opened: int
) -> None:
    """A phone that was switched off for a week sends what it kept."""
    async with shop(store) as (w, home):
        issue = known(w, minutes=minutes)
        at = (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat()
        body = event_alert(str(issue.id), datetime=at)
        if resource == "error":
            body = {**body, "action": "created", "data": {"error": body["data"]["event"]}}
        await home.sentry(resource, body)
        assert await home.count() == opened
