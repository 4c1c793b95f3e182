"""Phase 5: look after recovery whether the trouble is back.

Sentry calls a return in the release that runs no regression. A look says that trouble is back only
where it is sure: nobody is woken by a guess.
"""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from phases.messages.actions import GuardDue
from phases.messages.results import GuardLooked
from phases.ports.ports import ErrorTracker, PortError
from phases.ports.tracker_values import IssueRow
from phases.record.findings import LookVerdict
from phases.record.incident import (
    VERIFIED,
    GuardLook,
    Incident,
    Round,
    Status,
)
from phases.record.service import RECHECK_UNTIL_SECONDS, Service
from phases.shared.change import Draft
from phases.shared.counts import SPREAD_ASSUMED, Measured, most_usual
from phases.shared.rounds import GUARD_TIMER
from phases.text.cleaning import foreign
from phases.text.wording import counted, lasting
from phases.triage.picture.blast_radius import ERROR, LEVELS, SPIKE_EVENTS, SPIKE_FACTOR, issue_seen
from phases.triage.their_clock import why_uncounted
from phases.verification.before_action import MINUTE, baseline
from phases.verification.burning_span import acted_at, burning_span
from phases.verification.event_counts import (
    EXPECTED_EVENTS_LEAST,
    FALSE_RETURN,
    FALSE_RETURN_SHORT_LOOK,
    RETURNED_SHARE,
    SHORT_LOOK_EVENTS_LEAST,
    limits_for,
    most_stragglers_later,
)
from phases.verification.monitors import monitor_short_id
from phases.verification.releases import Stragglers, count_stragglers, taken_back_names
from phases.verification.verdicts import NOT_MEASURED, judge_look

GUARD_LASTS = timedelta(minutes=60)  # rules: the same issue reopens within 60 minutes of recovery
LOOKS = (timedelta(minutes=15), timedelta(minutes=30), GUARD_LASTS)
"""After recovery: most returns come soon, and the last look is the guard's end."""
LONG_LOOK_SPAN = timedelta(minutes=15)  # a look counts what burns now: phase 1's "last 15 minutes"
SHORT_LOOK_EVERY = timedelta(minutes=1)
"""In between comes one cheap call …"""
SHORT_LOOK_SPAN = timedelta(minutes=3)
"""… at the newest minutes, so that a return at the old rate is seen within three."""
LOOK_AFTER_LEAST = timedelta(seconds=1)
"""No look comes sooner than this, where re-checks come sooner than the workflow has them."""


def pace_of(service: Service) -> float:
    """Return the share of the usual waits, as of re-checks; never more, or the hour is over."""
    return min(service.recheck_until_seconds / RECHECK_UNTIL_SECONDS, 1.0)


def look_due(number: int, service: Service) -> timedelta:
    """Return the time after recovery at which the look of this number comes."""
    return LOOKS[number - 1] * pace_of(service)


def look_interval(service: Service) -> timedelta:
    return max(SHORT_LOOK_EVERY * pace_of(service), LOOK_AFTER_LEAST)


def newest_span(service: Service) -> timedelta:
    return max(SHORT_LOOK_SPAN * pace_of(service), 3 * look_interval(service))


def recovery_of(look: GuardLook) -> datetime:
    return look.until - GUARD_LASTS


def start_guard(draft: Draft) -> Draft:
    """Set the timer of the first look, unless nothing was measured or this is a drill."""
    incident = draft.incident
    if incident.drill or not _was_measured(incident) or incident.guard_until is None:
        return draft
    first = GuardLook(until=incident.guard_until, number=1, seeds=len(incident.seeds), whole=False)
    return draft.timer(
        GUARD_TIMER, look_interval(draft.service).total_seconds(), GuardDue(look=first)
    )


def _was_measured(incident: Incident) -> bool:
    return incident.triage is not None and incident.triage.manual_by is None


def guarded_issues(incident: Incident, look: GuardLook) -> tuple[str, ...]:
    """Return the issues that recovery was verified for, and the one that an alarm names."""
    measured = incident.triage.issue_ids if incident.triage else ()
    named = (look.issue,) if look.issue else ()
    return tuple(dict.fromkeys((*measured, *incident.seeds[: look.seeds], *named)))


def is_back(
    events: int, base: Measured, burning: Measured, quiet_per_minute: float, minutes: float
) -> bool:
    """Say whether trouble is back for sure.

    It is back where the re-check's own test says not recovered, *and* events are enough to tell,
    *and* more than the baseline brings by chance in one look of 10,000, *and* a spike as phase 1
    has it: over the baseline (which knows nothing of the time of day), and over what was still
    there when recovery was said.
    """
    if events < max(EXPECTED_EVENTS_LEAST, _spike_events(base, quiet_per_minute, minutes)):
        return False
    if events <= most_usual(base, minutes, FALSE_RETURN):
        return False
    return events > limits_for(base, burning, minutes).burning


def is_back_soon(
    events: int, base: Measured, burning: Measured, quiet_per_minute: float, minutes: float
) -> bool:
    """Say whether trouble is back for sure in the newest minutes.

    It is back at about the old rate, *and* with a spike, *and* with more than the baseline brings
    by chance in one look of 100,000, because there are so many such looks. Where the baseline was
    never measured, it takes as many events as the re-check needs.
    """
    least = SHORT_LOOK_EVENTS_LEAST if base.minutes > 0 else EXPECTED_EVENTS_LEAST
    if events < max(least, _spike_events(base, quiet_per_minute, minutes)):
        return False
    if burning.minutes <= 0 or events < RETURNED_SHARE * burning.per_minute * minutes:
        return False
    # The baseline knows nothing of the time of day.
    lately = replace(base, per_minute=max(base.per_minute, quiet_per_minute))
    return events > most_usual(lately, minutes, FALSE_RETURN_SHORT_LOOK)


def _spike_events(base: Measured, quiet_per_minute: float, minutes: float) -> int:
    return math.ceil(SPIKE_FACTOR * max(base.per_minute, quiet_per_minute) * minutes)


def quiet_rate(current: Round | None) -> float:
    """Return the events a minute over which recovery was said, by the last measured look."""
    for look in reversed(current.looks) if current else ():
        if look.number == 0 or look.verdict is LookVerdict.UNREACHABLE:
            continue
        if not any(why.endswith(NOT_MEASURED) for why in look.reasons):
            return look.after_per_minute
    return 0.0


async def look_back(
    incident: Incident,
    service: Service,
    look: GuardLook,
    tracker: ErrorTracker | None,
    now: datetime,
    *,
    doubt: str = "",
) -> GuardLooked:
    """Look at Sentry once. Never raises: what cannot be asked is the look's answer.

    Only events after recovery are counted: where the clock was set back since, that is less time,
    or none. `doubt` says what is wrong with the clocks: then nobody knows when recovery was.
    """
    since = now - (LONG_LOOK_SPAN * pace_of(service) if look.whole else newest_span(service))
    if look.alarm is not None:
        since = min(since, look.alarm.at - look_interval(service))
    begin = max(recovery_of(look), since)
    minutes = max((now - begin) / MINUTE, 0.0)
    answer = GuardLooked(look=look, at=now, outcome="cannot tell", minutes=minutes)
    if tracker is None:
        return answer if look.alarm is None else _updated(answer, outcome="not set up")
    if doubt := doubt or why_uncounted(tracker.clock_ahead()):
        return _updated(answer, minutes=0.0, text=doubt)
    ids = guarded_issues(incident, look)
    if not ids or begin >= now:
        return answer
    try:
        return await _GuardMeasurement(incident, service, tracker, ids, look, begin, now).judge(
            answer
        )
    except PortError as error:
        return _updated(answer, outcome="not asked", text=error.text)


@dataclass(frozen=True, slots=True)
class _GuardMeasurement:
    """One look after recovery. Every method raises `PortError`."""

    incident: Incident
    service: Service
    tracker: ErrorTracker
    ids: tuple[str, ...]
    look: GuardLook
    begin: datetime
    now: datetime

    async def judge(self, answer: GuardLooked) -> GuardLooked:
        """Make one cheap call where it is quiet; ask by which releases only where it matters."""
        current = next((r for r in reversed(self.incident.rounds) if r.verdict in VERIFIED), None)
        base, quiet = baseline(self.incident), quiet_rate(current)
        # Sixty looks find the rarest burst, of which a calm half day tells little.
        base = replace(base, spread=max(base.spread, SPREAD_ASSUMED))
        events, burning = await asyncio.gather(self._count(self.begin), self._burning_rate(current))
        burned_at = self.look.model_copy(update={"burned": (burning.per_minute, burning.minutes)})
        answer = _updated(answer, look=burned_at)
        old = Stragglers()
        for since, test in self._tests():
            count = events if since == self.begin else await self._count(since)
            counted_over = minutes = (self.now - since) / MINUTE
            if test is is_back_soon:  # soon after recovery: as many events as in the whole of it
                minutes = max(minutes, newest_span(self.service) / MINUTE)
            if not test(count, base, burning, quiet, minutes):
                continue
            old = await self._stragglers(self.ids, since)
            would_have_come = burning.per_minute * minutes
            runs_again = old.events > most_stragglers_later(would_have_come, self._since_recovery)
            if runs_again or test(count - old.events, base, burning, quiet, minutes):
                allowed = limits_for(base, burning, counted_over).allowed
                return _updated(
                    answer, outcome="back", events=count, minutes=counted_over, allowed=allowed
                )
        limits = limits_for(base, burning, answer.minutes)
        if self.look.alarm is not None:
            # It asks whether that is more than usual, and not whether it is over.
            old = await self._stragglers(self.ids, self.begin) if events else Stragglers()
            is_quiet = events - old.events <= limits.allowed
        else:
            judged, _ = judge_look(events - old.events, limits, None, ())
            is_quiet = judged is LookVerdict.RECOVERED
        answer = _updated(
            answer,
            outcome="quiet" if is_quiet else "cannot tell",
            events=events,
            allowed=limits.allowed,
            stragglers=old.events,
            gone=old.releases,
        )
        if self.look.alarm is not None and self.incident.status is Status.MITIGATED:
            answer = await self._other_trouble(answer)
        return await self._without_monitor(answer)

    def _tests(self) -> list[tuple[datetime, Callable[..., bool]]]:
        """Return the times since when events are counted, each with its test for a return."""
        tests: list[tuple[datetime, Callable[..., bool]]] = [
            (self.begin, is_back if self.look.whole else is_back_soon)
        ]
        if self.look.alarm is not None:  # what has just begun is lost among a quarter of an hour
            tests.append((max(self.begin, self.now - newest_span(self.service)), is_back_soon))
        return tests

    async def _without_monitor(self, answer: GuardLooked) -> GuardLooked:
        """Return no quiet for an issue that is a monitor's: errors that stop say nothing of it."""
        issue = self.look.issue
        if answer.outcome != "quiet" or not issue:
            return answer
        if not await monitor_short_id(self.incident, self.tracker, issue):
            return answer
        why = "it is not counted as errors, so whether that is a return is not known: please look"
        return _updated(answer, outcome="cannot tell", text=why)

    async def _count(self, since: datetime, until: datetime | None = None) -> int:
        return await self.tracker.count([self.service], self.ids, since, until or self.now)

    async def _burning_rate(self, current: Round | None) -> Measured:
        """Return the rate while it burned. It is asked for once: it does not change any more."""
        if self.look.burned is not None:
            return Measured(*self.look.burned)
        clock = (current.clock_started_at if current else None) or recovery_of(self.look)
        since, until = await burning_span(
            self.incident, self.service, acted_at(current, clock), self.tracker, self.ids
        )
        minutes = (until - since) / MINUTE
        return Measured(await self._count(since, until) / minutes, minutes)

    @property
    def _since_recovery(self) -> float:
        """Return minutes as they would be with the workflow's waits."""
        return (self.now - recovery_of(self.look)) / MINUTE / pace_of(self.service)

    async def _stragglers(self, ids: tuple[str, ...], since: datetime) -> Stragglers:
        return await count_stragglers(
            self.tracker, self.service, taken_back_names(self.incident), ids, (since, self.now)
        )

    async def _other_trouble(self, answer: GuardLooked) -> GuardLooked:
        """Say whether something else burns: new or spiking issues, in a release that runs.

        A monitor's event is no error of somebody's: one is enough, and no release is asked for.
        Those of the incident itself are such issues, too, because no count of errors tells of them.
        """
        page = await self.tracker.page([self.service], self.begin, self.now)
        for row in sorted(filter(self._is_loud, page.rows), key=lambda row: -row.events):
            if row.category == ERROR:
                old = await self._stragglers((row.id,), self.begin)
                if row.events - old.events < SPIKE_EVENTS:
                    continue
            lately = f"{counted(row.events, 'event')} in {lasting(self.now - self.begin)}"
            text = foreign(f"{row.short_id} {row.title}: {lately}")
            return _updated(answer, outcome="fires", text=text)
        return answer

    def _is_loud(self, row: IssueRow) -> bool:
        counts, own = row.category == ERROR, row.id in self.ids
        if row.level not in LEVELS or (own and counts):
            return False
        if row.events < (SPIKE_EVENTS if counts else 1):
            return False
        issue = issue_seen(row, self.now, self.now - self.begin)
        return own or issue.new or issue.spiking or (not counts and issue.regressed)


def _updated(answer: GuardLooked, **changed: object) -> GuardLooked:
    return answer.model_copy(update=changed)
