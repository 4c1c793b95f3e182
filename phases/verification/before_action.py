"""Phase 5: what every look of a round is compared with: rates and traffic before the action."""

import asyncio
import math
from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import TypeVar

from phases.ports.ports import ErrorTracker, PortError
from phases.ports.tracker_values import Minutes
from phases.record.incident import Incident, Round
from phases.record.service import Service
from phases.record.traffic_seen import BeforeAction, TrafficBefore, TrafficSeen
from phases.shared.counts import SPREAD_ASSUMED, Measured, scatter
from phases.verification.burning_span import acted_at, burning_span
from phases.verification.jobs import by_runs, found_job

MINUTE = timedelta(minutes=1)
CALM = timedelta(hours=12)
"""Before trouble began, for the scatter: 720 minutes tell it, in an answer of half a day."""
NEVER = Measured(per_minute=0.0, minutes=0.0)
T = TypeVar("T")


async def answer_or_error(asked: Awaitable[T]) -> T | PortError:
    """Return the answer, or why there is none: one of several questions stops no other one."""
    try:
        return await asked
    except PortError as error:
        return error


def baseline(incident: Incident, before: BeforeAction | None = None) -> Measured:
    """Return the rate before trouble began, as triage measured it, and how much it scatters.

    The scatter is that of `before`, else of the newest round that knows it.
    """
    report = incident.triage
    if report is None:
        return NEVER
    rounds = (round.before for round in reversed(incident.rounds))
    known = (counts.calm_spread for counts in (before, *rounds) if counts is not None)
    spread = next((spread for spread in known if spread is not None), SPREAD_ASSUMED)
    return Measured(report.baseline_per_minute, report.baseline_minutes, spread)


def burning_rate(before: BeforeAction) -> Measured:
    """Return the rate while trouble was left alone."""
    spread = SPREAD_ASSUMED if before.burning_spread is None else before.burning_spread
    return Measured(before.events / before.minutes, before.minutes, spread)


async def before_action(
    incident: Incident,
    service: Service,
    tracker: ErrorTracker,
    ids: tuple[str, ...],
    current: Round | None,
    clock: datetime,
) -> tuple[BeforeAction, bool] | PortError:
    """Return what was before the action, and whether that may be remembered.

    It is asked for once a round; again where a part of it was not answered.
    """
    if current is not None and current.before is not None:
        return current.before, False
    span = await answer_or_error(
        burning_span(incident, service, acted_at(current, clock), tracker, ids)
    )
    if isinstance(span, PortError):
        return span
    since, until = span
    report = incident.triage
    began = (report.began_at if report else None) or since
    usual = timedelta(minutes=report.baseline_minutes if report else 0)
    calm = began - min(usual, CALM)
    events, minutes, *traffic = await asyncio.gather(
        answer_or_error(tracker.count([service], ids, since, until)),
        answer_or_error(tracker.per_minute([service], ids, calm, until)),
        answer_or_error(traffic_of(tracker, service, ids, (began - usual, began))),
        answer_or_error(traffic_of(tracker, service, ids, (since, until))),
    )
    if isinstance(events, PortError):
        return events
    known = [None if isinstance(answer, PortError) else answer for answer in traffic]
    before = BeforeAction(
        events=events,
        minutes=(until - since) / MINUTE,
        traffic=TrafficBefore(usual=known[0], burning=known[1]),
    )
    if not isinstance(minutes, PortError):
        before = with_scatter(before, minutes, (calm, began), (since, until))
    return before, not any(isinstance(answer, PortError) for answer in (minutes, *traffic))


async def traffic_of(
    tracker: ErrorTracker, service: Service, ids: tuple[str, ...], span: tuple[datetime, datetime]
) -> TrafficSeen | None:
    """Return the traffic of a span; None also where there are no errors to compare it with.

    Raises `PortError`.
    """
    return await tracker.traffic(service, *span) if ids else None


def with_scatter(
    before: BeforeAction,
    minutes: Minutes,
    calm: tuple[datetime, datetime],
    fire: tuple[datetime, datetime],
) -> BeforeAction:
    """Add how much the minutes scatter. A sample of the events scatters otherwise than they do."""
    if not minutes.known or minutes.sampled:
        return before
    of_a_job = _with_job(before, minutes, calm, fire)
    if of_a_job is not None:
        return of_a_job
    calm_spread = scatter(_whole_minutes(minutes, *calm))
    burning_spread = scatter(_whole_minutes(minutes, *fire), calm_spread, math.inf)
    return before.model_copy(update={"calm_spread": calm_spread, "burning_spread": burning_spread})


def _with_job(
    before: BeforeAction,
    minutes: Minutes,
    calm: tuple[datetime, datetime],
    fire: tuple[datetime, datetime],
) -> BeforeAction | None:
    """Count by the runs of a job, where one brings the errors; None: it is no job."""
    begin, began, until = (at.replace(second=0, microsecond=0) for at in (calm[0], *fire))
    span = range((until - begin) // MINUTE)
    counts = [minutes.counts.get(begin + number * MINUTE, 0) for number in span]
    burning = (until - began) // MINUTE
    job = found_job(counts, burning, begin)
    burned = job.minutes(began, fire[1]) if job is not None else 0.0
    if job is None or not burned:
        return None
    calm_spread = scatter(by_runs(counts[: (calm[1] - begin) // MINUTE], begin, job))
    fire_runs = by_runs(counts[len(counts) - burning :], began, job)
    fields = {"job": job, "minutes": burned, "calm_spread": calm_spread}
    fields["burning_spread"] = scatter(fire_runs, calm_spread, math.inf)
    return before.model_copy(update=fields)


def _whole_minutes(minutes: Minutes, since: datetime, until: datetime) -> list[int]:
    """Return the counts of the whole minutes in a span, but for those that may still grow."""
    at = since.replace(second=0, microsecond=0)
    at += MINUTE if at < since else timedelta()
    incomplete, counts = set(minutes.incomplete), list[int]()
    while at + MINUTE <= until:
        if at not in incomplete:
            counts.append(minutes.counts.get(at, 0))
        at += MINUTE
    return counts
