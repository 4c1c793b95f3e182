"""Trends: incidents by service and month, what they cost, how fast they were met, what keeps coming back. No end users, only counts.

Workflow: "trend across months reveals fragile areas worth structural refactors".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from statistics import median

from phases.memory import KIND, most
from phases.past import PastIncident
from phases.report import Value
from phases.wording import counted, listed

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


def trends(remembered: Iterable[PastIncident], now: datetime, *, months: int = MONTHS, upto: int = 0) -> Trends:
    """The last `months` months; `upto` 0: with this one, 1: ended by the last whole one."""
    last = _month_number(now) - upto
    span = range(last - months + 1, last + 1)
    by_service: dict[str, list[PastIncident]] = {}
    found: list[PastIncident] = []
    for one in {one.id: one for one in remembered}.values():
        if _month_number(one.at) in span and one.status not in OVER:
            by_service.setdefault(one.service, []).append(one)
            found.append(one)
    rows = [_trend(name, those, span) for name, those in by_service.items()]
    return Trends(
        months=tuple(f"{number // 12}-{number % 12 + 1:02d}" for number in span),
        services=tuple(sorted(rows, key=lambda row: (-row.total.incidents, -row.total.impact_minutes, row.service))),
        all=_trend("", found, span),
        fragile=_fragile([one for one in found if not one.drill]),
    )


def visible(remembered: Iterable[PastIncident], members: Collection[str] = ()) -> list[PastIncident]:
    """What may be counted: private incidents only where `members` holds their ids (rules: Size and memory)."""
    return [one for one in remembered if not one.private or one.id in members]


def _trend(service: str, found: Sequence[PastIncident], span: range) -> ServiceTrend:
    by_month: dict[int, list[PastIncident]] = {number: [] for number in span}
    for one in found:
        by_month[_month_number(one.at)].append(one)
    real = [one for one in found if not one.drill]
    return ServiceTrend(
        service=service,
        months=tuple(_month(those) for those in by_month.values()),
        total=_month(found),
        files=tuple(pair for pair in most(one.file for one in real if one.file) if pair[1] > 1),
        features=most(name for one in real for name in set(one.features)),
        causes=most(one.cause_kind for one in real if one.cause_kind),
    )


def _month(found: Sequence[PastIncident]) -> Month:
    real = [one for one in found if not one.drill]
    return Month(
        incidents=len(real),
        impact_minutes=sum(_impact(one) for one in real),
        detect_minutes=_median(one.detect_seconds for one in real),
        decide_minutes=_median(one.decide_seconds for one in real),
        recover_minutes=_median(_recover(one) for one in real),
        by_deploys=sum(one.cause_kind in DEPLOYS for one in real),
        with_cause=sum(bool(one.cause_kind) for one in real),
        items_done=sum(_items(one) - one.open_items for one in real),
        items=sum(_items(one) for one in real),
        drills=len(found) - len(real),
    )


def _impact(one: PastIncident) -> int:
    """What an older bot kept has the minutes from *Detected* only."""
    return one.impact_minutes if one.impact_minutes is not None else one.minutes or 0


def _recover(one: PastIncident) -> float | None:
    if one.recover_seconds is not None:
        return one.recover_seconds
    return None if one.minutes is None else one.minutes * 60


def _items(one: PastIncident) -> int:
    return max(one.items_total, one.open_items)


def _median(seconds: Iterable[float | None]) -> float | None:
    """In minutes, with one digit."""
    known = [one for one in seconds if one is not None]
    return round(median(known) / 60, 1) if known else None


def _month_number(at: datetime) -> int:
    at = at.astimezone(UTC)
    return at.year * 12 + at.month - 1


# --- the most fragile area -------------------------------------------------------------------------------------


def _fragile(found: Sequence[PastIncident]) -> Fragile | None:
    """The file that burned most often, else the feature, else the service; None where nothing did three times.

    Among equals the one that cost users more.
    """
    for area in (_by_file(found), _by_feature(found), _by_service(found)):
        ranked = sorted(
            area.items(), key=lambda pair: (len(pair[1]), sum(map(_impact, pair[1])), pair[0]), reverse=True
        )
        if ranked and len(ranked[0][1]) >= FRAGILE:
            (service, name), hits = ranked[0]
            return _said(service, name, sorted(hits, key=lambda one: (one.at, one.id), reverse=True))
    return None


def _by_file(found: Sequence[PastIncident]) -> dict[tuple[str, str], list[PastIncident]]:
    return _grouped(((one.service, one.file), one) for one in found if one.file)


def _by_feature(found: Sequence[PastIncident]) -> dict[tuple[str, str], list[PastIncident]]:
    return _grouped(((one.service, name), one) for one in found for name in set(one.features))


def _by_service(found: Sequence[PastIncident]) -> dict[tuple[str, str], list[PastIncident]]:
    return _grouped(((one.service, one.service), one) for one in found)


def _grouped(
    pairs: Iterable[tuple[tuple[str, str], PastIncident]],
) -> dict[tuple[str, str], list[PastIncident]]:
    groups: dict[tuple[str, str], list[PastIncident]] = {}
    for name, one in pairs:
        groups.setdefault(name, []).append(one)
    return groups


def _said(service: str, name: str, hits: Sequence[PastIncident]) -> Fragile:
    where = name if name == service else f"{name} of {service}"
    parts = [f"{where}: {counted(len(hits), 'incident')} ({listed([one.id for one in hits])})"]
    if minutes := sum(map(_impact, hits)):
        parts.append(f"{counted(minutes, 'minute')} of user impact")
    causes = [kind for kind, times in most(one.cause_kind for one in hits if one.cause_kind) if times > 1]
    if causes:
        parts.append(f"mostly by {KIND.get(causes[0], causes[0])}")
    if left := sum(one.open_items for one in hits):
        parts.append(f"{counted(left, 'action item')} open")
    return Fragile(area=name, service=service, incidents=tuple(one.id for one in hits), says=", ".join(parts) + ".")
