"""A fire of few events beside old errors that always come: it has its own beginning and stack."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from phases.ports.tracker_values import IssueRow, Minutes
from phases.record.findings import IssueSeen
from phases.triage.picture.beginning import beginning
from phases.triage.picture.blast_radius import events_beyond_usual, incident_issues
from phases.triage.picture.false_alarms import TransactionFailures, renamed_transactions
from phases.triage.picture.fire import DAY, Fire
from tests.support.worlds.sentry_world import NOW, ago

WINDOW = timedelta(minutes=15)
SINCE = NOW - WINDOW


def issue_seen(name: str, first: datetime, events: int, usual: float = 0.0) -> IssueSeen:
    return IssueSeen(
        id=name,
        short_id=name,
        title=name,
        first_seen=first,
        events=events,
        baseline_per_minute=usual,
        burns=True,
        new=first > ago(60),
        spiking=events >= 10 and events / 15 >= 3 * usual,
    )


def row(name: str, first: datetime, events: int, before: int) -> IssueRow:
    return IssueRow(
        id=name,
        short_id=name,
        title=name,
        url=None,
        project="shop",
        level="error",
        first_seen=first,
        events=events,
        events_before=before,
        minutes_before=1440.0,
    )


NOISE = issue_seen("old", ago(4000), 75, usual=5.0)
FRESH = issue_seen("new", ago(7), 15)
MINUTES = Minutes(counts={ago(n): 7 if n < 7 else 5 for n in range(1440)})


def test_what_spikes_by_itself_tells_the_beginning_where_no_minute_is_loud() -> None:
    assert beginning((NOISE, FRESH), None, MINUTES, SINCE) == ago(7)


def test_old_noise_alone_has_no_beginning() -> None:
    assert beginning((NOISE,), None, MINUTES, SINCE) is None


def test_the_issue_with_the_most_events_beyond_its_usual_ones_comes_first() -> None:
    rows = (row("old", ago(4000), 75, 7200), row("new", ago(7), 15, 0))
    issues = incident_issues(rows, NOW, WINDOW, ("old",), Fire(ago(60)))
    assert [issue.id for issue in issues] == ["new", "old"]


@given(st.integers(0, 500), st.floats(0, 40))
def test_beyond_its_usual_ones_is_no_more_than_all(events: int, usual: float) -> None:
    assert events_beyond_usual(issue_seen("x", ago(DAY.days), events, usual), WINDOW) <= events


def failures(fire: int, before: int) -> TransactionFailures:
    """Failures of one page since 15 minutes, and in the hour before; the old title is silent."""
    return TransactionFailures(
        fire={"/cart": fire}, others={}, before={"/cart": before}, minutes=15.0
    )


def test_as_many_under_another_title_are_not_new() -> None:
    assert renamed_transactions(failures(10, 40)) == {"/cart"}
    assert renamed_transactions(failures(19, 40)) == {"/cart"}


def test_plainly_more_than_before_are_new_though_chance_could_bring_them() -> None:
    assert renamed_transactions(failures(31, 40)) == set()
