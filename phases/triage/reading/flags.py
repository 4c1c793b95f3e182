"""Phase 1: which events carry the flag that was changed, and what that says of a rollback."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from phases.ports.tracker_values import EventDetail
from phases.record.changes import ChangeSeen, FlagEvidence
from phases.record.findings import IssueSeen
<<<<<<< HEAD
from phases.shared.suspected_changes import near, said, turned_off
=======
from phases.shared.suspected_changes import (
    EVENTS,
    change_in_words,
    changes_near,
    sum_up_evidence,
    turned_off,
)
>>>>>>> main
from phases.triage.going_back.situation import OtherChange, Situation


<<<<<<< HEAD
def flag_asked_about(changes: Sequence[ChangeSeen], began: datetime | None) -> ChangeSeen | None:
    """Return the flag that was changed last before the beginning."""
    flags = (c for c in near(changes, began) if c.kind == "flag" and not turned_off(c))
    return next(flags, None)
=======
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
>>>>>>> main


def flag_evidence(
    flag: ChangeSeen | None,
    off: Mapping[str, tuple[int, int]],
    issues: Sequence[IssueSeen],
    event: EventDetail | None,
) -> FlagEvidence | None:
    """Return the counts of the flag; None where the SDK tells of none.

    An SDK that tells of flags tells of each that was asked for on the way to the error. So where
    the newest event has it on, so have those of the incident that do not have it off; issues that
    never have it off may not ask for it, and of the others they tell nothing.
    """
    if flag is None or event is None or not event.flags:
        return None
<<<<<<< HEAD
    on = events = 0
    for issue in issues:
        without, all_ = off.get(issue.id, (0, issue.events))
        events += all_
        on += all_ - without if event.flags.get(flag.name) or issue.id in off else 0
    own = {issue.id for issue in issues}
    others = [counts for id, counts in off.items() if id not in own]
    return FlagEvidence(
        flag=flag.name,
        on=on,
        events=events,
        others_on=sum(all_ - without for without, all_ in others),
        others=sum(all_ for _, all_ in others),
    )
=======
    flag, by_issue = carried
    counts = {row.id: row.events for row in rows}
    # An SDK that tells of flags tells of each that was asked for on the way to the error.
    evaluated = event is not None and bool(event.flags)
    return sum_up_evidence(flag.name, by_issue, counts, own, evaluated=evaluated)
>>>>>>> main


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
