"""What is left of the record of an incident that has long been over: at most 4 KiB, and it still says how it went.

Kept: status, severity, people, times, what was done with its proof, the cause, the action items, ticket and ADR; so that status,
summary, proofs and durations are what they were. The timeline is a list of its own and stays whole.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from phases.messages.actions import ShrinkDue
from phases.record.documents import ActionItem, Postmortem
from phases.record.findings import Cause, Frame, Recommendation, TriageReport, Verdict
from phases.record.incident import Incident, Round
from phases.record.wording import short
from phases.steps.change import Draft

SHRINK = "shrink"  # timer
SHRINK_SECONDS = 30 * 24 * 3600  # rules: 30 days after *closed*
SHRUNK_LIMIT_BYTES = 4 * 1024  # rules: Size and memory
IN_THE_ADR = "in the ADR"
_STEPS = ((160, 12), (80, 8), (40, 5), (20, 3), (8, 1))
"""Characters of a text, entries of a list: each only where the one before was not enough."""
_ABSURD = 200
_FIXED = frozenset(
    {
        "id",
        "ulid",
        "service",
        "environment",
        "identifier",
        "ts",
        "commit",
        "version",
        "url",
        "path",
        "by",
        "lead",
        "declared_by",
    }
    | {"merged", "invited", "issue_ids", "seeds", "rolled_back", "duplicate_of", "else_reason"}
)
_EXACT = frozenset(
    {
        "status",
        "kind",
        "result",
        "verdict",
        "choice",
        "users",
        "features",
        "confidence",
        "owner",
        "state",
    }
)


def shrink_due(draft: Draft, action: ShrinkDue) -> None:
    incident = draft.incident
    if not incident.status.over or incident.shrunk_at is not None:
        return
    draft.incident = shrunk(incident, draft.now)


def shrunk(incident: Incident, now: datetime) -> Incident:
    """The same incident in at most 4 KiB (as `size.as_json` writes it)."""
    small = _without_evidence(incident).model_copy(update={"shrunk_at": now})
    for limit, many in _STEPS:
        if _bytes(small) <= SHRUNK_LIMIT_BYTES:
            return small
        small = Incident.model_validate(
            _shorter(small.model_dump(mode="json", exclude_defaults=True), limit, many)
        )
    return small


def _bytes(incident: Incident) -> int:
    return len(incident.model_dump_json(exclude_defaults=True).encode())


def _without_evidence(incident: Incident) -> Incident:
    """What stands in the thread, the ADR or nowhere any more is not kept twice."""
    held = [one for one in incident.hypotheses if one.verdict is Verdict.SUPPORTED]
    best = max(held, key=lambda one: one.confidence, default=None)
    found = incident.recollection
    fields: dict[str, Any] = {
        "description": "",
        "messages": {
            name: ref
            for name, ref in incident.messages.items()
            if name in ("status", "announcement")
        },
        "heard": (),
        "seeds": incident.seeds[:10],
        "triage": _triage(incident.triage) if incident.triage else None,
        "past": (),
        "recollection": found.model_copy(update={"lines": (), "told": True})
        if found and found.pattern
        else None,
        "rounds": _rounds(incident),
        "investigation": None,
        "hypotheses": (best.model_copy(update={"predicts": "", "check": "", "found": ""}),)
        if best
        else (),
        "suspects": (),
        "bisect": None,
        "cause": _cause(incident.cause) if incident.cause else None,
        "paged": (),
        "postmortem": _postmortem(incident) if incident.postmortem else None,
        "latest_update": None,
        "pins": {},
        "zones": {},
        "failures": (),
    }
    return incident.model_copy(update=fields)


def _triage(report: TriageReport) -> TriageReport:
    blast = report.blast
    few = {
        "sentences": (),
        "top_features": blast.top_features[:5],
        "regions": blast.regions[:3],
        "organisations": blast.organisations[:3],
    }
    frame = report.frame
    fields: dict[str, Any] = {
        "blast": blast.model_copy(update=few),
        "issues": (),
        "issue_ids": report.issue_ids[:10],
        "deploys": (),
        "targets": (),
        "frame": Frame(file=frame.file, function=frame.function, line=frame.line)
        if frame
        else None,
        "frames": (),
        "recommendation": Recommendation(choice=report.recommendation.choice),
        "notes": (),
    }
    return report.model_copy(update=fields)


def _rounds(incident: Incident) -> tuple[Round, ...]:
    """The first decision and the last four: from when to when it took, and what worked."""
    acted = [one for one in incident.rounds if one.action is not None]
    return tuple(_round(one) for one in dict.fromkeys((*acted[:1], *acted[-4:])))


def _round(one: Round) -> Round:
    action = one.action
    quiet = {"lines": (), "output": None, "reason": short(action.reason, 80)} if action else {}
    looks = tuple(
        look.model_copy(update={"new_issues": (), "reasons": ()}) for look in one.looks[-1:]
    )
    fields: dict[str, Any] = {
        "why": short(one.why, 80),
        "recommendation": None,
        "action": action.model_copy(update=quiet) if action else None,
        "looks": looks,
    }
    return one.model_copy(update=fields)


def _cause(cause: Cause) -> Cause:
    evidence = tuple(short(one, 40) for one in cause.evidence)
    return cause.model_copy(update={"text": short(cause.text, 400), "evidence": evidence})


def _postmortem(incident: Incident) -> Postmortem:
    written = incident.postmortem
    assert written is not None
    parts = ("timeline", "impact", "root_cause", "monitoring", "tests", "revisit")
    fields: dict[str, Any] = {
        name: IN_THE_ADR if incident.adr else short(getattr(written, name), 120) for name in parts
    }
    return written.model_copy(
        update={**fields, "items": tuple(_item(one) for one in written.items)}
    )


def _item(item: ActionItem) -> ActionItem:
    fields: dict[str, Any] = {
        "text": short(item.text, 80),
        "owner": item.owner[:60],
        "ticket": None,
        "reminded_on": None,
    }
    return item.model_copy(update=fields)


def _shorter(thing: Any, limit: int, many: int, name: str = "") -> Any:
    """Every free text shorter, every list with fewer entries; names, ids, times and links stay, unless they are absurdly long."""
    if isinstance(thing, str):
        fixed = name in _FIXED or name in _EXACT or name.endswith(("_at", "_by")) or name == "at"
        return short(thing, _ABSURD if fixed else limit)
    if isinstance(thing, list):
        most = len(thing) if name == "merged" else many  # pyright: ignore[reportUnknownArgumentType]
        return [_shorter(one, limit, many, name) for one in thing[:most]]  # pyright: ignore[reportUnknownVariableType,reportUnknownArgumentType]
    if isinstance(thing, dict):
        return {key: _shorter(value, limit, many, key) for key, value in thing.items()}  # pyright: ignore[reportUnknownVariableType,reportUnknownArgumentType]
    return thing
