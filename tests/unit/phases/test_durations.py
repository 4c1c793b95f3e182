"""Times to detect, decide, act and recover.

Each comes from the record, and is None if it has not happened.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from phases.record.durations import Durations, durations
from phases.record.incident import ActionKind, Round, RoundAction
from tests.support.values import incidents


def acted(number: int, at: float, **changes: Any) -> Round:
    action = RoundAction(kind=ActionKind.ROLLBACK, by="UANN", at=incidents.minute(at), **changes)
    return Round(number=number, opened_at=incidents.minute(at - 1), why="triage", action=action)


def test_all_four_parts() -> None:
    rounds = (acted(1, 3, result="done", finished_at=incidents.minute(5.5)),)
    assert durations(incidents.incident(rounds=rounds)) == Durations(
        to_detect=timedelta(minutes=4),
        to_decide=timedelta(minutes=3),
        to_act=timedelta(minutes=2.5),
        to_recover=timedelta(minutes=16.5),
    )


def test_a_deploy_that_failed_counts_as_time_until_one_is_done() -> None:
    rounds = (
        acted(1, 3, result="failed", finished_at=incidents.minute(6)),
        Round(
            number=2, opened_at=incidents.minute(6), why="the deploy failed", investigate_by="UANN"
        ),
        acted(3, 8, result="done", finished_at=incidents.minute(9)),
    )
    parts = durations(incidents.incident(rounds=rounds))
    assert (parts.to_decide, parts.to_act) == (timedelta(minutes=3), timedelta(minutes=6))


def test_what_has_not_happened_has_no_duration() -> None:
    waiting = durations(incidents.incident(triage=None, rounds=(acted(1, 3),), recovered_at=None))
    assert waiting == Durations(to_decide=timedelta(minutes=3))
    assert durations(incidents.incident(triage=None, rounds=(), recovered_at=None)) == Durations()


def test_what_people_reported_has_no_measured_beginning() -> None:
    assert (
        durations(incidents.incident(triage=incidents.report(manual_by="UANN"))).to_detect is None
    )


def test_declared_before_its_first_event_took_no_time_to_detect() -> None:
    early = incidents.report(began_at=incidents.minute(2))
    assert durations(incidents.incident(triage=early)).to_detect == timedelta()
