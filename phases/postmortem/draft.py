"""Phase 6, what the form proposes: facts of the record and of what was looked up since. What only people know is left to them.

A proposed answer to a "why" states what is known and ends in `because …`: it is refused until a person has finished it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from phases.postmortem.adr import users_hit
from phases.postmortem.contributing_factors import Hindsight, alerted, how_it_passed
from phases.postmortem.gate import IMPACT_LIMIT, ITEM_LIMIT, PART_LIMIT, UNFINISHED, Parts
from phases.record.documents import IN_THE_ADR, ActionItem, Postmortem
from phases.record.findings import Hypothesis, Verdict
from phases.record.incident import Entry, Incident
from phases.record.markdown import Names, readable
from phases.record.text import cut
from phases.record.timeline import line
from phases.record.wording import lasting, listed, stamp

DUE_DAYS = 14
"""An action item is proposed for two weeks after."""

_LEFT_OUT_FIRST = (
    ("evidence", "comms"),
    ("note", "update", "severity", "lead"),
    ("check", "page", "failure"),
)


def draft(
    incident: Incident,
    entries: Sequence[Entry],
    now: datetime,
    names: Names | None = None,
    found: Hindsight | None = None,
) -> Parts:
    """What is known, as a first draft. `found`: what was looked up when the form was opened."""
    names, found = names or {}, found or Hindsight()
    monitoring = f"{alerted(incident, entries)} It was not caught earlier {UNFINISHED}"
    slipped = f"{how_it_passed(incident, found)} It slipped through {UNFINISHED}".strip()
    fresh = Parts(
        timeline=_timeline(entries, names),
        impact=cut(readable(impact(incident, found.users), names), IMPACT_LIMIT),
        root_cause=cut(readable(_cause(incident), names), PART_LIMIT),
        monitoring=cut(readable(monitoring, names), PART_LIMIT),
        tests=cut(readable(slipped, names), PART_LIMIT),
        items=_items(incident, now),
        revisit="When the action items are complete.",
    )
    return (
        _again(fresh, incident.postmortem) if incident.rewriting and incident.postmortem else fresh
    )


def _again(fresh: Parts, before: Postmortem) -> Parts:
    """Of an incident that went on after its post-mortem: what was said then, beside what has happened since."""
    kept = {
        name: getattr(before, name) for name in ("root_cause", "monitoring", "tests", "revisit")
    }
    said = {name: text for name, text in kept.items() if text and text != IN_THE_ADR}
    return fresh.model_copy(update={**said, "items": before.items or fresh.items})


def _timeline(entries: Sequence[Entry], names: Names) -> str:
    """Alert → triage → action → resolve (workflow, phase 4). What matters least is left out where it gets too long."""
    kept = sorted(entries, key=lambda entry: entry.at)
    left_out, text = 0, ""
    for kinds in ((), *_LEFT_OUT_FIRST):
        fewer = [entry for entry in kept if entry.kind not in kinds]
        left_out += len(kept) - len(fewer)
        kept = fewer
        lines = [
            f"{stamp(e.at)}  {cut(' '.join(readable(line(e), names).split()), 200)}" for e in kept
        ]
        if left_out:
            lines.append(f"({left_out} smaller entries left out; the file lists them all)")
        text = "\n".join(lines)
        if len(text) <= PART_LIMIT:
            break
    return cut(text, PART_LIMIT)


def impact(incident: Incident, users: int | None = None) -> str:
    """`37 users, cart and payment, 20 min (13:59 to 14:19 UTC)`: counts and minutes. `users`: over the whole time, where Sentry told."""
    report = incident.triage
    parts: list[str] = []
    if users is not None:
        parts.append(f"{users:,} user{'' if users == 1 else 's'}")
    elif report is not None:
        window = lasting(timedelta(seconds=report.window_seconds))
        parts.append(f"{users_hit(report.blast)} (counted over {window})")
    if report is not None and report.blast.top_features:
        parts.append(listed([share.name for share in report.blast.top_features]))
    began = (report.began_at if report else None) or incident.detected_at
    if incident.recovered_at is None:
        parts.append(f"since {stamp(began)}")
    else:
        took = lasting(incident.recovered_at - began)
        until = incident.recovered_at
        end = f"{until:%H:%M} UTC" if until.date() == began.date() else stamp(until)
        parts.append(f"{took}, from {stamp(began).removesuffix(' UTC')} to {end}")
    return ", ".join(parts)


def _best(incident: Incident) -> Hypothesis | None:
    alive = [one for one in incident.hypotheses if one.verdict is not Verdict.RULED_OUT]
    return max(
        alive, key=lambda one: (one.verdict is Verdict.SUPPORTED, one.confidence), default=None
    )


def _cause(incident: Incident) -> str:
    """The confirmed cause; else what a bisect named; else the leading hypothesis, marked as such."""
    if incident.cause is not None:
        return "\n".join([incident.cause.text, *(f"- {one}" for one in incident.cause.evidence)])
    culprit = incident.bisect.culprit if incident.bisect else None
    if culprit is not None:
        return f"Commit {culprit.sha[:9]} ({culprit.subject}), found by bisect."
    best = _best(incident)
    if best is None:
        return ""
    found = f"\n- {best.found}" if best.found else ""
    return f"Probably: {best.says}{found}"


def _items(incident: Incident, now: datetime) -> tuple[ActionItem, ...]:
    """A row of each kind; with a proposal where the evidence speaks for one. Owner: who leads."""
    report = incident.triage
    who = incident.lead or incident.declared_by
    features = [share.name for share in report.blast.top_features] if report else []
    what = (report.exception_type if report else None) or "this failure"
    place = (
        f" in {report.frame.file}" if report and report.frame and report.frame.file != "?" else ""
    )
    proposed: dict[Literal["tests", "monitors", "gates"], str] = {
        "tests": f"reproduce {what}{place}",
        "monitors": f"alert on {listed(features) or incident.service} before users report it"
        if incident.source.kind in ("person", "phrase")
        else "",
        "gates": f"stop a release like {report.suspect.version} before it reaches everybody"
        if report is not None and report.suspect is not None
        else "",
    }
    return tuple(
        ActionItem(
            kind=kind,
            text=" ".join(text.split())[:ITEM_LIMIT],
            owner=f"<@{who}>" if who else "",
            due=(now + timedelta(days=DUE_DAYS)).date(),
        )
        for kind, text in proposed.items()
    )
