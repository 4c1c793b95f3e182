"""Phase 5, how a look is judged: the event rate against what the baseline allows, the endpoint, new issues.

Workflow: "confirm new event rate dropped to zero or pre-incident baseline; hit affected endpoint manually to confirm". When looks
are due and what they lead to: `verification_steps.py`.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from phases.actions import Looked
from phases.incident import Incident, Round
from phases.ports import Endpoint, ErrorTracker, IssueRow, PortError
from phases.report import EndpointAnswer, Look, LookVerdict
from phases.service import Service
from phases.wording import counted, listed

ALLOWED_FACTOR = 1.5
ALLOWED_EXTRA = 3
GRACE = timedelta(seconds=60)  # "from start + 60 s …"
GRACE_SHARE = 5  # "… (a fifth of the first wait, where that is shorter)"
MINUTE = timedelta(minutes=1)


def allowed(expected: float) -> int:
    """Events at which the baseline still counts as reached, where it lets one expect `expected` of them.

    At most half more than expected and three beside: enough for the chance of small numbers, and simple. A test on the
    Poisson distribution of counts would be tighter for large numbers and wider for small ones; it can take this place.
    """
    return math.floor(ALLOWED_FACTOR * max(expected, 0.0) + ALLOWED_EXTRA)


def grace(service: Service) -> timedelta:
    """What happened this soon after the action may still be the old release dying."""
    return min(GRACE, timedelta(seconds=service.recheck_after_seconds) / GRACE_SHARE)


def tells(events: int, still_burning: float, limit: int) -> bool:
    """Whether so few events say anything: had nothing changed, more than allowed would have come in this time."""
    return events > limit or still_burning > limit


def verdict(
    events: int, limit: int, still_burning: float, endpoint: EndpointAnswer | None, new: Sequence[str]
) -> tuple[LookVerdict, tuple[str, ...]]:
    """Recovered: few enough events, *and* the endpoint answers well, *and* no issue is new in what runs now."""
    bad: list[str] = []
    if events > limit:
        bad.append(f"{counted(events, 'event')} where the baseline allows {limit}")
    if endpoint is not None and not endpoint.ok:
        bad.append(f"the endpoint does not answer well: {endpoint.said}")
    if new:
        bad.append(f"{counted(len(new), 'issue')} new in the release that runs now: {listed(list(new))}")
    if bad:
        return LookVerdict.NOT_RECOVERED, tuple(bad)
    if not tells(events, still_burning, limit):
        return LookVerdict.TOO_FEW, (f"before, about {still_burning:.1f} would have come in this time",)
    return LookVerdict.RECOVERED, ()


async def look_again(
    incident: Incident,
    service: Service,
    round_number: int,
    look_number: int,
    tracker: ErrorTracker | None,
    endpoint: Endpoint,
    now: datetime,
) -> Looked:
    """One look at Sentry and at the endpoint. Never raises: what cannot be asked is the look's verdict.

    Counts from the round's clock and a grace on, against the baseline that triage measured.
    """
    current = next((r for r in incident.rounds if r.number == round_number), None)
    clock = (current.clock_started_at if current else None) or now
    begin = min(clock + grace(service), now)
    ids = _issues(incident)
    answered, measured = await asyncio.gather(
        _call(endpoint, service), _measure(incident, service, current, tracker, ids, clock, begin, now)
    )
    reasons: list[str] = [] if service.endpoint else ["no endpoint is configured, so none was called"]
    before = incident.triage.per_minute if incident.triage else 0.0
    look = Look(
        number=look_number,
        at=now,
        verdict=LookVerdict.UNREACHABLE,
        before_per_minute=before,
        minutes=round((now - begin) / MINUTE, 2),
        endpoint=answered,
    )
    if isinstance(measured, PortError):
        return Looked(round=round_number, look=_with(look, reasons=(measured.text,)))
    events, still_burning, new = measured
    minutes = (now - begin) / MINUTE
    expected = incident.triage.baseline_per_minute * minutes if incident.triage else 0.0
    limit = allowed(expected)
    judged, why = verdict(events, limit, still_burning, answered, new)
    if not ids and judged is not LookVerdict.NOT_RECOVERED:
        judged, why = LookVerdict.TOO_FEW, ("no Sentry issue belongs to this incident, so nothing was measured",)
    return Looked(
        round=round_number,
        look=_with(
            look,
            verdict=judged,
            events=events,
            expected=round(expected, 2),
            allowed=limit,
            after_per_minute=round(events / minutes, 2) if minutes > 0 else 0.0,
            new_issues=tuple(new),
            reasons=(*why, *reasons),
        ),
    )


async def _call(endpoint: Endpoint, service: Service) -> EndpointAnswer | None:
    return await endpoint.call(service.endpoint) if service.endpoint else None


async def _measure(
    incident: Incident,
    service: Service,
    current: Round | None,
    tracker: ErrorTracker | None,
    ids: Sequence[str],
    clock: datetime,
    begin: datetime,
    now: datetime,
) -> tuple[int, float, list[str]] | PortError:
    """Events since, what would have come had nothing changed, and the short ids of issues new in what runs now."""
    if tracker is None:
        return PortError("Sentry", "Sentry is not set up", retryable=False)
    release = running_release(current)
    try:
        events, before, new = await asyncio.gather(
            tracker.count([service], ids, begin, now),
            _before(tracker, service, current, ids, now - begin),
            tracker.new_issues(service, release, clock, now) if release else _none(),
        )
    except PortError as error:
        return error
    minutes = (now - begin) / MINUTE
    rate = incident.triage.per_minute if incident.triage else 0.0
    return events, max(float(before), rate * minutes), [i.short_id for i in new]


async def _before(
    tracker: ErrorTracker, service: Service, current: Round | None, ids: Sequence[str], span: timedelta
) -> int:
    """Events in a span as long as the look's, right before the action."""
    action = current.action if current else None
    if action is None:
        return 0
    until = action.started_at or action.at
    return await tracker.count([service], ids, until - span, until)


async def _none() -> Sequence[IssueRow]:
    return ()


def running_release(current: Round | None) -> str | None:
    """What the deployer said runs after the action; None where nothing was deployed."""
    action = current.action if current else None
    if action is None:
        return None
    if action.proof and action.proof.after:
        return action.proof.after
    return action.to_release.version if action.to_release and action.result == "done" else None


def _issues(incident: Incident) -> tuple[str, ...]:
    ids = incident.triage.issue_ids if incident.triage else ()
    return tuple(dict.fromkeys((*ids, *incident.seeds)))


def _with(look: Look, **changed: object) -> Look:
    return look.model_copy(update=changed)
