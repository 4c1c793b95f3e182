"""The limit of a record's size: what stands in the thread goes first, what people need never.

A record over the limit could not be written, and then nobody could act on it. So this always ends
small enough.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from phases.failures import kept
from phases.record.documents import IN_THE_ADR
from phases.record.findings import Hypothesis
from phases.record.incident import RECORD_LIMIT_BYTES, Incident, Round, as_json
from phases.record.wording import short
from phases.root_cause.hypotheses import best
from phases.steps.change import Draft

Fields = dict[str, Any]


def fit(draft: Draft) -> None:
    """Make the record fit its limit (rules: Size and memory).

    Each cut is made only where the one before was not enough.
    """
    record = as_json(draft.incident)
    for cut in CUTS:
        if len(record.encode()) <= RECORD_LIMIT_BYTES:
            break
        draft.incident = draft.incident.model_copy(update=cut(draft.incident))
        record = as_json(draft.incident)
    draft.written = (draft.incident, record)


def _evidence(incident: Incident) -> Fields:
    """Cut what stands elsewhere: walk and output in the thread, the parts in the ADR."""
    fields: Fields = {"rounds": (*(_quiet(r) for r in incident.rounds[:-1]), *incident.rounds[-1:])}
    if incident.investigation is not None:
        slim = {"walk": (), "hypotheses": (), "suspects": ()}
        fields["investigation"] = incident.investigation.model_copy(update=slim)
    if incident.triage is not None:
        slim = {"frames": (), "issues": incident.triage.issues[:5]}
        fields["triage"] = incident.triage.model_copy(update=slim)
    if incident.postmortem is not None and incident.adr is not None:
        slim = {"timeline": IN_THE_ADR, "monitoring": IN_THE_ADR, "tests": IN_THE_ADR}
        fields["postmortem"] = incident.postmortem.model_copy(update=slim)
    return fields


def _history(incident: Incident) -> Fields:
    rounds = tuple(r.model_copy(update={"looks": r.looks[-2:]}) for r in incident.rounds[-8:])
    return {
        "failures": kept(incident.failures, 3),
        "rounds": rounds,
        "heard": incident.heard[-10:],
        "pins": dict(list(incident.pins.items())[-10:]),
    }


def _quiet(current: Round) -> Round:
    if current.action is None or current.action.output is None:
        return current
    quiet = current.action.model_copy(update={"output": None})
    return current.model_copy(update={"action": quiet})


def _tree(incident: Incident) -> Fields:
    reasons = [
        s.model_copy(update={"reasons": tuple(short(r, 120) for r in s.reasons[:2])})
        for s in incident.suspects
    ]
    return {"hypotheses": _shorter(incident, 6, 160), "suspects": tuple(reasons[:2])}


def _words(incident: Incident) -> Fields:
    fields: Fields = {"description": short(incident.description, 400), "past": incident.past[:1]}
    fields["rounds"] = tuple(_quiet(r) for r in incident.rounds)
    if incident.recollection is not None:
        lines = tuple(short(line, 200) for line in incident.recollection.lines[:3])
        fields["recollection"] = incident.recollection.model_copy(update={"lines": lines})
    if incident.triage is not None:
        issues = tuple(
            i.model_copy(update={"title": short(i.title, 80)}) for i in incident.triage.issues[:3]
        )
        notes = tuple(short(n, 160) for n in incident.triage.notes[:3])
        slim = {
            "issues": issues,
            "notes": notes,
            "deploys": incident.triage.deploys[:3],
            "frame": None,
        }
        fields["triage"] = incident.triage.model_copy(update=slim)
    return fields


def _last(incident: Incident) -> Fields:
    """Leave decisions, claims, proofs, and the parts of a post-mortem that is not written yet."""
    rounds = tuple(r.model_copy(update={"looks": r.looks[-1:]}) for r in incident.rounds[-3:])
    return {
        "hypotheses": _shorter(incident, 2, 60),
        "suspects": (),
        "failures": kept(incident.failures, 1),
        "rounds": rounds,
    }


def _shorter(incident: Incident, most: int, limit: int) -> tuple[Hypothesis, ...]:
    left = {hypothesis.id for hypothesis in best(incident.hypotheses, most)}
    return tuple(
        hypothesis.model_copy(
            update={
                "says": short(hypothesis.says, limit),
                "found": short(hypothesis.found, limit),
                "predicts": "",
                "check": "",
            }
        )
        for hypothesis in incident.hypotheses
        if hypothesis.id in left
    )


CUTS: tuple[Callable[[Incident], Fields], ...] = (_evidence, _history, _tree, _words, _last)
