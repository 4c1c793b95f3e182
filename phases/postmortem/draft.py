"""Phase 6, the form's proposals: facts of the record, and facts that were looked up since.

A proposed answer to a "why" states what is known and ends in `because …`: it is refused until a
person has finished it.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from phases.postmortem.contributing_factors import LookedUp, first_report, how_it_passed
from phases.postmortem.form_parts import (
    IMPACT_LIMIT,
    ITEM_LIMIT,
    OPTIONAL,
    PART_LIMIT,
    UNFINISHED,
    Parts,
)
from phases.record.documents import IN_THE_ADR, ActionItem, Postmortem
from phases.record.incident import Entry, Incident
from phases.record.timeline import earlier_versions, entry_line
from phases.root_cause.leading_cause import leading_cause
from phases.shared.people_left import person_in_charge
from phases.text.markdown import Names, readable
from phases.text.wording import lasting, listed, short, stamp
from phases.triage.picture import who_is_hit

REVISIT = "When the action items are complete."
DUE_DAYS = 14
"""An action item is proposed for two weeks after."""

STAMP = len("2026-11-22 14:03 UTC")
_STAMPED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC ")
_DAY = r"\d{4}-\d\d-\d\d"
_SPAN = re.compile(
    rf"(?:since {_DAY} \d\d:\d\d UTC|\d+ [a-z][a-z0-9 ]*, from {_DAY} \d\d:\d\d to [-\d: ]+ UTC)$"
)
"""The end of a proposed impact (`_span_text`)."""
_SMALLER = frozenset(
    {"evidence", "comms", "note", "update", "severity", "lead", "page", "failure", "post-mortem"}
)
"""Kinds of entries that a draft need not be given afterwards."""
_LEFT_OUT_FIRST = (
    ("evidence", "comms"),
    ("note", "update", "severity", "lead"),
    ("check", "page", "failure"),
)


def draft_parts(
    incident: Incident,
    entries: Sequence[Entry],
    now: datetime,
    names: Names | None = None,
    looked_up: LookedUp | None = None,
) -> Parts:
    """Return a first draft of the post-mortem."""
    names, looked_up = names or {}, looked_up or LookedUp()
    monitoring = f"{first_report(incident, entries)} It was not caught earlier {UNFINISHED}"
    slipped = f"{how_it_passed(incident, looked_up)} It slipped through {UNFINISHED}".strip()
    fresh = Parts(
        timeline=_timeline(entries, names),
        impact=short(readable(impact_text(incident, looked_up.users), names), IMPACT_LIMIT),
        root_cause=short(readable(cause_text(incident), names), PART_LIMIT),
        monitoring=short(readable(monitoring, names), PART_LIMIT),
        tests=short(readable(slipped, names), PART_LIMIT),
        items=proposed_items(incident, now),
        revisit=REVISIT,
    )
    if incident.rewriting and incident.postmortem is not None:
        return _with_earlier_answers(fresh, incident.postmortem)
    return fresh


def _with_earlier_answers(fresh: Parts, before: Postmortem) -> Parts:
    """Return the earlier answers with the newest timeline, for an incident that went on."""
    names = ("root_cause", "monitoring", "tests", "revisit", *OPTIONAL)
    answers = {name: getattr(before, name) for name in names}
    written = {name: text for name, text in answers.items() if text and text != IN_THE_ADR}
    return fresh.model_copy(update={**written, "items": before.items or fresh.items})


def _timeline(entries: Sequence[Entry], names: Names) -> str:
    """Return alert → triage → action → resolve (workflow, phase 4).

    If it gets too long, the least important kinds of entries are left out.
    """
    shown = sorted(entries, key=lambda entry: entry.at)
    left_out, text = 0, ""
    for kinds in ((), *_LEFT_OUT_FIRST):
        fewer = [entry for entry in shown if entry.kind not in kinds]
        left_out += len(shown) - len(fewer)
        shown = fewer
        lines = [_timeline_line(entry, names) for entry in shown]
        if left_out:
            lines.append(f"({left_out} smaller entries left out; the file lists them all)")
        text = "\n".join(lines)
        if len(text) <= PART_LIMIT:
            break
    return short(text, PART_LIMIT)


def _timeline_line(entry: Entry, names: Names) -> str:
    return f"{stamp(entry.at)}  {short(' '.join(readable(entry_line(entry), names).split()), 200)}"


def corrected_timeline(text: str, entries: Sequence[Entry], names: Names) -> str:
    """Return a drafted timeline in which the lines of corrected entries are corrected, too.

    A line follows if people left it word by word as it was proposed; it goes to its new time.
    """
    newest = {
        _timeline_line(before, names): _timeline_line(entry, names)
        for entry in entries
        for before in earlier_versions(entry)
    }
    for entry in entries:
        newest.pop(_timeline_line(entry, names), None)  # another entry reads so, too
    lines: list[str] = []
    moved: list[str] = []
    for each in text.splitlines():
        now = newest.get(each, each)
        (lines if now[:STAMP] == each[:STAMP] else moved).append(now)
    for each in sorted(moved):
        later = (n for n, other in enumerate(lines) if _STAMPED.match(other) and other > each)
        lines.insert(next(later, len(lines)), each)
    return "\n".join(lines)


def gone_on_since(
    parts: Parts, incident: Incident, entries: Sequence[Entry], names: Names
) -> Parts:
    """Return a draft with what happened since, where it ends as it was proposed.

    The incident may have recovered meanwhile, or gone on. What people wrote themselves stays.
    """
    lines = parts.timeline.splitlines()
    proposed = {_timeline_line(entry, names): at for at, entry in enumerate(entries)}
    if lines and (last := proposed.get(lines[-1])) is not None:
        later = [entry for entry in entries[last + 1 :] if entry.kind not in _SMALLER]
        longer = "\n".join([*lines, *(_timeline_line(entry, names) for entry in later)])
        if len(longer) <= PART_LIMIT:
            parts = parts.model_copy(update={"timeline": longer})
    return parts.model_copy(update={"impact": _SPAN.sub(_span_text(incident), parts.impact)})


def impact_text(incident: Incident, users: int | None = None) -> str:
    """Return counts and minutes: `37 users, cart and payment, 20 min, from 13:59 to 14:19 UTC`.

    `users` are Sentry's count over the whole time, where it is known.
    """
    report = incident.triage
    parts: list[str] = []
    if users is not None:
        parts.append(f"{users:,} user{'' if users == 1 else 's'}")
    elif report is not None:
        window = lasting(timedelta(seconds=report.window_seconds))
        parts.append(f"{who_is_hit.users(report.blast)} (counted over {window})")
    if report is not None and report.blast.top_features:
        parts.append(listed([share.name for share in report.blast.top_features]))
    return ", ".join([*parts, _span_text(incident)])


def _span_text(incident: Incident) -> str:
    """Return `20 min, from 2026-11-22 13:59 to 14:19 UTC`, or since when it goes on."""
    report, until = incident.triage, incident.recovered_at
    began = (report.began_at if report else None) or incident.detected_at
    if until is None:
        return f"since {stamp(began)}"
    end = f"{until:%H:%M} UTC" if until.date() == began.date() else stamp(until)
    return f"{lasting(until - began)}, from {stamp(began).removesuffix(' UTC')} to {end}"


def cause_text(incident: Incident) -> str:
    """Return the confirmed cause, else the bisect's commit, else the leading hypothesis as such."""
    lead = leading_cause(incident)
    if lead.named is not None:
        return "\n".join([lead.named.text, *(f"- {fact}" for fact in lead.named.evidence)])
    if lead.bisected is not None:
        return f"Commit {lead.bisected.sha[:9]} ({lead.bisected.subject}), found by bisect."
    if lead.hypothesis is None:
        return ""
    finding = f"\n- {lead.hypothesis.found}" if lead.hypothesis.found else ""
    return f"Probably: {lead.hypothesis.says}{finding}"


def proposed_items(incident: Incident, now: datetime) -> tuple[ActionItem, ...]:
    """Return a row of each kind, with a proposal if the evidence speaks for one."""
    report = incident.triage
    who = person_in_charge(incident)
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
