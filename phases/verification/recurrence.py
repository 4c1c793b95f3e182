"""After recovery the bot looks by itself whether it burns again: Sentry calls a return in the release that runs no regression.

How such a look is judged; what it leads to: `guard_steps.py`. It says that trouble is back only where it is sure: below
that it says nothing, because nobody is woken by a guess.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

from phases.messages.actions import GuardDue
from phases.messages.results import GuardLooked
from phases.ports.ports import ErrorTracker, PortError
from phases.record.findings import IssueSeen, LookVerdict, Release
from phases.record.incident import (
    VERIFIED,
    ActionKind,
    GuardLook,
    Incident,
    Round,
    RoundAction,
    Status,
)
from phases.record.service import RECHECK_UNTIL_SECONDS, Service
from phases.record.wording import counted, foreign, lasting
from phases.steps.change import Draft
from phases.steps.rounds import GUARD_TIMER
from phases.triage.blast_radius import ERROR, LEVELS, SPIKE_EVENTS, SPIKE_FACTOR, seen
from phases.verification.event_counts import (
    FALSE_RETURN,
    FALSE_SOON,
    SIZE,
    SOON_SIZE,
    Measured,
    limits,
    usual,
)
from phases.verification.recheck import (
    MINUTE,
    NOT_MEASURED,
    baseline,
    burned,
    deploys_heard,
    is_monitor,
    running_release,
    verdict,
)

GUARD = timedelta(minutes=60)  # rules: the same issue reopens within 60 minutes of recovery
LOOKS = (timedelta(minutes=15), timedelta(minutes=30), GUARD)
"""After recovery: most of what comes back does so soon, and the last look is the guard's end."""
SPAN = timedelta(minutes=15)  # a look counts what burns now: phase 1's "last 15 minutes"
EVERY = timedelta(minutes=1)  # in between: one cheap call …
SOON = timedelta(
    minutes=3
)  # … at the newest minutes, so that a return at the old rate is seen within three
LEAST = timedelta(
    seconds=1
)  # where re-checks come sooner than the workflow has them, no look comes sooner than this
OLD_RATE = 0.5  # of the fire's rate: so many events of a release that was taken back are no stragglers, it runs again


def pace(service: Service) -> float:
    """Where re-checks come sooner than the workflow has them, so do these looks; never later, or the guard would be over."""
    return min(service.recheck_until_seconds / RECHECK_UNTIL_SECONDS, 1.0)


def due(number: int, service: Service) -> timedelta:
    """So long after recovery comes the look of this number."""
    return LOOKS[number - 1] * pace(service)


def every(service: Service) -> timedelta:
    return max(EVERY * pace(service), LEAST)


def soon(service: Service) -> timedelta:
    return max(SOON * pace(service), 3 * every(service))


def recovery(look: GuardLook) -> datetime:
    return look.until - GUARD


def watch(draft: Draft) -> Draft:
    """The first look is due. None where nothing was measured, so that nothing could be told; nor in a drill."""
    incident = draft.incident
    if incident.drill or not _measured(incident) or incident.guard_until is None:
        return draft
    first = GuardLook(until=incident.guard_until, number=1, seeds=len(incident.seeds), whole=False)
    return draft.timer(GUARD_TIMER, every(draft.service).total_seconds(), GuardDue(look=first))


def _measured(incident: Incident) -> bool:
    return incident.triage is not None and incident.triage.manual_by is None


def issues(incident: Incident, look: GuardLook) -> tuple[str, ...]:
    """Those that recovery was verified for, and the one that an alarm names."""
    measured = incident.triage.issue_ids if incident.triage else ()
    named = (look.issue,) if look.issue else ()
    return tuple(dict.fromkeys((*measured, *incident.seeds[: look.seeds], *named)))


def gone(incident: Incident) -> frozenset[str]:
    """Names of what was taken out of production, as far as nobody has deployed it again since: versions, and their commits.

    Events carry either; who deploys it again may call it by either, too.
    """
    acted = [
        one.action
        for one in incident.rounds
        if one.action is not None and one.action.result == "done"
    ]
    deployed = [one for one in acted if one.kind is not ActionKind.FIXED]
    taken = [one.from_release for one in deployed if one.from_release is not None]
    taken += [
        Release(version=name) for name in (*map(_read, deployed), *incident.rolled_back) if name
    ]
    newest = next(
        (one for one in reversed(incident.rounds) if running_release(one) is not None), None
    )
    since = newest.action.at if newest is not None and newest.action is not None else None
    runs = [
        Release(version=version)
        for at, version in deploys_heard(incident)
        if since is None or at > since
    ]
    if (
        newest is not None
        and newest.action is not None
        and (running := running_release(newest)) is not None
    ):
        runs.append(Release(version=running))
        meant = newest.action.to_release
        runs += [meant] if meant is not None and meant.same_as(runs[-1]) else []
    again = [one for one in taken if any(one.same_as(other) for other in runs)]
    out = [one for one in taken if not any(one.same_as(other) for other in again)]
    return frozenset(name for one in out for name in (one.version, one.commit) if name)


def _read(acted: RoundAction) -> str | None:
    return acted.proof.before if acted.proof else None


def back(
    events: int, base: Measured, burning: Measured, quiet_per_minute: float, minutes: float
) -> bool:
    """Not recovered by the re-check's own test, *and* enough events to tell, *and* more than the baseline brings by chance in
    one look of 10,000, *and* a spike as phase 1 has it: over the baseline (which knows nothing of the time of day), and over
    what was still there when recovery was said.
    """
    if events < max(SIZE, _spike(base, quiet_per_minute, minutes)) or events <= usual(
        base, minutes, FALSE_RETURN
    ):
        return False
    return verdict(events, limits(base, burning, minutes), None, ())[0] is LookVerdict.NOT_RECOVERED


def back_soon(
    events: int, base: Measured, burning: Measured, quiet_per_minute: float, minutes: float
) -> bool:
    """At the newest minutes: at about the old rate, *and* a spike, *and* more than the baseline brings by chance in one look of
    100,000, because there are so many such looks. Where the baseline was never measured, as many events as the re-check needs.
    """
    least = SOON_SIZE if base.minutes > 0 else SIZE
    if (
        events < max(least, _spike(base, quiet_per_minute, minutes))
        or events < OLD_RATE * burning.per_minute * minutes
    ):
        return False
    lately = Measured(
        max(base.per_minute, quiet_per_minute), base.minutes
    )  # the baseline knows nothing of the time of day
    return burning.minutes > 0 and events > usual(lately, minutes, FALSE_SOON)


def _spike(base: Measured, quiet_per_minute: float, minutes: float) -> int:
    return math.ceil(SPIKE_FACTOR * max(base.per_minute, quiet_per_minute) * minutes)


def judged(
    events: int, base: Measured, burning: Measured, quiet_per_minute: float, minutes: float
) -> tuple[Literal["back", "quiet", "cannot tell"], int]:
    """And up to how many events are normal."""
    held = limits(base, burning, minutes)
    if back(events, base, burning, quiet_per_minute, minutes):
        return "back", held.allowed
    recovered = verdict(events, held, None, ())[0] is LookVerdict.RECOVERED
    return ("quiet" if recovered else "cannot tell"), held.allowed


def quiet_rate(current: Round | None) -> float:
    """Events a minute that the last measured look saw, and that recovery was said over."""
    looks = reversed(current.looks) if current else ()
    counted = (
        one for one in looks if one.number > 0 and one.verdict is not LookVerdict.UNREACHABLE
    )
    last = next(
        (one for one in counted if not any(why.endswith(NOT_MEASURED) for why in one.reasons)), None
    )
    return last.after_per_minute if last is not None else 0.0


async def look_back(
    incident: Incident,
    service: Service,
    look: GuardLook,
    tracker: ErrorTracker | None,
    now: datetime,
    *,
    forward: timedelta = timedelta(),
) -> GuardLooked:
    """One look at Sentry. Never raises: what cannot be asked is the look's answer.

    Only what came after recovery is counted: where the clock was set back since, that is less time, or none. `forward`: by so
    much it was set forward since recovery; then nobody knows when that was.
    """
    length = SPAN * pace(service) if look.whole else soon(service)
    since = (
        now - length if look.alarm is None else min(now - length, look.alarm.at - every(service))
    )
    begin = max(recovery(look), since)
    told = GuardLooked(
        look=look, at=now, found="cannot tell", minutes=max((now - begin) / MINUTE, 0.0)
    )
    if tracker is None:
        return told if look.alarm is None else told.model_copy(update={"found": "not set up"})
    if forward:
        return told.model_copy(
            update={"text": f"the clock here was set forward by {lasting(forward)}"}
        )
    ids = issues(incident, look)
    if not ids or begin >= now:
        return told
    try:
        return await _asked(incident, service, tracker, ids, told, begin)
    except PortError as error:
        return told.model_copy(update={"found": "not asked", "text": error.text})


async def _asked(
    incident: Incident,
    service: Service,
    tracker: ErrorTracker,
    ids: tuple[str, ...],
    told: GuardLooked,
    begin: datetime,
) -> GuardLooked:
    """One cheap call where it is quiet. By which releases is asked only where it matters. Raises `PortError`."""
    look, now = told.look, told.at
    current = next((one for one in reversed(incident.rounds) if one.verdict in VERIFIED), None)
    base, quiet = baseline(incident), quiet_rate(current)
    events, burning = await asyncio.gather(
        tracker.count([service], ids, begin, now),
        _burning(incident, service, current, tracker, ids, look),
    )
    told = told.model_copy(
        update={"look": look.model_copy(update={"burned": (burning.per_minute, burning.minutes)})}
    )
    spans: list[tuple[datetime, Callable[..., bool]]] = [(begin, back if look.whole else back_soon)]
    if look.alarm is not None:  # what has only just begun is lost among a quarter of an hour
        spans.append((max(begin, now - soon(service)), back_soon))
    old: Stragglers = (0, ())
    for since, test in spans:
        count = events if since == begin else await tracker.count([service], ids, since, now)
        minutes = (now - since) / MINUTE
        if (
            test is back_soon
        ):  # where recovery was not so long ago, as many events as in the whole of it
            minutes = max(minutes, soon(service) / MINUTE)
        if not test(count, base, burning, quiet, minutes):
            continue
        old = await _stragglers(incident, service, tracker, ids, since, now)
        if (
            test(count - old[0], base, burning, quiet, minutes)
            or old[0] >= OLD_RATE * burning.per_minute * minutes
        ):
            counted_over = (now - since) / MINUTE
            allowed = limits(base, burning, counted_over).allowed
            return _with(told, found="back", events=count, minutes=counted_over, allowed=allowed)
    if look.alarm is not None:
        old = await _stragglers(incident, service, tracker, ids, begin, now) if events else (0, ())
    found, allowed = judged(events - old[0], base, burning, quiet, told.minutes)
    if found == "back":  # by a test that this look did not make
        found = "cannot tell"
    if (
        look.alarm is not None
    ):  # it asks whether that is more than usual, and not whether it is over
        found = "quiet" if events - old[0] <= allowed else "cannot tell"
    told = _with(told, found=found, events=events, allowed=allowed, stragglers=old[0], gone=old[1])
    if look.alarm is not None and incident.status is Status.MITIGATED:
        told = await _others(incident, service, tracker, ids, told, begin)
    if told.found == "quiet" and look.issue and await is_monitor(incident, tracker, look.issue):
        why = "it is not counted as errors, so whether that is a return is not known: please look"
        return _with(told, found="cannot tell", text=why)
    return told


Stragglers = tuple[int, tuple[str, ...]]
"""Events of releases that no longer run, and these releases."""


async def _burning(
    incident: Incident,
    service: Service,
    current: Round | None,
    tracker: ErrorTracker,
    ids: tuple[str, ...],
    look: GuardLook,
) -> Measured:
    """Asked for once: it does not change any more."""
    if look.burned is not None:
        return Measured(*look.burned)
    clock = (current.clock_started_at if current else None) or recovery(look)
    since, until = burned(incident, service, current, clock)
    minutes = (until - since) / MINUTE
    return Measured(await tracker.count([service], ids, since, until) / minutes, minutes)


async def _stragglers(
    incident: Incident,
    service: Service,
    tracker: ErrorTracker,
    ids: tuple[str, ...],
    since: datetime,
    until: datetime,
) -> Stragglers:
    """Old tabs, apps and queues. Events without a release, or of one that nobody can name, are none."""
    taken = gone(incident)
    if not taken:
        return 0, ()
    found = await tracker.releases(service, ids, since, until)
    named = [
        (service.release.version_of(service.release.sentry, one.name) or one.name, one.events)
        for one in found
    ]
    left = [Release(version=name) for name in taken]
    theirs = [
        (name, n)
        for name, n in named
        if name and any(Release(version=name).same_as(one) for one in left)
    ]
    return sum(events for _, events in theirs), tuple(name for name, events in theirs if events)


async def _others(
    incident: Incident,
    service: Service,
    tracker: ErrorTracker,
    ids: tuple[str, ...],
    told: GuardLooked,
    begin: datetime,
) -> GuardLooked:
    """Whether something else burns: issues that are new or spiking as phase 1 has it, in a release that runs.

    A monitor's event is no error of somebody's: one is enough, and no release is asked for. Those of the incident itself
    are such issues, too, because no count of errors tells of them.
    """
    page = await tracker.page([service], begin, told.at)
    rows = [
        row
        for row in page.rows
        if row.level in LEVELS and (row.id not in ids or row.category != ERROR)
    ]
    rows = [row for row in rows if row.events >= (SPIKE_EVENTS if row.category == ERROR else 1)]
    loud = [
        row
        for row in rows
        if row.id in ids
        or (one := seen(row, told.at, told.at - begin)).new
        or one.spiking
        or _down_again(one)
    ]
    for row in sorted(loud, key=lambda one: -one.events):
        counts = row.category == ERROR
        old, _ = (
            await _stragglers(incident, service, tracker, (row.id,), begin, told.at)
            if counts
            else (0, ())
        )
        if not counts or row.events - old >= SPIKE_EVENTS:
            lately = f"{counted(row.events, 'event')} in {lasting(told.at - begin)}"
            return _with(
                told,
                found="fires",
                text=foreign(f"{row.short_id} {row.title}: {lately}"),
                url=row.url,
            )
    return told


def _down_again(issue: IssueSeen) -> bool:
    return issue.category != ERROR and issue.regressed


def _with(told: GuardLooked, **changed: object) -> GuardLooked:
    return told.model_copy(update=changed)
