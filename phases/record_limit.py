"""Holds a record under its limit. First goes what stands in the thread anyway.

A record over the limit could not be written, and then nobody could act on the incident: so this
always ends small enough. What people need to go on is never cut.
"""

from typing import Any

from phases.failures import kept
from phases.postmortem.form_parts import OPTIONAL
from phases.record.documents import IN_THE_ADR
from phases.record.incident import RECORD_LIMIT_BYTES, Incident, Round, as_json
from phases.record.shortening import shortened
from phases.root_cause.hypotheses import best_hypotheses
from phases.shared.change import Draft
from phases.text.wording import short

STEPS = ((400, 12), (160, 6), (80, 3), (60, 1))
"""Characters of a text, entries of a list."""


def fit(draft: Draft) -> None:
    """Make the record fit its limit (rules: Size and memory).

    Each cut is made only if the one before was not enough.
    """
    if draft.incident is draft.before:
        return
    incident = draft.incident
    record = as_json(incident)
    for step in (None, *STEPS):
        if len(record.encode()) <= RECORD_LIMIT_BYTES:
            break
        fields = _smaller(incident, *step) if step else _told_elsewhere(incident)
        incident = incident.model_copy(update=fields)
        record = as_json(incident)
    draft.incident, draft.written = incident, (incident, record)


def _told_elsewhere(incident: Incident) -> dict[str, Any]:
    """Drop what the thread shows (the walk, the output of earlier deploys) or the ADR has."""
    before, current = incident.rounds[:-1], incident.rounds[-1:]
    fields: dict[str, Any] = {"rounds": (*map(_without_output, before), *current)}
    if incident.investigation is not None:
        slim = {"walk": (), "hypotheses": (), "suspects": ()}
        fields["investigation"] = incident.investigation.model_copy(update=slim)
    if incident.triage is not None:
        slim = {"frames": (), "issues": incident.triage.issues[:5]}
        fields["triage"] = incident.triage.model_copy(update=slim)
    if incident.postmortem is not None and incident.adr is not None:
        parts: dict[str, Any] = dict.fromkeys(("timeline", "monitoring", "tests"), IN_THE_ADR)
        parts |= {name: IN_THE_ADR for name in OPTIONAL if getattr(incident.postmortem, name)}
        fields["postmortem"] = incident.postmortem.model_copy(update=parts)
    return fields


def _without_output(round: Round) -> Round:
    if round.action is None:
        return round
    return round.model_copy(update={"action": round.action.model_copy(update={"output": None})})


def _smaller(incident: Incident, characters: int, entries: int) -> dict[str, Any]:
    """Shorten findings; of what grows by itself the newest stays.

    Decisions, claims, proofs and the parts of a post-mortem that is not in the ADR stay whole.
    """
    report = incident.triage
    leading = {hypothesis.id for hypothesis in best_hypotheses(incident.hypotheses, 2 * entries)}
    rounds = incident.rounds[-max(entries, 3) :]
    fields: dict[str, Any] = {
        "description": short(incident.description, characters),
        "failures": kept(incident.failures, max(entries // 2, 1)),
        "rounds": tuple(
            _without_output(round).model_copy(
                update={"looks": round.looks[-max(entries // 3, 1) :]}
            )
            for round in rounds
        ),
        "heard": incident.heard[-entries:],
        "contradictions": tuple(
            contradiction.model_copy(update={"says": short(contradiction.says, characters)})
            for contradiction in incident.contradictions[: max(entries, 3)]
        ),
        "pins": dict(list(incident.pins.items())[-entries:]),
        "hypotheses": tuple(
            shortened(hypothesis, characters, entries)
            for hypothesis in incident.hypotheses
            if hypothesis.id in leading
        ),
        "suspects": tuple(
            shortened(suspect, characters, entries) for suspect in incident.suspects[:entries]
        ),
    }
    if incident.recollection is not None:
        fields["recollection"] = shortened(incident.recollection, characters, entries)
    if report is not None:
        # The ids of its issues are claims, and people decide by the other two.
        whole = {name: getattr(report, name) for name in ("issue_ids", "blast", "recommendation")}
        fields["triage"] = shortened(report, characters, entries).model_copy(update=whole)
    return fields
