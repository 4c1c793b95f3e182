"""Phase 1: which events carry the flag that was changed, and what that says of a rollback."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from phases.ports.tracker_values import EventDetail, IssuePage, IssueRow
from phases.record.changes import ChangeSeen, FlagEvidence
from phases.record.findings import IssueSeen
from phases.shared.suspected_changes import (
    EVENTS,
    change_in_words,
    changes_near,
    sum_up_evidence,
    turned_off,
)
from phases.triage.going_back.situation import OtherChange, Situation
from phases.triage.reading.questions import Questions


class Trouble(Protocol):
    """The incident's issues beside all that are listed."""

    @property
    def issues(self) -> Sequence[IssueSeen]: ...
    @property
    def about(self) -> datetime | None:
        """When they began, about."""
        ...

    @property
    def others(self) -> int:
        """Events of the other issues."""
        ...


Carried = tuple[ChangeSeen, Mapping[str, tuple[int, int]]]
"""A flag, and by issue its events with the flag on and all its events."""


async def events_with_flag(
    ask: Questions,
    page: IssuePage,
    changes: Sequence[ChangeSeen],
    trouble: Trouble,
) -> Carried | None:
    """Third: ask which events carry the flag that was changed last before the beginning.

    A search lists 100 issues: beside more of them it would tell of a part. Which other issues have
    the flag off is asked where they have enough events to tell anything.
    """
    flags = (
        c for c in changes_near(changes, trouble.about) if c.kind == "flag" and not turned_off(c)
    )
    flag = next(flags, None)
    if flag is None or not trouble.issues or page.next is not None:
        return None
    return flag, await ask.carried(flag, off=trouble.others >= EVENTS)


def flag_evidence(
    carried: Carried | None,
    rows: Sequence[IssueRow],
    own: Collection[str],
    event: EventDetail | None,
) -> FlagEvidence | None:
    """Return the counts of the flag; None where it was not asked for, or is not told to Sentry."""
    if carried is None:
        return None
    flag, by_issue = carried
    counts = {row.id: row.events for row in rows}
    # An SDK that tells of flags tells of each that was asked for on the way to the error.
    evaluated = event is not None and bool(event.flags)
    return sum_up_evidence(flag.name, by_issue, counts, own, evaluated=evaluated)


def with_changes(
    situation: Situation, changes: tuple[ChangeSeen, ...], counts: FlagEvidence | None
) -> Situation:
    """Return the situation with its changes, the suspected one on the scales of the rollback."""
    situation = replace(situation, changes=changes, flag_evidence=counts)
    if situation.change is None:
        return situation
    change = situation.change.change
    return replace(
        situation, other_changes=(OtherChange(what=change_in_words(change), at=change.at),)
    )
