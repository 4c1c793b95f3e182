"""The knowledge loop: what is remembered of an incident, what is said of it when its service burns again, trends over months.

Workflow: "Read prior incidents on the same component to detect recurring patterns"; "trend across months reveals fragile
areas worth structural refactors".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from statistics import median

from phases.adr import cause_in_one_line, minutes_taken, what_was_done_in_all
from phases.incident import Incident
from phases.markdown import cut
from phases.report import PastIncident, Value, Verdict
from phases.wording import counted

RECALLED = 5
"""So many incidents are recalled; with that many there may be more."""
SAID = 3
"""So many are said at triage time; the others are counted."""
FEATURES = 10
_ORDINALS = ("", "First", "Second", "Third", "Fourth", "Fifth", "Sixth")
_KIND = {
    "release": "a release",
    "commit": "a commit",
    "configuration": "configuration",
    "dependency": "a dependency",
    "data": "data",
    "infrastructure": "infrastructure",
}
_DID = (("rollback to ", "rolled back to "), ("hotfix ", "shipped hotfix "))


def past(incident: Incident) -> PastIncident:
    """What is kept of a resolved incident; small, and without any end user. A private one leaves no details."""
    if incident.private:
        return PastIncident(
            id=incident.id,
            service=incident.service,
            at=incident.detected_at,
            title="private incident",
            minutes=minutes_taken(incident),
            drill=incident.drill,
            private=True,
        )
    items = incident.postmortem.items if incident.postmortem else ()
    known = incident.cause is not None or incident.postmortem is not None
    return PastIncident(
        id=incident.id,
        service=incident.service,
        at=incident.detected_at,
        title=cut(" ".join(incident.title.split()), 300),
        cause=cut(cause_in_one_line(incident), 300) if known else "",
        cause_kind=cause_kind(incident),
        action=cut(what_was_done_in_all(incident), 300) if incident.rounds else "",
        minutes=minutes_taken(incident),
        adr=incident.adr.name if incident.adr else None,
        features=features(incident),
        open_items=sum(item.open for item in items),
        drill=incident.drill,
    )


def features(incident: Incident) -> tuple[str, ...]:
    """The features that were hit, most events first."""
    shares = incident.triage.blast.top_features if incident.triage else ()
    return tuple(share.name for share in shares[:FEATURES])


def cause_kind(incident: Incident) -> str:
    """`release`, `data`, `dependency` …: of the hypothesis that held, else of what the cause names; empty: not known."""
    held = [one for one in incident.hypotheses if one.verdict is Verdict.SUPPORTED]
    if held:
        return max(held, key=lambda one: one.confidence).kind.value
    if incident.cause is None:
        return ""
    if incident.cause.release is not None:
        return "release"
    return "commit" if incident.cause.commit is not None else ""


# --- said at triage time ---------------------------------------------------------------------------------------


def sentence(one: PastIncident, now: datetime) -> str:
    """`Last time (INC-0003, 12 Oct): rolled back to v1.2.0, over after 9 min; cause: …; ADR-0004; 2 action items open`."""
    return f"Last time {_told(one, now)}"


def sentences(remembered: Sequence[PastIncident], incident: Incident, now: datetime) -> tuple[str, ...]:
    """What this service did before, newest first, and the pattern in it; empty where nothing is remembered."""
    ordered = sorted((one for one in remembered if one.id != incident.id), key=lambda one: one.at, reverse=True)
    if not ordered:
        return ()
    said = [sentence(ordered[0], now), *(f"Before that {_told(one, now)}" for one in ordered[1:SAID])]
    if len(ordered) > SAID:
        more = len(ordered) - SAID
        said.append(f"And {'at least ' if len(ordered) >= RECALLED else ''}{counted(more, 'incident')} earlier")
    seen = pattern(ordered, incident)
    return (*([seen] if seen else []), *said)


def pattern(remembered: Sequence[PastIncident], incident: Incident) -> str | None:
    """One sentence on what keeps coming back: a feature, a kind of cause, or the service itself; None: nothing does."""
    before = [one for one in remembered if one.id != incident.id and one.service == incident.service]
    if not before:
        return None
    feature, hits = _same_feature(before, features(incident))
    why = _same_cause(hits or before)
    if hits:
        return f"{_nth(hits, len(before))} fire in {feature} since {_month(hits)}{why}."
    if len(before) > 1:
        return f"{_nth(before, len(before))} incident of {incident.service} since {_month(before)}{why}."
    return None


def _same_feature(before: Sequence[PastIncident], now: Sequence[str]) -> tuple[str, list[PastIncident]]:
    """The feature of this incident that burned most often before, with those incidents."""
    best: tuple[str, list[PastIncident]] = ("", [])
    for name in now:
        hits = [one for one in before if name in one.features]
        if len(hits) > len(best[1]):
            best = (name, hits)
    return best


def _same_cause(before: Sequence[PastIncident]) -> str:
    """What the earlier ones have in common, or nothing."""
    kinds = Counter(one.cause_kind for one in before if one.cause_kind in _KIND)
    if not kinds:
        return ""
    kind, times = kinds.most_common(1)[0]
    if len(before) == 1:
        return f"; the cause was {_KIND[kind]} then"
    if times == 1:
        return ""
    return f"; the cause was {_KIND[kind]} {'each time' if times == len(before) else f'{times} times'}"


def _nth(hits: Sequence[PastIncident], recalled: int) -> str:
    """Which time this is, counted with this one; what was recalled may not be all there is."""
    word = _ORDINALS[len(hits) + 1] if len(hits) + 1 < len(_ORDINALS) else f"{len(hits) + 1}th"
    return f"At least the {word.lower()}" if recalled >= RECALLED else word


def _month(hits: Sequence[PastIncident]) -> str:
    first = min(one.at for one in hits)
    return f"{first:%B}" if max(one.at for one in hits).year == first.year else f"{first:%B %Y}"


def _told(one: PastIncident, now: datetime) -> str:
    at = one.at.astimezone(UTC)
    day = f"{at.day} {at:%b}" + (f" {at.year}" if at.year != now.year else "")
    parts = ["; then ".join(_did(part) for part in one.action.split("; then ")) if one.action else "nothing was done"]
    if one.minutes is not None:
        parts[0] += f", over after {one.minutes} min"
    if one.cause:
        parts.append(f"cause: {one.cause}")
    if one.adr:
        parts.append(one.adr)
    if one.open_items:
        parts.append(f"{counted(one.open_items, 'action item')} open")
    return f"({one.id}, {day}): {'; '.join(parts)}"


def _did(part: str) -> str:
    for noun, verb in _DID:
        if part.startswith(noun):
            return verb + part.removeprefix(noun)
    return "nothing was done" if part == "none" else part


# --- trends ----------------------------------------------------------------------------------------------------


class ServiceTrend(Value):
    """One service over the asked months."""

    service: str
    incidents: tuple[int, ...]
    """By month, oldest first."""
    total: int
    median_minutes: float | None
    """From detected to verified recovery; None where none recovered."""
    features: tuple[tuple[str, int], ...]
    """Features with how many incidents hit them, most first, at most five."""
    causes: tuple[tuple[str, int], ...]
    open_items: int

    @property
    def fragile(self) -> str | None:
        """The sentence for whoever plans the next refactoring; None where nothing recurs."""
        worst = next(iter(self.features), None)
        if worst is None or worst[1] < 3:
            return None
        causes = [kind for kind, times in self.causes if times > 1]
        why = f", mostly by {_KIND.get(causes[0], causes[0])}" if causes else ""
        return f"{worst[0]} of {self.service} burned {worst[1]} times{why}: worth a structural look."


class Trends(Value):
    months: tuple[str, ...]
    """`2026-06` … `2026-11`, oldest first."""
    services: tuple[ServiceTrend, ...]
    """Most incidents first."""


def trends(remembered: Sequence[PastIncident], now: datetime, *, months: int = 6) -> Trends:
    """Incidents by service and month, the last `months` months with this one. No end users, only counts."""
    last = now.year * 12 + now.month - 1
    span = range(last - months + 1, last + 1)
    by_service: dict[str, list[PastIncident]] = {}
    for one in {one.id: one for one in remembered}.values():
        if _month_number(one.at) in span:
            by_service.setdefault(one.service, []).append(one)
    rows = [_trend(name, found, span) for name, found in by_service.items()]
    return Trends(
        months=tuple(f"{number // 12}-{number % 12 + 1:02d}" for number in span),
        services=tuple(sorted(rows, key=lambda row: (-row.total, row.service))),
    )


def _trend(service: str, found: Sequence[PastIncident], span: range) -> ServiceTrend:
    by_month = Counter(_month_number(one.at) for one in found)
    taken = [one.minutes for one in found if one.minutes is not None]
    return ServiceTrend(
        service=service,
        incidents=tuple(by_month[number] for number in span),
        total=len(found),
        median_minutes=float(median(taken)) if taken else None,
        features=_most(name for one in found for name in set(one.features)),
        causes=_most(one.cause_kind for one in found if one.cause_kind),
        open_items=sum(one.open_items for one in found),
    )


def _month_number(at: datetime) -> int:
    at = at.astimezone(UTC)
    return at.year * 12 + at.month - 1


def _most(names: Iterable[str]) -> tuple[tuple[str, int], ...]:
    """Names with their counts, most first, at most five."""
    return tuple(sorted(Counter(names).items(), key=lambda pair: (-pair[1], pair[0]))[:5])
