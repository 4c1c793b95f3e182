"""Trends: incidents by service and month, their cost and times, and what keeps coming back.

There are no end users in them, only counts. Workflow: "trend across months reveals fragile areas
worth structural refactors".
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from statistics import median
from typing import TypeVar

from phases.memory.recall import CAUSE_WORDS, most_frequent
from phases.record.findings import Value
from phases.record.memories import Counted, PastIncident
from phases.text.wording import counted, listed

Memory = PastIncident | Counted
M = TypeVar("M", PastIncident, Counted)

MONTHS_SHOWN = 6
FRAGILE_COUNT = 3  # as a pattern: the third time
DEPLOY_CAUSES = ("release", "commit")
"""Kinds of causes that a deploy brought."""


class Month(Value):
    """One month of one service, or of all together."""

    incidents: int = 0
    impact_minutes: int = 0
    """Minutes in which users were hit."""
    detect_minutes: float | None = None
    """Median from the beginning of trouble to *Detected*; None if no incident of the month has it.

    So are the other two.
    """
    decide_minutes: float | None = None
    """Median from *Detected* to the first action that was chosen."""
    recover_minutes: float | None = None
    """Median from *Detected* to verified recovery."""
    by_deploys: int = 0
    """Incidents whose cause is a release or a commit."""
    with_cause: int = 0
    """Incidents whose kind of cause is known."""
    items_done: int = 0
    items: int = 0
    drills: int = 0
    """Counted separately, and in no other number."""


class ServiceTrend(Value):
    service: str
    months: tuple[Month, ...]
    """As `Trends.months`, oldest first."""
    total: Month
    files: tuple[tuple[str, int], ...] = ()
    """Files that crashed in more than one incident, most first, at most five."""


class Fragile(Value):
    """The area that breaks most, with its evidence."""

    area: str
    """A file, else a feature, else the service."""
    service: str
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
    remembered: Iterable[Memory], now: datetime, *, months: int = MONTHS_SHOWN, upto: int = 0
) -> Trends:
    """Return the last `months` months: with this one, or (`upto` 1) up to the last whole one."""
    last = _month_number(now) - upto
    span = range(last - months + 1, last + 1)
    together: dict[int, list[Memory]] = {number: [] for number in span}
    services: dict[str, dict[int, list[Memory]]] = {}
    for past in {past.id: past for past in remembered}.values():
        number = _month_number(past.at)
        if number in span and past.status != "cancelled":
            by_month = services.setdefault(past.service, {number: [] for number in span})
            by_month[number].append(past)
            together[number].append(past)
    rows = [_service_trend(service, [*by_month.values()]) for service, by_month in services.items()]
    rows.sort(key=lambda row: (-row.total.incidents, -row.total.impact_minutes, row.service))
    return Trends(
        months=tuple(f"{number // 12}-{number % 12 + 1:02d}" for number in span),
        services=tuple(rows),
        all=_service_trend("", [*together.values()]),
        fragile=_most_fragile(
            [past for by_month in together.values() for past in by_month if not past.drill]
        ),
    )


def visible_memories(remembered: Iterable[M], members: Collection[str] = ()) -> list[M]:
    """Return the memories that a reader may see.

    Private incidents count only if `members` holds their ids (rules: Size and memory).
    """
    return [past for past in remembered if not past.private or past.id in members]


def _service_trend(service: str, months: Sequence[Sequence[Memory]]) -> ServiceTrend:
    together = [past for month in months for past in month]
    files = most_frequent(past.file for past in together if past.file and not past.drill)
    return ServiceTrend(
        service=service,
        months=tuple(_month_figures(month) for month in months),
        total=_month_figures(together),
        files=tuple((file, times) for file, times in files if times > 1),
    )


def _month_figures(memories: Sequence[Memory]) -> Month:
    real = [past for past in memories if not past.drill]
    items = sum(past.items_total for past in real)
    return Month(
        incidents=len(real),
        impact_minutes=sum(past.impact_minutes or 0 for past in real),
        detect_minutes=_median_minutes([past.detect_seconds for past in real]),
        decide_minutes=_median_minutes([past.decide_seconds for past in real]),
        recover_minutes=_median_minutes([past.recover_seconds for past in real]),
        by_deploys=sum(past.cause_kind in DEPLOY_CAUSES for past in real),
        with_cause=sum(bool(past.cause_kind) for past in real),
        items_done=items - sum(past.open_items for past in real),
        items=items,
        drills=len(memories) - len(real),
    )


def _median_minutes(seconds: Sequence[int | None]) -> float | None:
    """Return the median in minutes, with one digit."""
    known = [value for value in seconds if value is not None]
    return round(median(known) / 60, 1) if known else None


def _month_number(at: datetime) -> int:
    at = at if at.tzinfo is UTC else at.astimezone(UTC)
    return at.year * 12 + at.month - 1


# --- the most fragile area -----------------------------------------------------------------------


def _most_fragile(memories: Sequence[Memory]) -> Fragile | None:
    """Return the file that burned most often, else the feature, else the service.

    Among equals, the one that cost users more. None if nothing burned three times.
    """
    for areas in (
        _by_area(((past.service, past.file), past) for past in memories if past.file),
        _by_area(((past.service, name), past) for past in memories for name in set(past.features)),
        _by_area(((past.service, past.service), past) for past in memories),
    ):
        often = max(map(len, areas.values()), default=0)
        if often >= FRAGILE_COUNT:
            equals = [pair for pair in areas.items() if len(pair[1]) == often]
            (service, name), hits = max(
                equals, key=lambda pair: (_impact_minutes(pair[1]), pair[0])
            )
            hits.sort(key=lambda past: (past.at, past.id), reverse=True)
            return Fragile(area=name, service=service, says=_fragile_evidence(service, name, hits))
    return None


def _by_area(
    pairs: Iterable[tuple[tuple[str, str], Memory]],
) -> dict[tuple[str, str], list[Memory]]:
    groups: dict[tuple[str, str], list[Memory]] = {}
    for name, past in pairs:
        groups.setdefault(name, []).append(past)
    return groups


def _impact_minutes(hits: Sequence[Memory]) -> int:
    return sum(past.impact_minutes or 0 for past in hits)


def _fragile_evidence(service: str, name: str, hits: Sequence[Memory]) -> str:
    area = name if name == service else f"{name} of {service}"
    parts = [f"{area}: {counted(len(hits), 'incident')} ({listed([past.id for past in hits])})"]
    if minutes := _impact_minutes(hits):
        parts.append(f"{counted(minutes, 'minute')} of user impact")
    causes = [
        kind
        for kind, times in most_frequent(past.cause_kind for past in hits if past.cause_kind)
        if times > 1
    ]
    if causes:
        parts.append(f"mostly by {CAUSE_WORDS.get(causes[0], causes[0])}")
    if left := sum(past.open_items for past in hits):
        parts.append(f"{counted(left, 'action item')} open")
    return ", ".join(parts) + "."
