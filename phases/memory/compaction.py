"""The record of an incident that has long been over: at most 4 KiB, and it still says how it went.

Kept are status, severity, people, times, actions with their proof, the cause, the action items,
ticket and ADR; so status, summary, proofs and durations are what they were. The timeline is a list
of its own and stays whole.
"""

from datetime import datetime
from typing import Any

from phases.messages.actions import ShrinkDue
from phases.postmortem.form_parts import OPTIONAL
from phases.record.documents import IN_THE_ADR, Postmortem
from phases.record.findings import Look
from phases.record.incident import VERIFIED, Incident, Round
from phases.record.shortening import fitted_into
from phases.root_cause.leading_cause import leading_cause
from phases.shared.change import Draft
from phases.shared.rounds import look_of_recovery

SHRINK = "shrink"  # timer
SHRINK_SECONDS = 30 * 24 * 3600  # rules: 30 days after *closed*
SHRUNK_LIMIT_BYTES = 4 * 1024  # rules: Size and memory
STEPS = ((400, 25), (120, 12), (80, 8), (40, 5), (20, 3), (8, 1))
"""Characters of a text, entries of a list."""
_EACH = "__all__"
_DROPPED: dict[str, Any] = {
    **dict.fromkeys(("description", "heard", "investigation", "suspects", "bisect", "left"), True),
    **dict.fromkeys(("paged", "latest_update", "pins", "zones", "failures"), True),
    "contradictions": True,
    "triage": {
        **dict.fromkeys(("issues", "deploys", "targets", "frames", "notes"), True),
        "blast": {"sentences"},
        "frame": {"in_app", "module", "context", "path", "of", "again"},
        "recommendation": {
            "reasons",
            "against",
            "brakes",
            "likely",
            "points_to",
            "points_away",
            "written",
            "takes_back",
            "offer_rollback",
            "suspect",
            "target",
            "loud",
        },
    },
    "recollection": {"lines"},
    "rounds": {
        _EACH: {
            "recommendation": True,
            "action": {"lines", "output"},
            "looks": {_EACH: {"new_issues", "reasons"}},
        }
    },
    "hypotheses": {_EACH: {"predicts", "check", "found"}},
    "postmortem": {"items": {_EACH: {"ticket", "reminded_on"}}},
}
"""Fields that stand in the thread or the ADR, or are needed no more."""


def shrink_due(draft: Draft, action: ShrinkDue) -> None:
    if draft.incident.status.over and draft.incident.shrunk_at is None:
        draft.incident = compacted(draft.incident, draft.now)


def compacted(incident: Incident, now: datetime) -> Incident:
    """Return the same incident in at most 4 KiB (as `as_json` writes it)."""
    best = leading_cause(incident).supported
    acted = [
        round.model_copy(update={"looks": _look_to_keep(round)})
        for round in incident.rounds
        if round.action is not None
    ]
    # Of one that never began nothing is proven, and it would hide the one before.
    began = [round for round in acted if round.action and round.action.began]
    rounds = began or acted
    messages = {n: r for n, r in incident.messages.items() if n in ("status", "announcement")}
    recollection = incident.recollection
    if recollection is not None:
        recollection = (
            recollection.model_copy(update={"told": True}) if recollection.pattern else None
        )
    left = incident.model_copy(
        update={
            "shrunk_at": now,
            "messages": messages,
            # The first decision and the last four: the durations, and what worked.
            "rounds": (*rounds[:1], *rounds[1:][-4:]),
            "hypotheses": (best,) if best else (),
            "recollection": recollection,
            "postmortem": incident.postmortem and _parts_in_adr(incident.postmortem, incident),
        }
    )
    fields = left.model_dump(exclude_defaults=True, exclude=_DROPPED)
    return fitted_into(
        Incident.model_validate(fields), SHRUNK_LIMIT_BYTES, STEPS, exclude_defaults=True
    )


def _look_to_keep(round: Round) -> tuple[Look, ...]:
    """Return the look that verified recovery; one that somebody asked for later proves none."""
    look = look_of_recovery(round) if round.verdict in VERIFIED else None
    return round.looks[-1:] if look is None else (look,)


def _parts_in_adr(written: Postmortem, incident: Incident) -> Postmortem:
    if incident.adr is None:
        return written
    parts = ("timeline", "impact", "root_cause", "monitoring", "tests", "revisit")
    more = tuple(name for name in OPTIONAL if getattr(written, name))
    return written.model_copy(update=dict.fromkeys((*parts, *more), IN_THE_ADR))
