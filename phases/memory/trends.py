"""Trends: incidents by service and month, what they cost, how fast they were met, what keeps coming back. No end users, only counts.

Workflow: "trend across months reveals fragile areas worth structural refactors".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median
from typing import TypeVar

from phases.memory.recall import KIND, most, ranked
from phases.record.findings import Value
from phases.record.memories import Counted, PastIncident
from phases.record.wording import counted, listed

Memory = PastIncident | Counted
M = TypeVar("M", PastIncident, Counted)

MONTHS = 6
FRAGILE = 3  # as a pattern: the third time
DEPLOYS = ("release", "commit")
"""Kinds of causes that a deploy brought."""
OVER = ("cancelled",)


class Month(Value):
    """One month of one service, or of all together."""

    incidents: int = 0
    impact_minutes: int = 0
    """Minutes in which users were hit."""
    detect_minutes: float | None = None
    """Median from the beginning of trouble to *Detected*; None where no incident of the month has one."""
    decide_minutes: float | None = None
    """Median from *Detected* to the first action that was chosen."""
    recover_minutes: float | None = None
    """Median from *Detected* to verified recovery."""
    by_deploys: int = 0
    """Incidents whose cause is a release or a commit …"""
    with_cause: int = 0
    """… of those whose kind of cause is known."""
    items_done: int = 0
    items: int = 0
    drills: int = 0
    """Counted apart, and in nothing else."""


class ServiceTrend(Value):
    service: str
    months: tuple[Month, ...]
    """As `Trends.months`, oldest first."""
    total: Month
    files: tuple[tuple[str, int], ...] = ()
    """Files whose frame was on top in more than one incident, most first, at most five."""
    features: tuple[tuple[str, int], ...] = ()
    """Features with how many incidents hit them, most first, at most five."""
    causes: tuple[tuple[str, int], ...] = ()


class Fragile(Value):
    """The area that breaks most, with its evidence."""

    area: str
    """A file, else a feature, else the service."""
    service: str
    incidents: tuple[str, ...]
    """Ids, newest first."""
    says: str


class Trends(Value):
    months: tuple[str, ...]
    """`2026-06` … `2026-11`, oldest first."""
    services: tuple[ServiceTrend, ...]
    """Most incidents first."""
    all: ServiceTrend
    """Everything together; its service is empty."""
    fragile: Fragile | None = None


def trends(
    remembered: Iterable[Memory], now: datetime, *, months: int = MONTHS, upto: int = 0
) -> Trends:
    """The last `months` months; `upto` 0: with this one, 1: ended by the last whole one."""
    last = _month_number(now) - upto
    span = range(last - months + 1, last + 1)
    groups: dict[str, dict[int, list[Memory]]] = {}
    for one in {one.id: one for one in remembered}.values():
        month = _month_number(one.at)
        if month in span and one.status not in OVER:
            groups.setdefault(one.service, {}).setdefault(month, []).append(one)
    rows: list[ServiceTrend] = []
    together = [_Sum() for _ in span]
    real: list[Memory] = []
    for service, by_month in groups.items():
        sums = [_summed(by_month.get(month, ())) for month in span]
        rows.append(_trend(service, sums))
        for whole, part in zip(together, sums, strict=True):
            whole.add(part)
        real += [one for those in by_month.values() for one in those if not one.drill]
    return Trends(
        months=tuple(f"{number // 12}-{number % 12 + 1:02d}" for number in span),
        services=tuple(
            sorted(
                rows, key=lambda row: (-row.total.incidents, -row.total.impact_minutes, row.service)
            )
        ),
        all=_trend("", together),
        fragile=_fragile(real),
    )


def visible(remembered: Iterable[M], members: Collection[str] = ()) -> list[M]:
    """What may be counted: private incidents only where `members` holds their ids (rules: Size and memory)."""
    return [one for one in remembered if not one.private or one.id in members]


@dataclass(slots=True)
class _Sum:
    """What a month adds up to, before medians are taken: months and services are added without looking at an incident again."""

    incidents: int = 0
    impact: int = 0
    by_deploys: int = 0
    with_cause: int = 0
    items_open: int = 0
    items: int = 0
    drills: int = 0
    detect: list[float] = field(default_factory=list[float])
    decide: list[float] = field(default_factory=list[float])
    recover: list[float] = field(default_factory=list[float])
    files: Counter[str] = field(default_factory=Counter[str])
    features: Counter[str] = field(default_factory=Counter[str])
    causes: Counter[str] = field(default_factory=Counter[str])

    def add(self, other: _Sum) -> None:
        self.incidents += other.incidents
        self.impact += other.impact
        self.by_deploys += other.by_deploys
        self.with_cause += other.with_cause
        self.items_open += other.items_open
        self.items += other.items
        self.drills += other.drills
        self.detect += other.detect
        self.decide += other.decide
        self.recover += other.recover
        self.files.update(other.files)
        self.features.update(other.features)
        self.causes.update(other.causes)

    def month(self) -> Month:
        return Month(
            incidents=self.incidents,
            impact_minutes=self.impact,
            detect_minutes=_median(self.detect),
            decide_minutes=_median(self.decide),
            recover_minutes=_median(self.recover),
            by_deploys=self.by_deploys,
            with_cause=self.with_cause,
            items_done=self.items - self.items_open,
            items=self.items,
            drills=self.drills,
        )


def _summed(found: Iterable[Memory]) -> _Sum:
    whole = _Sum()
    for one in found:
        if one.drill:
            whole.drills += 1
            continue
        whole.incidents += 1
        whole.impact += _impact(one)
        whole.by_deploys += one.cause_kind in DEPLOYS
        if one.cause_kind:
            whole.with_cause += 1
            whole.causes[one.cause_kind] += 1
        if one.file:
            whole.files[one.file] += 1
        for name in dict.fromkeys(one.features):
            whole.features[name] += 1
        whole.items_open += one.open_items
        whole.items += max(one.items_total, one.open_items)
        if one.detect_seconds is not None:
            whole.detect.append(one.detect_seconds)
        if one.decide_seconds is not None:
            whole.decide.append(one.decide_seconds)
        if one.recover_seconds is not None:
            whole.recover.append(one.recover_seconds)
        elif one.minutes is not None:
            whole.recover.append(one.minutes * 60)
    return whole


def _trend(service: str, sums: Sequence[_Sum]) -> ServiceTrend:
    whole = _Sum()
    for one in sums:
        whole.add(one)
    return ServiceTrend(
        service=service,
        months=tuple(one.month() for one in sums),
        total=whole.month(),
        files=tuple(pair for pair in ranked(whole.files) if pair[1] > 1),
        features=ranked(whole.features),
        causes=ranked(whole.causes),
    )


def _impact(one: Memory) -> int:
    """What an older bot kept has the minutes from *Detected* only."""
    return one.impact_minutes if one.impact_minutes is not None else one.minutes or 0


def _median(seconds: Sequence[float]) -> float | None:
    """In minutes, with one digit."""
    return round(median(seconds) / 60, 1) if seconds else None


def _month_number(at: datetime) -> int:
    at = at if at.tzinfo is UTC else at.astimezone(UTC)
    return at.year * 12 + at.month - 1


# --- the most fragile area -------------------------------------------------------------------------------------


def _fragile(found: Sequence[Memory]) -> Fragile | None:
    """The file that burned most often, else the feature, else the service; None where nothing did three times.

    Among equals the one that cost users more.
    """
    for by in (_by_file, _by_feature, _by_service):
        areas = by(found)
        often = max(map(len, areas.values()), default=0)
        if often >= FRAGILE:
            equals = [pair for pair in areas.items() if len(pair[1]) == often]
            (service, name), hits = max(
                equals, key=lambda pair: (sum(map(_impact, pair[1])), pair[0])
            )
            return _said(
                service, name, sorted(hits, key=lambda one: (one.at, one.id), reverse=True)
            )
    return None


def _by_file(found: Sequence[Memory]) -> dict[tuple[str, str], list[Memory]]:
    return _grouped(((one.service, one.file), one) for one in found if one.file)


def _by_feature(found: Sequence[Memory]) -> dict[tuple[str, str], list[Memory]]:
    return _grouped(((one.service, name), one) for one in found for name in set(one.features))


def _by_service(found: Sequence[Memory]) -> dict[tuple[str, str], list[Memory]]:
    return _grouped(((one.service, one.service), one) for one in found)


def _grouped(
    pairs: Iterable[tuple[tuple[str, str], Memory]],
) -> dict[tuple[str, str], list[Memory]]:
    groups: dict[tuple[str, str], list[Memory]] = {}
    for name, one in pairs:
        groups.setdefault(name, []).append(one)
    return groups


def _said(service: str, name: str, hits: Sequence[Memory]) -> Fragile:
    where = name if name == service else f"{name} of {service}"
    parts = [f"{where}: {counted(len(hits), 'incident')} ({listed([one.id for one in hits])})"]
    if minutes := sum(map(_impact, hits)):
        parts.append(f"{counted(minutes, 'minute')} of user impact")
    causes = [
        kind for kind, times in most(one.cause_kind for one in hits if one.cause_kind) if times > 1
    ]
    if causes:
        parts.append(f"mostly by {KIND.get(causes[0], causes[0])}")
    if left := sum(one.open_items for one in hits):
        parts.append(f"{counted(left, 'action item')} open")
    return Fragile(
        area=name,
        service=service,
        incidents=tuple(one.id for one in hits),
        says=", ".join(parts) + ".",
    )
