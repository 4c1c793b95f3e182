"""After recovery the bot looks by itself whether it burns again: a webhook may not be set up, or an alert rule not fire twice.

How such a look is judged; what it leads to: `guard_steps.py`. It says that trouble is back only where it is sure: below
that it says nothing, because nobody is woken by a guess.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Literal

from phases.actions import GuardDue, GuardLooked
from phases.blast_radius import SPIKE_FACTOR
from phases.change import Draft
from phases.counts import FALSE_RETURN, SIZE, Measured, limits, usual
from phases.incident import VERIFIED, GuardLook, Incident, Round
from phases.ports import ErrorTracker, PortError
from phases.report import LookVerdict
from phases.rounds import GUARD_TIMER
from phases.service import RECHECK_UNTIL_SECONDS, Service
from phases.verification import MINUTE, NOT_MEASURED, baseline, tally, verdict

GUARD = timedelta(minutes=60)  # rules: the same issue reopens within 60 minutes of recovery
LOOKS = (timedelta(minutes=15), timedelta(minutes=30), GUARD)
"""After recovery: most of what comes back does so soon, and the last look is the guard's end."""
SPAN = timedelta(minutes=15)  # a look counts what burns now: phase 1's "last 15 minutes"


def pace(service: Service) -> float:
    """Where re-checks come sooner than the workflow has them, so do these looks; never later, or the guard would be over."""
    return min(service.recheck_until_seconds / RECHECK_UNTIL_SECONDS, 1.0)


def due(number: int, service: Service) -> timedelta:
    """So long after recovery comes the look of this number."""
    return LOOKS[number - 1] * pace(service)


def recovery(look: GuardLook) -> datetime:
    return look.until - GUARD


def watch(draft: Draft, service: Service) -> Draft:
    """The first look is due. None where nothing was measured, so that nothing could be told; nor in a drill."""
    incident = draft.incident
    if incident.drill or not _measured(incident) or incident.guard_until is None:
        return draft
    first = GuardLook(until=incident.guard_until, number=1, seeds=len(incident.seeds))
    return draft.timer(GUARD_TIMER, due(1, service).total_seconds(), GuardDue(look=first))


def _measured(incident: Incident) -> bool:
    return incident.triage is not None and incident.triage.manual_by is None


def issues(incident: Incident, look: GuardLook) -> tuple[str, ...]:
    """Those that recovery was verified for."""
    measured = incident.triage.issue_ids if incident.triage else ()
    return tuple(dict.fromkeys((*measured, *incident.seeds[: look.seeds])))


def back(events: int, base: Measured, burning: Measured, quiet_per_minute: float, minutes: float) -> bool:
    """Not recovered by the re-check's own test, *and* enough events to tell, *and* more than the baseline brings by chance in
    one look of 10,000, *and* a spike as phase 1 has it: over the baseline (which knows nothing of the time of day), and over
    what was still there when recovery was said.
    """
    spike = math.ceil(SPIKE_FACTOR * max(base.per_minute, quiet_per_minute) * minutes)
    if events < max(SIZE, spike) or events <= usual(base, minutes, FALSE_RETURN):
        return False
    return verdict(events, limits(base, burning, minutes), None, ())[0] is LookVerdict.NOT_RECOVERED


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
    counted = (one for one in looks if one.number > 0 and one.verdict is not LookVerdict.UNREACHABLE)
    last = next((one for one in counted if not any(why.endswith(NOT_MEASURED) for why in one.reasons)), None)
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
    begin = max(recovery(look), now - SPAN * pace(service))
    ids = issues(incident, look)
    told = GuardLooked(look=look, at=now, found="cannot tell", minutes=max((now - begin) / MINUTE, 0.0))
    if tracker is None or not ids or forward or begin >= now:
        return told
    current = next((one for one in reversed(incident.rounds) if one.verdict in VERIFIED), None)
    clock = (current.clock_started_at if current else None) or recovery(look)
    try:
        events, burning = await tally(incident, service, current, tracker, ids, clock, (begin, now))
    except PortError:
        return told.model_copy(update={"found": "not asked"})
    found, allowed = judged(events, baseline(incident), burning, quiet_rate(current), told.minutes)
    return told.model_copy(update={"found": found, "events": events, "allowed": allowed})
