"""The knowledge loop: what is remembered of an incident, and what is said of it when its service burns again. Months: `trends.py`.

Workflow: "Read prior incidents on the same component to detect recurring patterns"; "Write incident outcome".
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from phases.ports.library_paths import foreign
from phases.postmortem.adr import cause_in_one_line, minutes_taken, what_was_done_in_all
from phases.record.durations import durations
from phases.record.findings import Frame, TriageReport, Word
from phases.record.incident import VERIFIED, Incident, Status
from phases.record.markdown import cut
from phases.record.memories import PastIncident, PastItem, Question, Recalled, Recollection
from phases.record.wording import counted
from phases.root_cause.leading_cause import leading
from phases.root_cause.stack_trace import with_cause

SPAN = timedelta(days=90)  # issue: incidents of this service in 90 days
PATTERN = 3  # issue: third time in 90 days, same file
RECALLED = 20
"""So many are recalled of the service, and so many with the same file or Sentry issue; with that many there may be more."""
KEPT = 5
"""So many stay in the record of the incident that asked."""
SAID = 3
"""So many earlier incidents are told; the others are counted."""
ITEMS_SAID = 3
FEATURES = 10
ISSUES = 20
ITEMS = 5
MEMORY_LIMIT_BYTES = 4 * 1024  # rules: Size and memory
_ORDINALS = (
    "",
    "First",
    "Second",
    "Third",
    "Fourth",
    "Fifth",
    "Sixth",
    "Seventh",
    "Eighth",
    "Ninth",
    "Tenth",
)
KIND = {
    "release": "a release",
    "commit": "a commit",
    "configuration": "configuration",
    "dependency": "a dependency",
    "data": "data",
    "infrastructure": "infrastructure",
}
_DID = (("rollback to ", "rolled back to "), ("hotfix ", "shipped hotfix "))
_WAY = {"rollback": "rollback", "hotfix": "a hotfix", "fixed": "a fix of another kind"}


# --- what is kept ----------------------------------------------------------------------------------------------


def kept(incident: Incident) -> PastIncident | None:
    """The memory of an incident whose users were fine again at least once; None: there is nothing to remember (yet, or any more)."""
    recovered = any(one.verdict in VERIFIED for one in incident.rounds)
    gone = incident.status is Status.CANCELLED or incident.duplicate_of is not None
    if gone or not (recovered or incident.recovered_at is not None):
        return None
    return past(incident)


def past(incident: Incident) -> PastIncident:
    """What is kept of an incident; small, and without any end user. A private one leaves no details, only what is counted."""
    if incident.private:
        return _counted_only(incident)
    items = incident.postmortem.items if incident.postmortem else ()
    open_items = [item for item in items if item.open]
    known = incident.cause is not None or incident.postmortem is not None
    acted = [
        one
        for one in incident.rounds
        if one.action is not None and one.action.result != "not started"
    ]
    held = bool(acted) and acted[-1].verdict in VERIFIED and incident.recovered_at is not None
    frame = _place(incident.triage)
    took = durations(incident)
    return fitted(
        PastIncident(
            id=incident.id,
            service=incident.service,
            at=incident.detected_at,
            title=_title(incident),
            cause=cut(cause_in_one_line(incident), 300) if known else "",
            cause_kind=cause_kind(incident),
            action=cut(what_was_done_in_all(incident), 300) if incident.rounds else "",
            minutes=minutes_taken(incident),
            adr=incident.adr.name if incident.adr else None,
            features=features(incident),
            open_items=len(open_items),
            environment=incident.environment,
            status=incident.status.value,
            severity=incident.severity.value if incident.severity else None,
            drill=incident.drill,
            file=frame.file if frame else "",
            function=frame.function if frame else "",
            issues=_issues(incident),
            tried=tuple(one.action.kind.value for one in acted if one.action),
            worked=acted[-1].action.kind.value if held and acted[-1].action else "",
            impact_minutes=_impact(incident),
            detect_seconds=_seconds(took.to_detect),
            decide_seconds=_seconds(took.to_decide),
            act_seconds=_seconds(took.to_act),
            recover_seconds=_seconds(took.to_recover),
            items=tuple(
                PastItem(
                    kind=item.kind, text=cut(item.text, 120), owner=item.owner[:40], due=item.due
                )
                for item in open_items[:ITEMS]
            ),
            items_total=sum(not item.dropped for item in items),
            adr_url=incident.adr.url if incident.adr else None,
            channel=incident.channel.id
            if incident.channel and not incident.channel.thread_ts
            else None,
        )
    )


def _place(report: TriageReport | None) -> Frame | None:
    """Where it crashed, in our own code: what many troubles have in common is a library's line."""
    frame = report.frame if report else None
    if frame is None or foreign(frame.file, frame.module) or _NO_PLACE.search(frame.file):
        return None
    return frame


_NO_PLACE = re.compile(r"^\?$|\.(?:js)?bundle$|(?:^|/)main\.dart\.js$")
"""No file is known, or one that a whole app is packed into: what crashed there need not be the same."""


def _title(incident: Incident) -> str:
    title = " ".join(incident.title.split())
    return cut(with_cause(title, incident.triage) if incident.triage else title, 300)


def _counted_only(incident: Incident) -> PastIncident:
    took = durations(incident)
    return PastIncident(
        id=incident.id,
        service=incident.service,
        at=incident.detected_at,
        title="private incident",
        minutes=minutes_taken(incident),
        status=incident.status.value,
        severity=incident.severity.value if incident.severity else None,
        drill=incident.drill,
        private=True,
        impact_minutes=_impact(incident),
        detect_seconds=_seconds(took.to_detect),
        decide_seconds=_seconds(took.to_decide),
        act_seconds=_seconds(took.to_act),
        recover_seconds=_seconds(took.to_recover),
    )


def _issues(incident: Incident) -> tuple[str, ...]:
    """The Sentry issues by which it is recognised: the loudest, then what alerts named."""
    report = incident.triage
    loud = (*(one.id for one in report.issues), *report.issue_ids) if report else ()
    return tuple(dict.fromkeys((*loud, *incident.seeds)))[:ISSUES]


def _impact(incident: Incident) -> int | None:
    """Whole minutes in which users were hit; None while that has not ended."""
    if incident.recovered_at is None:
        return None
    report = incident.triage
    if report is not None and report.blast.users is Word.NOBODY:
        return 0
    began = report.began_at if report is not None and report.began_at else incident.detected_at
    return max(
        round((incident.recovered_at - min(began, incident.detected_at)).total_seconds() / 60), 1
    )


def _seconds(span: timedelta | None) -> int | None:
    return None if span is None else round(span.total_seconds())


def fitted(one: PastIncident) -> PastIncident:
    """Under 4 KiB whatever people, Sentry and Git wrote (rules: Size and memory)."""
    for limit, many in ((300, 20), (120, 10), (60, 3), (20, 1), (5, 0)):
        if len(one.model_dump_json().encode()) <= MEMORY_LIMIT_BYTES:
            break
        one = one.model_copy(update=_shorter(one, limit, many))
    return one


def _shorter(one: PastIncident, limit: int, many: int) -> dict[str, Any]:
    texts = ("title", "cause", "cause_kind", "action", "environment", "file", "function", "adr_url")
    fields: dict[str, Any] = {
        name: cut(text, limit) for name in texts if (text := getattr(one, name))
    }
    items = tuple(
        item.model_copy(update={"text": cut(item.text, limit)}) for item in one.items[:many]
    )
    names = tuple(cut(name, limit) for name in one.features[:many])
    return {
        **fields,
        "issues": one.issues[:many],
        "items": items,
        "features": names,
        "tried": one.tried[-many - 1 :],
    }


def features(incident: Incident) -> tuple[str, ...]:
    """The features that were hit, most events first."""
    shares = incident.triage.blast.top_features if incident.triage else ()
    return tuple(share.name for share in shares[:FEATURES])


def cause_kind(incident: Incident) -> str:
    """`release`, `data`, `dependency` …: of the hypothesis that held, else of what the cause names; empty: not known."""
    if (held := leading(incident).supported) is not None:
        return held.kind.value
    if incident.cause is None:
        return ""
    if incident.cause.release is not None:
        return "release"
    return "commit" if incident.cause.commit is not None else ""


# --- asked at triage -------------------------------------------------------------------------------------------


def question(incident: Incident, report: TriageReport | None, now: datetime) -> Question:
    frame = _place(report)
    issues = (*(one.id for one in report.issues), *report.issue_ids) if report else ()
    shares = report.blast.top_features if report else ()
    return Question(
        service=incident.service,
        before=incident.id,
        since=now - SPAN,
        file=frame.file if frame else "",
        function=frame.function if frame else "",
        issues=tuple(dict.fromkeys((*issues, *incident.seeds)))[:ISSUES],
        features=tuple(share.name for share in shares[:FEATURES]),
        names={one.id: one.short_id for one in report.issues} if report else {},
    )


def same_issue(one: PastIncident, asked: Question) -> str | None:
    """The Sentry issue that both have."""
    return next((issue for issue in asked.issues if issue in one.issues), None)


def same_place(one: PastIncident, asked: Question) -> bool:
    """The same file; in another service the same function of it, too: `app.py` is everywhere."""
    if not one.file or one.file != asked.file:
        return False
    return one.service == asked.service or (bool(one.function) and one.function == asked.function)


def in_record(recalled: Recalled) -> tuple[PastIncident, ...]:
    """What the record keeps: the newest few, without what only the memory needs."""
    return tuple(
        one.model_copy(update={"issues": (), "items": ()}) for one in recalled.newest[:KEPT]
    )


def recollect(recalled: Recalled, asked: Question, now: datetime) -> Recollection | None:
    """What is known, in sentences: what keeps coming back, the same trouble before, what was never done, the last time; None: nothing."""
    newest = [one for one in recalled.newest if one.id != asked.before]
    alike = [one for one in recalled.alike if one.id != asked.before]
    same = [one for one in alike if same_issue(one, asked) or same_place(one, asked)]
    if not newest and not same:
        return None
    lines: list[str] = []
    told: set[str] = set()
    for one in same[: SAID - 1]:
        what = (
            "Same Sentry issue"
            if same_issue(one, asked)
            else f"Same place ({cut(asked.file, 120)})"
        )
        lines.append(f"{what} before {_told(one, now, asked.service)}")
        told.add(one.id)
    lines += _not_done(
        same or [one for one in newest if set(one.features) & set(asked.features)], now
    )
    rest = [one for one in newest if one.id not in told]
    for one in rest[: SAID - len(told)]:
        first = one.id == newest[0].id
        lines.append(f"{'Last time' if first else 'Before that'} {_told(one, now, asked.service)}")
    if recalled.in_span > 1:
        lines.append(
            f"{counted(recalled.in_span, 'incident')} of {asked.service} in the {SPAN.days} days before"
        )
    return Recollection(pattern=pattern(newest, same, asked), lines=tuple(lines))


def _not_done(alike: Sequence[PastIncident], now: datetime) -> list[str]:
    """Open action items of what was like this: had they been done, this might not burn."""
    found = {
        (item.kind, item.text): (one, item)
        for one in reversed(alike)
        for item in reversed(one.items)
    }
    return [
        f"Not done since {one.id}, it might have prevented this: {item.kind}: {item.text}{_whose(item, now)}"
        for one, item in list(reversed(found.values()))[:ITEMS_SAID]
    ]


def _whose(item: PastItem, now: datetime) -> str:
    late = item.due is not None and item.due < now.date()
    due = f"{'was due' if late else 'due'} {item.due.day} {item.due:%b}" if item.due else ""
    said = ", ".join(part for part in (item.owner, due) if part)
    return f" ({said})" if said else ""


# --- the pattern -----------------------------------------------------------------------------------------------


def pattern(newest: Sequence[PastIncident], same: Sequence[PastIncident], asked: Question) -> str:
    """`Third fire in checkout/cart.py in 90 days; rollback worked each time.` Empty: nothing was there twice before."""
    recent = [one for one in same if one.at >= asked.since]
    places = [one for one in recent if same_place(one, asked)]
    issues = [one for one in recent if same_issue(one, asked)]
    if _often(places) and len(places) >= len(issues):
        return _sentence(places, f"in {cut(asked.file, 120)}")
    if _often(issues):
        shared = same_issue(issues[0], asked) or ""
        return _sentence(issues, f"of {asked.names.get(shared, 'this Sentry issue')}")
    burned = [one for one in newest if one.at >= asked.since and one.service == asked.service]
    for name in asked.features:
        hits = [one for one in burned if name in one.features]
        if _often(hits):
            return _sentence(hits, f"in {cut(name, 120)}")
    return ""


def _often(hits: Sequence[PastIncident]) -> bool:
    return len(hits) >= PATTERN - 1


def _sentence(hits: Sequence[PastIncident], where: str) -> str:
    how = _how(hits) or _why(hits)
    return f"{_nth(len(hits) + 1, more=len(hits) >= RECALLED)} fire {where} in {SPAN.days} days{f'; {how}' if how else ''}."


def _how(hits: Sequence[PastIncident]) -> str:
    """What was done then, and how often it worked."""
    tried = Counter(kind for one in hits for kind in set(one.tried) if kind in _WAY)
    if not tried:
        return ""
    worked = Counter(one.worked for one in hits)
    kind = max(tried, key=lambda one: (worked[one], tried[one], one))
    times, of = worked[kind], tried[kind]
    if times == len(hits):
        return f"{_WAY[kind]} worked each time"
    if times == 0:
        return (
            f"{_WAY[kind]} did not last" if of == 1 else f"{_WAY[kind]} worked none of {of} times"
        )
    return f"{_WAY[kind]} worked {times} of {counted(of, 'time')}"


def _why(hits: Sequence[PastIncident]) -> str:
    """What the earlier ones have in common, or nothing."""
    kinds = Counter(one.cause_kind for one in hits if one.cause_kind in KIND)
    if not kinds:
        return ""
    kind, times = kinds.most_common(1)[0]
    if times == 1:
        return ""
    return f"the cause was {KIND[kind]} {'each time' if times == len(hits) else f'{times} times'}"


def _nth(number: int, *, more: bool) -> str:
    """Which time this is, counted with this one; what was recalled may not be all there is."""
    if number < len(_ORDINALS):
        word = _ORDINALS[number]
    else:
        ending = (
            "th" if 10 < number % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
        )
        word = f"{number}{ending}"
    return f"At least the {word.lower()}" if more else word


# --- said ------------------------------------------------------------------------------------------------------


def sentences(
    remembered: Sequence[PastIncident], incident: Incident, now: datetime
) -> tuple[str, ...]:
    """What is known of before, what matters most first; empty where nothing is remembered."""
    if incident.recollection is not None:
        found = incident.recollection
        return (*([found.pattern] if found.pattern else []), *found.lines)
    ordered = sorted(
        (one for one in remembered if one.id != incident.id), key=lambda one: one.at, reverse=True
    )
    return tuple(
        f"{'Last time' if one is ordered[0] else 'Before that'} {_told(one, now, incident.service)}"
        for one in ordered[:SAID]
    )


def sentence(one: PastIncident, now: datetime) -> str:
    """`Last time (INC-0003, 12 Oct): rolled back to v1.2.0, over after 9 min; cause: …; ADR-0004; 2 action items open`."""
    return f"Last time {_told(one, now, one.service)}"


def _told(one: PastIncident, now: datetime, asking: str) -> str:
    where = "" if one.service == asking else f"{one.service}, "
    return f"({one.id}, {where}{day(one.at, now)}): {outcome(one)}"


def day(at: datetime, now: datetime) -> str:
    """`12 Oct`; with its year where that is another one."""
    at = at.astimezone(UTC)
    return f"{at.day} {at:%b}" + (f" {at.year}" if at.year != now.year else "")


def outcome(one: PastIncident) -> str:
    """What was done, whether it worked, why it burned, where that is written, what is left to do."""
    parts = [
        "; then ".join(did(part) for part in one.action.split("; then "))
        if one.action
        else "nothing was done"
    ]
    if one.minutes is not None:
        parts[0] += f", over after {one.minutes} min"
    elif one.tried and not one.worked:
        parts[0] += ", and it came back"
    if one.cause:
        parts.append(f"cause: {one.cause.rstrip(' .')}")
    if one.adr:
        parts.append(one.adr)
    if one.open_items:
        parts.append(f"{counted(one.open_items, 'action item')} open")
    return "; ".join(parts)


def did(part: str) -> str:
    for noun, verb in _DID:
        if part.startswith(noun):
            return verb + part.removeprefix(noun)
    return "nothing was done" if part == "none" else part


def most(names: Iterable[str]) -> tuple[tuple[str, int], ...]:
    return ranked(Counter(names))


def ranked(counts: Counter[str], at_most: int = 5) -> tuple[tuple[str, int], ...]:
    """Names with their counts, most first."""
    return tuple(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:at_most])
