"""Phase 5, how a look is judged: events against what the baseline allows, the endpoint, new issues.

Workflow: "confirm new event rate dropped to zero or pre-incident baseline; hit affected endpoint manually to confirm". The test
on counts: `counts.py`. When looks are due and what they lead to: `verification_steps.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from phases.messages.results import Looked
from phases.ports.ports import Endpoint, ErrorTracker, PortError
from phases.ports.tracker_values import IssueRow
from phases.record.findings import EndpointAnswer, Look, LookVerdict, Picture, Release
from phases.record.incident import ActionKind, Incident, Round
from phases.record.service import Service
from phases.record.wording import counted, lasting, listed
from phases.triage.blast_radius import ERROR
from phases.verification.event_chart import begins, drawn, quick
from phases.verification.event_counts import SIZE, Limits, Measured, limits

GRACE = timedelta(seconds=60)  # "from start + 60 s …"
GRACE_SHARE = 5  # "… (a fifth of the first wait, where that is shorter)"
BURNING_WINDOWS = 4  # the rate before is counted from the beginning of trouble, at most over four windows (an hour)
MINUTE = timedelta(minutes=1)


def grace(service: Service) -> timedelta:
    """What happened this soon after the action may still be the old release dying."""
    return min(GRACE, timedelta(seconds=service.recheck_after_seconds) / GRACE_SHARE)


def verdict(
    events: int, held: Limits, endpoint: EndpointAnswer | None, new: Sequence[str]
) -> tuple[LookVerdict, tuple[str, ...]]:
    """Recovered: few enough events, *and* the endpoint answers well, *and* no issue is new in what runs now.

    With the reasons, the comparison of the counts first.
    """
    reasons = [compared(events, held)]
    bad: list[str] = []
    if endpoint is not None and not endpoint.ok:
        bad.append(f"the endpoint does not answer well: {endpoint.said}")
    if new:
        bad.append(
            f"{counted(len(new), 'issue')} new in the release that runs now: {listed(list(new))}"
        )
    if bad or events > held.burning:
        return LookVerdict.NOT_RECOVERED, (*reasons, *bad)
    if events <= held.recovered:
        return LookVerdict.RECOVERED, tuple(reasons)
    if held.small:
        return LookVerdict.TOO_FEW, (*reasons, f"below {SIZE} that says nothing")
    return LookVerdict.TOO_FEW, (*reasons, "trouble that goes on can be as quiet as that by chance")


def compared(events: int, held: Limits) -> str:
    """`4 events where up to 12 are normal, about 180 if it had gone on`: for people to check."""
    unchanged = (
        f"{held.unchanged:,.0f}" if held.unchanged >= 1 or held.unchanged == 0 else "less than 1"
    )
    normal = f"{counted(events, 'event')} where up to {held.allowed:,} are normal"
    return f"{normal}, about {unchanged} if it had gone on"


NOT_MEASURED = ", so nothing was measured"
"""Ends the reason of a look that had nothing to count: no number of it may be shown."""


async def look_again(
    incident: Incident,
    service: Service,
    round_number: int,
    look_number: int,
    tracker: ErrorTracker | None,
    endpoint: Endpoint,
    now: datetime,
    *,
    forward: timedelta = timedelta(),
) -> Looked:
    """One look at Sentry and at the endpoint. Never raises: what cannot be asked is the look's verdict.

    `forward`: by so much the clock was set forward since the action. Minutes that never passed are quiet, or those of the
    fire are counted: that proves nothing either way.

    Counts from the round's clock and a grace on, against the baseline that triage measured.
    """
    current = incident.round_of(round_number)
    clock = (current.clock_started_at if current else None) or now
    begin = min(clock + grace(service), now)
    ids = _issues(incident) if tracker is not None else ()
    answered, measured = await asyncio.gather(
        _call(endpoint, service),
        _measure(incident, service, current, tracker, ids, clock, begin, now),
    )
    unasked = () if service.endpoint else ("no endpoint is configured, so none was called",)
    minutes = (now - begin) / MINUTE
    look = Look(
        number=look_number,
        at=now,
        verdict=LookVerdict.UNREACHABLE,
        before_per_minute=incident.triage.per_minute if incident.triage else 0.0,
        minutes=round(minutes, 2),
        endpoint=answered,
    )
    if isinstance(measured, PortError):
        return Looked(round=round_number, look=_with(look, reasons=(measured.text,)))
    events, burning, new, untold = measured
    held = limits(baseline(incident), burning, minutes)
    judged, why = verdict(events, held, answered, new)
    if untold is not None and judged is not LookVerdict.NOT_RECOVERED:
        # Whether something is new in what runs now is not known, and that is never recovery.
        return Looked(round=round_number, look=_with(look, reasons=(untold.text,)))
    if not ids and judged is not LookVerdict.NOT_RECOVERED:
        none = (
            "no Sentry issue belongs to this incident"
            if tracker is not None
            else "Sentry is not set up"
        )
        judged, why = LookVerdict.TOO_FEW, (f"{none}{NOT_MEASURED}",)
    elif forward and ids and (answered is None or answered.ok):
        judged, why = (
            LookVerdict.TOO_FEW,
            (f"the clock here was set forward by {lasting(forward)} meanwhile",),
        )
    elif judged is LookVerdict.RECOVERED and tracker is not None:
        try:
            others = await _not_errors(incident, tracker)
        except PortError as error:
            return Looked(round=round_number, look=_with(look, reasons=(error.text,)))
        if others:
            judged = LookVerdict.TOO_FEW
            why = (
                *why,
                f"{listed(others)} cannot be counted as errors, so whether that is over is not known",
            )
    picture = None
    if judged is LookVerdict.RECOVERED and look_number > 0 and tracker is not None:
        picture, why_not = await _picture(tracker, incident, service, ids, now)
        unasked = (*unasked, *why_not)
    return Looked(
        round=round_number,
        picture=picture,
        look=_with(
            look,
            verdict=judged,
            events=events,
            expected=round(held.expected, 2),
            allowed=held.allowed,
            unchanged=round(held.unchanged, 1),
            before_per_minute=round(burning.per_minute, 2),
            after_per_minute=round(events / minutes, 2) if minutes > 0 else 0.0,
            new_issues=tuple(new),
            reasons=(*why, *unasked),
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
) -> tuple[int, Measured, list[str], PortError | None] | PortError:
    """Events since, the rate while it burned, and the short ids of issues new in what runs now; with why not all of these are known.

    A count that says "not recovered" says so whatever else could not be asked.
    """
    if tracker is None:
        return 0, Measured(0.0, 0.0), [], None

    async def new_in(name: str) -> Sequence[IssueRow] | PortError:
        try:
            return await tracker.new_issues(service, name, clock, now)
        except PortError as error:
            return error

    try:
        (events, burning), told = await asyncio.gather(
            tally(incident, service, current, tracker, ids, clock, (begin, now)),
            asyncio.gather(*(new_in(name) for name in _names(incident, current))),
        )
    except PortError as error:
        return error
    new = [issue.short_id for found in told if not isinstance(found, PortError) for issue in found]
    untold = next((found for found in told if isinstance(found, PortError)), None)
    return events, burning, list(dict.fromkeys(new)), untold


async def tally(
    incident: Incident,
    service: Service,
    current: Round | None,
    tracker: ErrorTracker,
    ids: Sequence[str],
    clock: datetime,
    span: tuple[datetime, datetime],
) -> tuple[int, Measured]:
    """Events of these issues in the span, and their rate while they burned. Raises `PortError`."""
    since, until = burned(incident, service, current, clock)
    events, before = await asyncio.gather(
        tracker.count([service], ids, *span), tracker.count([service], ids, since, until)
    )
    minutes = (until - since) / MINUTE
    return events, Measured(before / minutes, minutes)


async def _picture(
    tracker: ErrorTracker, incident: Incident, service: Service, ids: Sequence[str], now: datetime
) -> tuple[Picture | None, tuple[str, ...]]:
    """Or why there is none: recovery is not kept waiting for a picture of it."""
    since = begins(incident.detected_at, now, service.window)
    try:
        if (short := quick(incident.detected_at, now, service.window)) is not None:
            empty, spans = short
            counts = await asyncio.gather(*(tracker.count([service], ids, *span) for span in spans))
            return empty.model_copy(update={"counts": tuple(counts)}), ()
        minutes = await tracker.per_minute([service], ids, since, now)
    except PortError as error:
        return None, (f"no picture of it: {error.text}",)
    return drawn(minutes, incident.detected_at, now, service.window), ()


def burned(
    incident: Incident, service: Service, current: Round | None, clock: datetime
) -> tuple[datetime, datetime]:
    """From when to when the trouble was left alone: from its beginning until somebody acted, an hour at most."""
    action = current.action if current else None
    until = (action.started_at or action.at) if action else clock
    began = incident.triage.began_at if incident.triage else None
    earliest = until - BURNING_WINDOWS * service.window
    if began is None or began >= until:
        return until - service.window, until
    return max(began, earliest), until


def baseline(incident: Incident) -> Measured:
    """Before trouble began, as triage measured it."""
    report = incident.triage
    return (
        Measured(report.baseline_per_minute, report.baseline_minutes)
        if report
        else Measured(0.0, 0.0)
    )


def running_release(current: Round | None) -> str | None:
    """What the deployer said runs after the action; None where nothing was deployed."""
    action = current.action if current else None
    if action is None:
        return None
    if action.proof and action.proof.after:
        return action.proof.after
    return action.to_release.version if action.to_release and action.result == "done" else None


def _names(incident: Incident, current: Round | None) -> tuple[str, ...]:
    """What events of the running release may carry: its version, or its commit."""
    action = current.action if current else None
    if action is not None and action.kind is ActionKind.FIXED:
        return _ran_all_along(incident, action.at)
    running, meant = running_release(current), action.to_release if action else None
    # Sentry may know what was deployed by its commit alone. Where something else runs, that commit says nothing of it.
    shipped = action is not None and action.kind is ActionKind.HOTFIX
    by_commit = meant is not None and (
        shipped or running is None or meant.same_as(Release(version=running))
    )
    return tuple(
        dict.fromkeys(
            name for name in (running, meant.commit if meant and by_commit else None) if name
        )
    )


def _ran_all_along(incident: Incident, at: datetime) -> tuple[str, ...]:
    """*Fixed another way* deploys nothing: what runs is what the newest deploy before it brought, else what triage saw."""
    done = (
        one
        for one in reversed(incident.rounds)
        if one.action is not None and one.action.result == "done"
    )
    newest = next((one for one in done if running_release(one) is not None), None)
    own = newest.action.finished_at if newest is not None and newest.action is not None else None
    seen = incident.triage.running if incident.triage is not None else None
    found = [(own, _names(incident, newest))] if own is not None else []
    if incident.triage is not None and seen is not None:
        found.append(
            (incident.triage.at, tuple(name for name in (seen.version, seen.commit) if name))
        )
    found += [(when, (version,)) for when, version in deploys_heard(incident) if when <= at]
    return tuple(dict.fromkeys(max(found, key=lambda one: one[0], default=(at, ()))[1]))


def deploys_heard(incident: Incident) -> tuple[tuple[datetime, str], ...]:
    """Deploys by others that the incident was told of: when, and which version."""
    told = (
        one.removeprefix("deploy:").rpartition("@")
        for one in incident.heard
        if one.startswith("deploy:")
    )
    return tuple((datetime.fromisoformat(at), version) for version, _, at in told)


async def _not_errors(incident: Incident, tracker: ErrorTracker) -> tuple[str, ...]:
    """Return the short ids of a monitor's issues: errors that stop say nothing of them.

    What an alert named since triage was never measured, so Sentry is asked what it is. Raises `PortError`.
    """
    measured = incident.triage.issue_ids if incident.triage else ()
    named = [id for id in incident.seeds if id not in measured]
    found = await asyncio.gather(*(is_monitor(incident, tracker, id) for id in named))
    return tuple(dict.fromkeys((*monitors(incident).values(), *(one for one in found if one))))


def monitors(incident: Incident) -> dict[str, str]:
    """Short ids, by id, of those of a monitor's issues that triage measured."""
    report = incident.triage
    if report is None:
        return {}
    return {**report.monitors, **{i.id: i.short_id for i in report.issues if i.category != ERROR}}


async def is_monitor(incident: Incident, tracker: ErrorTracker, issue: str) -> str | None:
    """Return its short id where an issue is a monitor's; None: it is counted as errors, or it is gone.

    Raises `PortError` where another try may tell.
    """
    if (known := monitors(incident).get(issue)) is not None:
        return known
    if incident.triage is not None and issue in incident.triage.issue_ids:
        return None
    try:
        row = await tracker.issue(issue)
    except PortError as error:
        if error.retryable:
            raise
        return None
    return row.short_id if row.category != ERROR else None


def _issues(incident: Incident) -> tuple[str, ...]:
    ids = incident.triage.issue_ids if incident.triage else ()
    return tuple(dict.fromkeys((*ids, *incident.seeds)))


def _with(look: Look, **changed: object) -> Look:
    return look.model_copy(update=changed)
