"""The knowledge loop: memories of incidents, and sentences from them when a service burns again.

Workflow: "Read prior incidents on the same component to detect recurring patterns"; "Write incident
outcome". Months are counted in `trends.py`.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from phases.ports.library_paths import is_library_file
from phases.postmortem.adr import cause_in_one_line, minutes_taken, what_was_done_in_all
from phases.record.durations import durations
from phases.record.findings import Frame, HypothesisKind, TriageReport, Word
from phases.record.incident import VERIFIED, Incident, Status
from phases.record.memories import PastIncident, PastItem, Question, Recalled, Recollection
from phases.record.shortening import fitted_into
from phases.record.tokens import changed_thing
from phases.root_cause.leading_cause import leading_cause
from phases.root_cause.stack_trace import title_with_cause
from phases.text.wording import counted, short, word_list

PATTERN_SPAN = timedelta(days=90)  # issue: incidents of this service in 90 days
PATTERN_COUNT = 3  # issue: third time in 90 days, same file
RECALLED = 20
FREQUENT = 5
"""Incidents recalled of the service, and of those with the same file or Sentry issue.

If so many were recalled, there may be more.
"""
INCIDENTS_SAID = 3
"""Earlier incidents that are told. The others are counted."""
ITEMS_SAID = 3
FEATURES = 10
ISSUES = 20
ITEMS = 5
MEMORY_LIMIT_BYTES = 4 * 1024  # rules: Size and memory
STEPS = ((300, 20), (120, 10), (60, 3), (20, 1), (5, 0))
_ORDINALS = word_list(
    """
    First Second Third Fourth Fifth Sixth Seventh Eighth Ninth Tenth
    """
)
CAUSE_WORDS = {
    "release": "a release",
    "commit": "a commit",
    "configuration": "configuration",
    "dependency": "a dependency",
    "data": "data",
    "infrastructure": "infrastructure",
}
_ACTIONS = {
    "turn off": "turning it off",
    "rollback": "rollback",
    "hotfix": "a hotfix",
    "fixed": "a fix of another kind",
}


# --- the memory ----------------------------------------------------------------------------------


def memory_to_keep(incident: Incident) -> PastIncident | None:
    """Return the memory of an incident whose users were fine again at least once, else None."""
    recovered = any(round.verdict in VERIFIED for round in incident.rounds)
    gone = incident.status is Status.CANCELLED or incident.duplicate_of is not None
    if gone or not (recovered or incident.recovered_at is not None):
        return None
    return past_incident(incident)


def past_incident(incident: Incident) -> PastIncident:
    """Return the memory of an incident: small, and without any end user.

    A private one leaves no details, only counts.
    """
    took = durations(incident)
    counts = PastIncident(
        id=incident.id,
        service=incident.service,
        at=incident.detected_at,
        title="private incident",
        minutes=minutes_taken(incident),
        status=incident.status.value,
        severity=incident.severity.value if incident.severity else None,
        drill=incident.drill,
        private=incident.private,
        impact_minutes=_impact_minutes(incident),
        detect_seconds=_whole_seconds(took.to_detect),
        decide_seconds=_whole_seconds(took.to_decide),
        recover_seconds=_whole_seconds(took.to_recover),
    )
    if incident.private:
        return counts
    return fitted_into(counts.model_copy(update=_details(incident)), MEMORY_LIMIT_BYTES, STEPS)


def _details(incident: Incident) -> dict[str, Any]:
    items = incident.postmortem.items if incident.postmortem else ()
    open_items = [item for item in items if item.open]
    known = incident.cause is not None or incident.postmortem is not None
    acted = [
        (round.action.kind.value, round.verdict)
        for round in incident.rounds
        if round.action is not None and round.action.result != "not started"
    ]
    held = bool(acted) and acted[-1][1] in VERIFIED and incident.recovered_at is not None
    frame = _own_frame(incident.triage)
    channel = incident.channel
    return {
        "title": _title_with_cause(incident),
        "cause": short(cause_in_one_line(incident), 300) if known else "",
        "cause_kind": cause_kind(incident),
        "action": short(what_was_done_in_all(incident, "past"), 300) if incident.rounds else "",
        "adr": incident.adr.name if incident.adr else None,
        "adr_url": incident.adr.url if incident.adr else None,
        "features": features_hit(incident.triage),
        "file": frame.file if frame else "",
        "function": frame.function if frame else "",
        "issues": _issue_ids(incident, incident.triage),
        "change": _cause_change(incident),
        "tried": tuple(kind for kind, _ in acted),
        "worked": acted[-1][0] if held else "",
        "open_items": len(open_items),
        "items": tuple(
            PastItem(
                kind=item.kind, text=short(item.text, 120), owner=item.owner[:40], due=item.due
            )
            for item in open_items[:ITEMS]
        ),
        "items_total": sum(not item.dropped for item in items),
        "channel": channel.id if channel and not channel.thread_ts else None,
    }


def _cause_change(incident: Incident) -> str:
    """Return the flag or setting that was turned off, else the one that was found to have done it.

    A suspect that was nearer than the deploy, and was not acted on, did not do it.
    """
    acted = [round.action.change for round in incident.rounds if round.action is not None]
    turned = next((change for change in reversed(acted) if change is not None), None)
    if turned is not None:
        return short(changed_thing(turned), 120)
    advised = incident.triage.recommendation.change if incident.triage is not None else None
    if advised is None or cause_kind(incident) != HypothesisKind.CONFIGURATION.value:
        return ""
    return short(changed_thing(advised), 120)


def _own_frame(report: TriageReport | None) -> Frame | None:
    """Return the crashing frame if it is our own code.

    A line of a library is what many different troubles have in common.
    """
    frame = report.frame if report else None
    if frame is None or is_library_file(frame.file, frame.module) or _NO_PLACE.search(frame.file):
        return None
    return frame


_NO_PLACE = re.compile(r"^\?$|\.(?:js)?bundle$|(?:^|/)main\.dart\.js$")
"""No known file, or one that a whole app is packed into."""


def _title_with_cause(incident: Incident) -> str:
    title = " ".join(incident.title.split())
    return short(title_with_cause(title, incident.triage) if incident.triage else title, 300)


def _issue_ids(incident: Incident, report: TriageReport | None) -> tuple[str, ...]:
    """Return the Sentry issues by which it is recognised: the loudest, then those of alerts."""
    loud = (*(issue.id for issue in report.issues), *report.issue_ids) if report else ()
    return tuple(dict.fromkeys((*loud, *incident.seeds)))[:ISSUES]


def _impact_minutes(incident: Incident) -> int | None:
    """Return whole minutes in which users were hit, or None while that has not ended."""
    if incident.recovered_at is None:
        return None
    report = incident.triage
    if report is not None and report.blast.users is Word.NOBODY:
        return 0
    began = report.began_at if report is not None and report.began_at else incident.detected_at
    span = incident.recovered_at - min(began, incident.detected_at)
    return max(round(span.total_seconds() / 60), 1)


def _whole_seconds(span: timedelta | None) -> int | None:
    return None if span is None else round(span.total_seconds())


def features_hit(report: TriageReport | None) -> tuple[str, ...]:
    """Return the features that were hit, most events first."""
    shares = report.blast.top_features if report else ()
    return tuple(share.name for share in shares[:FEATURES])


def cause_kind(incident: Incident) -> str:
    """Return `release`, `data`, `dependency` …; empty if the kind is not known.

    The kind of the supported hypothesis, else of what the cause names.
    """
    if (supported := leading_cause(incident).supported) is not None:
        return supported.kind.value
    if incident.cause is None:
        return ""
    if incident.cause.release is not None:
        return "release"
    return "commit" if incident.cause.commit is not None else ""


# --- asked at triage -----------------------------------------------------------------------------


def memory_question(incident: Incident, report: TriageReport | None, now: datetime) -> Question:
    frame = _own_frame(report)
    return Question(
        service=incident.service,
        before=incident.id,
        since=now - PATTERN_SPAN,
        file=frame.file if frame else "",
        function=frame.function if frame else "",
        issues=_issue_ids(incident, report),
        features=features_hit(report),
        change=_suspected_change(report),
        names={issue.id: issue.short_id for issue in report.issues} if report else {},
    )


def _suspected_change(report: TriageReport | None) -> str:
    change = report.recommendation.change if report is not None else None
    return short(changed_thing(change), 120) if change is not None else ""


def same_issue(past: PastIncident, question: Question) -> str | None:
    """Return the Sentry issue that both have."""
    return next((issue for issue in question.issues if issue in past.issues), None)


def same_place(past: PastIncident, question: Question) -> bool:
    """True for the same file; in another service also for the same function of it.

    `app.py` is everywhere.
    """
    if not past.file or past.file != question.file:
        return False
    if past.service == question.service:
        return True
    return bool(past.function) and past.function == question.function


def recollect(recalled: Recalled, question: Question, now: datetime) -> Recollection | None:
    """Return the sentences, or None where nothing is remembered.

    First what keeps coming back, then the same trouble before, what was never done, the last time.
    """
    newest = [past for past in recalled.newest if past.id != question.before]
    alike = [past for past in recalled.alike if past.id != question.before]
    turned = [past for past in newest if question.change and past.change == question.change]
    same = [past for past in alike if same_issue(past, question) or same_place(past, question)]
    same = [*turned, *(past for past in same if past.id not in {earlier.id for earlier in turned})]
    if not newest and not same:
        return None
    lines: list[str] = []
    for past in same[: INCIDENTS_SAID - 1]:
        place = f"Same place ({short(question.file, 120)})"
        likeness = "Same Sentry issue" if same_issue(past, question) else place
        if past in turned:
            likeness = f"Same change ({question.change})"
        lines.append(f"{likeness} before {_summary(past, now, question.service)}")
    listed = {past.id for past in same[: INCIDENTS_SAID - 1]}
    lines += _open_items_of(same, now)
    rest = [past for past in newest if past.id not in listed]
    for past in rest[: INCIDENTS_SAID - len(listed)]:
        order = "Last time" if past.id == newest[0].id else "Before that"
        lines.append(f"{order} {_summary(past, now, question.service)}")
    if recalled.in_span > 1:
        number = counted(recalled.in_span, "incident")
        lines.append(f"{number} of {question.service} in the {PATTERN_SPAN.days} days before")
    return Recollection(pattern=recurring_pattern(newest, same, question), lines=tuple(lines))


def _open_items_of(alike: Sequence[PastIncident], now: datetime) -> list[str]:
    """Return the open action items of similar incidents: done, they might have prevented this."""
    items = {
        (item.kind, item.text): (past, item)
        for past in reversed(alike)
        for item in reversed(past.items)
    }
    return [
        f"Not done since {past.id}, it might have prevented this: "
        f"{item.kind}: {item.text}{_owner_and_due(item, now)}"
        for past, item in list(reversed(items.values()))[:ITEMS_SAID]
    ]


def _owner_and_due(item: PastItem, now: datetime) -> str:
    """` (@ann, was due 12 Oct)`."""
    due = ""
    if item.due:
        late = item.due < now.date()
        due = f"{'was due' if late else 'due'} {item.due.day} {item.due:%b}"
    words = ", ".join(part for part in (item.owner, due) if part)
    return f" ({words})" if words else ""


# --- the pattern ---------------------------------------------------------------------------------


def recurring_pattern(
    newest: Sequence[PastIncident], same: Sequence[PastIncident], question: Question
) -> str:
    """Return `Third fire in checkout/cart.py in 90 days; rollback worked each time.`

    Empty if nothing was there twice before.
    """
    recent = [past for past in same if past.at >= question.since]
    burned = [
        past for past in newest if past.at >= question.since and past.service == question.service
    ]
    if question.change:
        turned = [past for past in burned if past.change == question.change]
        if _is_pattern(turned):
            return _pattern_sentence(turned, f"that {short(question.change, 120)} brought")
    places = [past for past in recent if same_place(past, question)]
    issues = [past for past in recent if same_issue(past, question)]
    if _is_pattern(places) and len(places) >= len(issues):
        return _pattern_sentence(places, f"in {short(question.file, 120)}")
    if _is_pattern(issues):
        issue = same_issue(issues[0], question) or ""
        return _pattern_sentence(issues, f"of {question.names.get(issue, 'this Sentry issue')}")
    for name in question.features:
        hits = [past for past in burned if name in past.features]
        if _is_pattern(hits):
            return _pattern_sentence(hits, f"in {short(name, 120)}")
    return ""


def _is_pattern(hits: Sequence[PastIncident]) -> bool:
    return len(hits) >= PATTERN_COUNT - 1


def _pattern_sentence(hits: Sequence[PastIncident], where: str) -> str:
    which = _ordinal(len(hits) + 1, more=len(hits) >= RECALLED)
    common = _remedy(hits) or _common_cause(hits)
    return f"{which} fire {where} in {PATTERN_SPAN.days} days{f'; {common}' if common else ''}."


def _remedy(hits: Sequence[PastIncident]) -> str:
    """Return the action that was taken most, and how often it worked."""
    tried = Counter(kind for past in hits for kind in set(past.tried) if kind in _ACTIONS)
    if not tried:
        return ""
    worked = Counter(past.worked for past in hits)
    kind = max(tried, key=lambda kind: (worked[kind], tried[kind], kind))
    times, tries, name = worked[kind], tried[kind], _ACTIONS[kind]
    if times == len(hits):
        return f"{name} worked each time"
    if times == 0:
        return f"{name} did not last" if tries == 1 else f"{name} worked none of {tries} times"
    return f"{name} worked {times} of {counted(tries, 'time')}"


def _common_cause(hits: Sequence[PastIncident]) -> str:
    kinds = Counter(past.cause_kind for past in hits if past.cause_kind in CAUSE_WORDS)
    if not kinds:
        return ""
    kind, times = kinds.most_common(1)[0]
    if times == 1:
        return ""
    how_often = "each time" if times == len(hits) else f"{times} times"
    return f"the cause was {CAUSE_WORDS[kind]} {how_often}"


def _ordinal(number: int, *, more: bool) -> str:
    """Return `Third`, or `At least the third` where not all may have been recalled."""
    if number <= len(_ORDINALS):
        word = _ORDINALS[number - 1]
    else:
        ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
        word = f"{number}{'th' if 10 < number % 100 < 14 else ending}"
    return f"At least the {word.lower()}" if more else word


# --- sentences -----------------------------------------------------------------------------------


def memory_sentences(incident: Incident) -> tuple[str, ...]:
    """Return what is known of before, the most important first; empty if nothing is."""
    recollection = incident.recollection
    if recollection is None:
        return ()
    return (*([recollection.pattern] if recollection.pattern else []), *recollection.lines)


def _summary(past: PastIncident, now: datetime, service: str) -> str:
    where = "" if past.service == service else f"{past.service}, "
    return f"({past.id}, {where}{day_of(past.at, now)}): {outcome_text(past)}"


def day_of(at: datetime, now: datetime) -> str:
    """Return `12 Oct`, or `12 Oct 2025` in another year."""
    at = at.astimezone(UTC)
    return f"{at.day} {at:%b}" + (f" {at.year}" if at.year != now.year else "")


def outcome_text(past: PastIncident) -> str:
    """Return what was done, if it worked, the cause, where that is written, what is left to do.

    `rolled back to v1.2.0, over after 9 min; cause: …; ADR-0004; 2 action items open`.
    """
    parts = [past.action or "nothing was done"]
    if past.minutes is not None:
        parts[0] += f", over after {past.minutes} min"
    elif past.tried and not past.worked:
        parts[0] += ", and it came back"
    if past.cause:
        parts.append(f"cause: {past.cause.rstrip(' .')}")
    if past.adr:
        parts.append(past.adr)
    if past.open_items:
        parts.append(f"{counted(past.open_items, 'action item')} open")
    return "; ".join(parts)


def most_frequent(names: Iterable[str]) -> tuple[tuple[str, int], ...]:
    """Return the five most frequent names with their counts, most first."""
    counts = Counter(names).items()
    return tuple(sorted(counts, key=lambda pair: (-pair[1], pair[0]))[:FREQUENT])
