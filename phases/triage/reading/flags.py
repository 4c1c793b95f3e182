"""Phase 1: which events carry the flag that was changed, and what that says of a rollback."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from phases.ports.tracker_values import EventDetail
from phases.record.changes import ChangeSeen, FlagEvidence
from phases.record.findings import IssueSeen
from phases.shared.suspected_changes import change_in_words, changes_near, turned_off
from phases.triage.rollback.situation import OtherChange, Situation


def flag_asked_about(changes: Sequence[ChangeSeen], began: datetime | None) -> ChangeSeen | None:
    """Return the flag that was changed last before the beginning."""
    flags = (c for c in changes_near(changes, began) if c.kind == "flag" and not turned_off(c))
    return next(flags, None)


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
    on = off_ = events = 0
    for issue in issues:
        without, all_ = off.get(issue.id, (0, issue.events))
        events += all_
        off_ += without
        on += all_ - without if event.flags.get(flag.name) or issue.id in off else 0
    own = {issue.id for issue in issues}
    others = [counts for id, counts in off.items() if id not in own]
    return FlagEvidence(
        flag=flag.name,
        on=on,
        off=off_,
        events=events,
        others_on=sum(all_ - without for without, all_ in others),
        others=sum(all_ for _, all_ in others),
    )


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
