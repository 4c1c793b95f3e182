"""Phase 5: judge a look: events against the baseline, the endpoint, new issues.

Workflow: "confirm new event rate dropped to zero or pre-incident baseline; hit affected endpoint
manually to confirm".
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from phases.messages.results import Looked
from phases.ports.ports import Endpoint, ErrorTracker, PortError
from phases.record.findings import EndpointAnswer, Look, LookVerdict, Picture
from phases.record.incident import Incident, Round
from phases.record.service import Service
from phases.record.traffic_seen import BeforeAction, TrafficBefore, TrafficSeen
from phases.shared.counts import Measured
from phases.text.wording import listed
from phases.triage.picture.blast_radius import ERROR
from phases.verification.burning import acted, burned
from phases.verification.event_chart import chart_begin, chart_of, quick_chart
from phases.verification.event_counts import (
    Limits,
    limits,
    not_helping,
    straggling,
)
from phases.verification.releases import (
    Stragglers,
    gone,
    names_to_search,
    stragglers,
)
from phases.verification.traffic import LATE_MINUTES, UNKNOWN, Load, load
from phases.verification.verdicts import NOT_MEASURED, compared, moved, verdict

GRACE = timedelta(seconds=60)  # "from start + 60 s …"
GRACE_SHARE = 5  # "… (a fifth of the first wait, where that is shorter)"
MINUTE = timedelta(minutes=1)
T = TypeVar("T")
NEVER = Measured(per_minute=0.0, minutes=0.0)


def grace(service: Service) -> timedelta:
    """Return the time after the action in which the old release may still be dying."""
    return min(GRACE, timedelta(seconds=service.recheck_after_seconds) / GRACE_SHARE)


@dataclass(frozen=True, slots=True)
class Recheck:
    """An incident that is measured after an action, and what it is measured with."""

    incident: Incident
    service: Service
    tracker: ErrorTracker | None
    endpoint: Endpoint
    now: datetime
    doubt: str = ""
    """Why the time since the action is not known: what is wrong with the clocks."""

    async def look(self, round_number: int, look_number: int) -> Looked:
        """Look at Sentry and at the endpoint once, and judge what they tell.

        Counts from the round's clock and a grace on, against the baseline that triage measured.
        Never raises: what cannot be asked is the look's verdict.
        """
        current = self.incident.round_of(round_number)
        span = self._span(current)
        answered, counts = await asyncio.gather(
            self._call_endpoint(), self._counts(current, span, new_issues=True)
        )
        look = self._unmeasured(span, look_number).model_copy(update={"endpoint": answered})
        try:
            if isinstance(counts, PortError):
                raise counts
            held = limits(baseline(self.incident), counts.burning, span.minutes, counts.traffic)
            counts = await self._without_stragglers(counts, held, span)
            judged, why = await self._verdict(counts, held, answered)
        except PortError as error:
            unreachable = look.model_copy(update={"reasons": (error.text,)})
            return Looked(round=round_number, look=unreachable)
        unasked = (
            () if self.service.endpoint else ("no endpoint is configured, so none was called",)
        )
        picture = None
        if judged is LookVerdict.RECOVERED and look_number > 0 and self.tracker is not None:
            picture, no_picture = await self._picture(self.tracker)
            unasked = (*unasked, *no_picture)
        measured = {
            **_measured(counts, held, span),
            "verdict": judged,
            "new_issues": counts.new,
            "reasons": (*why, *counts.lingering, *unasked),
        }
        return Looked(
            round=round_number,
            picture=picture,
            look=look.model_copy(update=measured),
            before=counts.before,
        )

    async def glance(self, round_number: int, minute: int) -> Looked:
        """Count between the checks, and say whether trouble surely goes on. Never raises.

        Events of a release that was taken back are no proof: its rollout may not have ended.
        """
        current = self.incident.round_of(round_number)
        span = self._span(current, minute)
        look = self._unmeasured(span, 1).model_copy(update={"minute": minute})
        counts = await self._counts(current, span, new_issues=False)
        if isinstance(counts, PortError):
            return Looked(round=round_number, look=look)
        if not self.ids or span.minutes <= 0:
            return Looked(round=round_number, look=look, before=counts.before)
        base = baseline(self.incident)
        held = limits(base, counts.burning, span.minutes, counts.traffic)
        goes_on = span.whole and not self.doubt and self._goes_on(counts.events, counts, span)
        if goes_on:
            try:
                old = await self._old(span)
            except PortError:
                return Looked(round=round_number, look=look, before=counts.before)
            goes_on = self._goes_on(counts.events - old.events, counts, span)
            counts = replace(counts, lingering=_lingering(old))
        judged = LookVerdict.NOT_RECOVERED if goes_on else LookVerdict.TOO_FEW
        measured = {
            **_measured(counts, held, span),
            "verdict": judged,
            "reasons": (
                compared(counts.events, held),
                *moved(counts.traffic.share),
                *counts.lingering,
            ),
        }
        return Looked(
            round=round_number, look=look.model_copy(update=measured), before=counts.before
        )

    def _goes_on(self, events: int, counts: _Counts, span: _Span) -> bool:
        base = baseline(self.incident)
        return not_helping(events, base, counts.burning, span.minutes, counts.traffic)

    @property
    def _late(self) -> float:
        """The minutes by which traces may lag: where everything is quicker, so are they."""
        return LATE_MINUTES * (grace(self.service) / GRACE)

    def _span(self, current: Round | None, minute: int = 0) -> _Span:
        """Return the time since the action, but for the grace in which old servers still end.

        A look in the grace counts from the action on; it shows, and judges nothing.
        """
        clock = (current.clock_started_at if current else None) or self.now
        begin = min(clock + grace(self.service), self.now)
        whole = not minute or self.now - begin >= begin - clock
        return _Span(clock, begin if whole else min(clock, self.now), self.now, whole)

    def _unmeasured(self, span: _Span, number: int) -> Look:
        report = self.incident.triage
        return Look(
            number=number,
            at=self.now,
            verdict=LookVerdict.UNREACHABLE,
            before_per_minute=report.per_minute if report else 0.0,
            minutes=round(span.minutes, 2),
        )

    async def _old(self, span: _Span) -> Stragglers:
        if self.tracker is None:
            return Stragglers()
        left = gone(self.incident)
        return await stragglers(
            self.tracker, self.service, left, self.ids, (span.begin, span.until)
        )

    async def _without_stragglers(self, counts: _Counts, held: Limits, span: _Span) -> _Counts:
        """Leave out what old tabs and queues still bring, where that decides.

        More than stragglers means that the old release still answers: then all of it counts. Raises
        `PortError`.
        """
        if counts.events <= held.recovered or not counts.events:
            return counts
        old = await self._old(span)
        if not old.events or old.events > straggling(held.unchanged):
            return counts
        return replace(
            counts, events=counts.events - old.events, lingering=_lingering(old, " more")
        )

    @property
    def ids(self) -> tuple[str, ...]:
        """The issues that are counted; none without Sentry."""
        if self.tracker is None:
            return ()
        measured = self.incident.triage.issue_ids if self.incident.triage else ()
        return tuple(dict.fromkeys((*measured, *self.incident.seeds)))

    async def _verdict(
        self, counts: _Counts, held: Limits, answered: EndpointAnswer | None
    ) -> tuple[LookVerdict, tuple[str, ...]]:
        """Judge the counts; a recovery counts only where nothing else is unknown.

        Raises `PortError` where something is unknown that could be trouble.
        """
        judged, why = verdict(counts.events, held, answered, counts.new, counts.traffic)
        if judged is not LookVerdict.NOT_RECOVERED:
            if counts.unknown is not None:
                raise counts.unknown
            if not self.ids:
                none = "no Sentry issue belongs to this incident"
                none = none if self.tracker is not None else "Sentry is not set up"
                return LookVerdict.TOO_FEW, (f"{none}{NOT_MEASURED}",)
        if self.doubt and self.ids and (answered is None or answered.ok):
            # Minutes that never passed are quiet, or those of the fire are counted.
            return LookVerdict.TOO_FEW, (self.doubt,)
        if judged is not LookVerdict.RECOVERED or self.tracker is None:
            return judged, why
        if others := await _not_errors(self.incident, self.tracker):
            unknown = "so whether that is over is not known"
            why = (*why, f"{listed(others)} cannot be counted as errors, {unknown}")
            return LookVerdict.TOO_FEW, why
        return judged, why

    async def _call_endpoint(self) -> EndpointAnswer | None:
        url = self.service.endpoint
        return await self.endpoint.call(url) if url else None

    async def _counts(
        self, current: Round | None, span: _Span, *, new_issues: bool
    ) -> _Counts | PortError:
        tracker = self.tracker
        if tracker is None:
            return _Counts()

        names = names_to_search(self.incident, current) if new_issues else ()
        events, before, now, answers = await asyncio.gather(
            _answered(tracker.count([self.service], self.ids, span.begin, self.now)),
            self._before(tracker, current, span.clock),
            self._traffic(tracker, span.begin, self.now),
            asyncio.gather(
                *(
                    _answered(tracker.new_issues(self.service, name, span.clock, self.now))
                    for name in names
                )
            ),
        )
        if isinstance(events, PortError):
            return events
        if isinstance(before, PortError):
            return before
        before, remember = before
        errors = [answer for answer in answers if isinstance(answer, PortError)]
        new = [row.short_id for rows in answers if not isinstance(rows, PortError) for row in rows]
        traffic = None if isinstance(now, PortError) else now
        return _Counts(
            events=events,
            burning=Measured(before.events / before.minutes, before.minutes),
            traffic=load(before.traffic, traffic, self._late),
            before=before if remember else None,
            new=tuple(dict.fromkeys(new)),
            unknown=errors[0] if errors else None,
        )

    async def _before(
        self, tracker: ErrorTracker, current: Round | None, clock: datetime
    ) -> tuple[BeforeAction, bool] | PortError:
        """Return what was before the action, and whether that may be remembered.

        It is asked for once a round; again where a part of it was not answered.
        """
        if current is not None and current.before is not None:
            return current.before, False
        span = await _answered(
            burned(self.incident, self.service, acted(current, clock), tracker, self.ids)
        )
        if isinstance(span, PortError):
            return span
        since, until = span
        report = self.incident.triage
        began = (report.began_at if report else None) or since
        usual = timedelta(minutes=report.baseline_minutes if report else 0)
        events, *traffic = await asyncio.gather(
            _answered(tracker.count([self.service], self.ids, since, until)),
            self._traffic(tracker, began - usual, began),
            self._traffic(tracker, since, until),
        )
        if isinstance(events, PortError):
            return events
        known = [None if isinstance(seen, PortError) else seen for seen in traffic]
        before = BeforeAction(
            events=events,
            minutes=(until - since) / MINUTE,
            traffic=TrafficBefore(usual=known[0], burning=known[1]),
        )
        return before, not any(isinstance(seen, PortError) for seen in traffic)

    async def _traffic(
        self, tracker: ErrorTracker, since: datetime, until: datetime
    ) -> TrafficSeen | PortError | None:
        """Return the traffic of a span. A Sentry that does not tell it now is no reason to wait."""
        return await _answered(tracker.traffic(self.service, since, until)) if self.ids else None

    async def _picture(self, tracker: ErrorTracker) -> tuple[Picture | None, tuple[str, ...]]:
        """Return the picture, or why there is none: recovery is not kept waiting for it."""
        detected, now, window = self.incident.detected_at, self.now, self.service.window
        try:
            if (short := quick_chart(detected, now, window)) is not None:
                empty, spans = short
                counts = await asyncio.gather(
                    *(tracker.count([self.service], self.ids, *span) for span in spans)
                )
                return empty.model_copy(update={"counts": tuple(counts)}), ()
            since = chart_begin(detected, now, window)
            minutes = await tracker.per_minute([self.service], self.ids, since, now)
        except PortError as error:
            return None, (f"no picture of it: {error.text}",)
        return chart_of(minutes, detected, now, window), ()


async def _answered(asked: Awaitable[T]) -> T | PortError:
    """Return the answer, or why there is none: one of several questions stops no other one."""
    try:
        return await asked
    except PortError as error:
        return error


@dataclass(frozen=True, slots=True)
class _Span:
    """The time that a look counts."""

    clock: datetime
    begin: datetime
    until: datetime
    whole: bool
    """False in the grace."""

    @property
    def minutes(self) -> float:
        return (self.until - self.begin) / MINUTE


@dataclass(frozen=True, slots=True)
class _Counts:
    """The counts of Sentry since the action, and before it."""

    events: int = 0
    burning: Measured = NEVER
    """The rate while it burned."""
    traffic: Load = UNKNOWN
    before: BeforeAction | None = None
    """To be remembered."""
    new: tuple[str, ...] = ()
    """Short ids of issues that are new in what runs now."""
    unknown: PortError | None = None
    """The reason why not all of the new issues are known."""
    lingering: tuple[str, ...] = ()
    """What releases that were taken back still bring."""


def _lingering(old: Stragglers, more: str = "") -> tuple[str, ...]:
    """Say what is left of releases that were taken back; `more`: it is not counted."""
    if not old.events:
        return ()
    runs = "which was taken back" if len(old.releases) == 1 else "which were taken back"
    return (f"{old.events:,}{more} of {listed(list(old.releases))}, {runs}",)


def _measured(counts: _Counts, held: Limits, span: _Span) -> dict[str, object]:
    return {
        "events": counts.events,
        "expected": round(held.expected, 2),
        "allowed": held.allowed,
        "unchanged": round(held.unchanged, 1),
        "before_per_minute": round(counts.burning.per_minute, 2),
        "after_per_minute": round(counts.events / span.minutes, 2) if span.minutes > 0 else 0.0,
        "traffic": counts.traffic.share,
    }


def baseline(incident: Incident) -> Measured:
    """Return the rate before trouble began, as triage measured it."""
    report = incident.triage
    return Measured(report.baseline_per_minute, report.baseline_minutes) if report else NEVER


async def _not_errors(incident: Incident, tracker: ErrorTracker) -> tuple[str, ...]:
    """Return the short ids of a monitor's issues: errors that stop say nothing of them.

    An issue that an alert named since triage was never measured, so Sentry is asked what it is.
    Raises `PortError`.
    """
    measured = incident.triage.issue_ids if incident.triage else ()
    named = [id for id in incident.seeds if id not in measured]
    answers = await asyncio.gather(*(is_monitor(incident, tracker, id) for id in named))
    return tuple(dict.fromkeys((*monitors(incident).values(), *filter(None, answers))))


def monitors(incident: Incident) -> dict[str, str]:
    """Return the short ids, by id, of a monitor's issues that triage measured."""
    report = incident.triage
    if report is None:
        return {}
    return {**report.monitors, **{i.id: i.short_id for i in report.issues if i.category != ERROR}}


async def is_monitor(incident: Incident, tracker: ErrorTracker, issue: str) -> str | None:
    """Return the short id of a monitor's issue; None: it is counted as errors, or it is gone.

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
