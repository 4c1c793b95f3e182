"""Phase 1: which events carry the flag that was changed, and what that says of a rollback."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from phases.ports.tracker_values import Carried, EventDetail, OtherErrors
from phases.record.changes import ChangeSeen, FlagEvidence
from phases.shared.suspected_changes import near, said, turned_off
from phases.triage.going_back.situation import OtherChange, Situation


def flag_asked_about(changes: Sequence[ChangeSeen], began: datetime | None) -> ChangeSeen | None:
    """Return the flag that was changed last before the beginning."""
    flags = (c for c in near(changes, began) if c.kind == "flag" and not turned_off(c))
    return next(flags, None)


def flag_evidence(
    flag: ChangeSeen | None, own: Carried, others: OtherErrors, event: EventDetail | None
) -> FlagEvidence | None:
    """Return the counts of the flag; None where they say nothing.

    Where no event carries it, the flag may not be told to Sentry at all, unless the newest event
    tells which flags were evaluated: an SDK tells of each that was asked for on the way to it.
    """
    evaluated = event is not None and bool(event.flags)
    if flag is None or not own.events or not (evaluated or own.on or others.on):
        return None
    return FlagEvidence(
        flag=flag.name, on=own.on, events=own.events, others_on=others.on, others=others.asked
    )


def with_changes(
    situation: Situation, changes: tuple[ChangeSeen, ...], counts: FlagEvidence | None
) -> Situation:
    """Return the situation with its changes, the suspected one on the scales of the rollback."""
    situation = replace(situation, changes=changes, flag_evidence=counts)
    if situation.change is None:
        return situation
    change = situation.change.change
    return replace(situation, other_changes=(OtherChange(what=said(change), at=change.at),))
