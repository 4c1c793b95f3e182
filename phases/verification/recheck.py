"""Phase 5: judge a look: events against the baseline, the endpoint, new issues.

Workflow: "confirm new event rate dropped to zero or pre-incident baseline; hit affected endpoint
manually to confirm".
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from phases.messages.results import Looked
from phases.ports.ports import Endpoint, ErrorTracker, PortError
from phases.record.findings import EndpointAnswer, Look, LookVerdict, Picture
from phases.record.incident import Incident, Round
from phases.record.service import Service
from phases.text.wording import counted, lasting, listed
from phases.triage.their_clock import why_uncounted
from phases.verification.before_action import (
    answer_or_error,
    baseline,
    before_action,
    burning_rate,
    traffic_of,
)
from phases.verification.event_chart import chart_begin, chart_of, quick_chart
from phases.verification.event_counts import (
    MENDED_ODDS,
    MENDED_ODDS_EARLY,
    NOT_HELPING_FROM_MINUTE,
    Half,
    Limits,
    may_go_on,
    most_stragglers,
    surely_goes_on,
)
from phases.verification.jobs import PATIENCE, next_look
from phases.verification.look_counts import (
    Counts,
    Judgement,
    Span,
    lingering_in_words,
    look_fields,
)
from phases.verification.monitors import unmeasured_monitors
from phases.verification.releases import (
    Stragglers,
    count_half,
    count_stragglers,
    names_to_search,
    taken_back_names,
)
from phases.verification.traffic import UNSEEN_MINUTES, compare_traffic
from phases.verification.verdicts import (
    NOT_MEASURED,
    compared_in_words,
    judge_look,
    traffic_in_words,
)

GRACE = timedelta(seconds=60)  # "from start + 60 s …"
GRACE_SHARE = 5  # "… (a fifth of the first wait, where that is shorter)"


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
    """Why the time since the action is not known: what is wrong with the clocks here."""

    @property
    def clock_doubt(self) -> str:
        """The same, or that Sentry's clock is another one, as its newest answer tells."""
        return self.doubt or (why_uncounted(self.tracker.clock_ahead()) if self.tracker else "")

    async def look(self, round_number: int, look_number: int) -> Looked:
        """Look at Sentry and at the endpoint once, and judge what they tell.

        Counts from the round's clock and a grace on, against the baseline that triage measured.
        Where that is not quiet at the last check, its newest minutes are judged by themselves: what
        old tabs and queues brought first is no trouble of now. Never raises: what cannot be asked
        is the look's verdict.
        """
        current = self.incident.round_of(round_number)
        span = self._counted_span(current)
        answers, counts = await asyncio.gather(
            self._call_endpoint(), self._count(current, span, new_issues=True)
        )
        look = self._unmeasured_look(span, look_number).model_copy(update={"endpoint": answers})
        try:
            if isinstance(counts, PortError):
                raise counts
            judged = await self._judge(counts, span, answers)
            judged = await self._judge_newest(current, judged, answers)
        except PortError as error:
            unreachable = look.model_copy(update={"reasons": (error.text,)})
            return Looked(round=round_number, look=unreachable)
        unasked = () if self.service.endpoint else ("no endpoint to check",)
        picture = None
        recovered = judged.verdict is LookVerdict.RECOVERED
        if recovered and look_number > 0 and self.tracker is not None:
            picture, no_picture = await self._chart(self.tracker)
            unasked = (*unasked, *no_picture)
        measured = {
            **look_fields(judged.counts, judged.limits, judged.span),
            "minutes": round(judged.span.minutes, 2),
            "verdict": judged.verdict,
            "new_issues": counts.new,
            "better": judged.limits.better(judged.counts.events) and not self.clock_doubt,
            "reasons": (*judged.why, *judged.counts.lingering, *unasked),
            **self._waiting(judged, look_number),
        }
        return Looked(
            round=round_number,
            picture=picture,
            look=look.model_copy(update=measured),
            before=counts.before,
        )

    def _waiting(self, judged: Judgement, look_number: int) -> dict[str, object]:
        """Return when the last check is made again: after the next run of a job, if soon enough."""
        job, clock = judged.counts.job, judged.span.clock
        passed = self.now - clock
        if job is None or judged.verdict is not LookVerdict.TOO_FEW or not judged.limits.small:
            return {}
        if not look_number or passed < timedelta(seconds=self.service.recheck_until_seconds):
            return {}
        at = next_look(job, self.now)
        return {"again_at": at} if at - clock <= PATIENCE else {}

    async def _judge(self, counts: Counts, span: Span, answers: EndpointAnswer | None) -> Judgement:
        first = timedelta(seconds=self.service.recheck_after_seconds)
        limits = counts.limits(
            span, MENDED_ODDS if span.until - span.begin > first else MENDED_ODDS_EARLY
        )
        counts = await self._without_stragglers(counts, limits, span)
        judged, why = await self._judge_counts(counts, limits, answers)
        return Judgement(judged, why, counts, limits, span)

    async def _judge_newest(
        self, current: Round | None, whole: Judgement, answers: EndpointAnswer | None
    ) -> Judgement:
        """Judge the minutes since the first check by themselves, where the last one is not quiet.

        Only recovery is taken from it. Raises `PortError`.
        """
        service, span = self.service, whole.span
        last = timedelta(seconds=service.recheck_until_seconds)
        since = self.now - (last - timedelta(seconds=service.recheck_after_seconds))
        if whole.verdict is LookVerdict.RECOVERED or self.clock_doubt or not self.ids:
            return whole
        if self.now - span.clock < last or not span.begin < since < self.now:
            return whole
        newer = Span(span.clock, since, self.now, whole=True)
        counts = await self._count(current, newer, new_issues=False)
        if isinstance(counts, PortError):
            return whole
        first = whole.counts
        counts = replace(counts, new=first.new, unknown=first.unknown)
        judged = await self._judge(counts, newer, answers)
        if judged.verdict is not LookVerdict.RECOVERED:
            return whole
        lasts, earlier = lasting(self.now - since), first.events - judged.counts.events
        only = f"only the newest {lasts} count; {counted(max(earlier, 0), 'event')} came before"
        return replace(judged, why=(*judged.why, only))

    async def glance(self, round_number: int, minute: int) -> Looked:
        """Count between the checks, and say whether trouble surely goes on. Never raises.

        Events of a release that was taken back are no proof: its rollout may not have ended.
        """
        current = self.incident.round_of(round_number)
        span = self._counted_span(current, minute)
        look = self._unmeasured_look(span, 1).model_copy(update={"minute": minute})
        counts = await self._count(current, span, new_issues=False, traffic_since=span.clock)
        if isinstance(counts, PortError):
            return Looked(round=round_number, look=look)
        if not self.ids or span.minutes <= 0:
            return Looked(round=round_number, look=look, before=counts.before)
        limits = counts.limits(span)
        # Between the runs of a job nobody can tell: the checks wait for them.
        goes_on = (
            span.whole
            and not self.clock_doubt
            and minute >= NOT_HELPING_FROM_MINUTE
            and counts.job is None
        )
        if goes_on and may_go_on(counts.events, counts.base, span.minutes, counts.traffic):
            try:
                before = _look_before(current, span)
                goes_on, old = await self._surely_goes_on(counts, span, before)
            except PortError:
                return Looked(round=round_number, look=look, before=counts.before)
            counts = replace(counts, lingering=lingering_in_words(old))
        else:
            goes_on = False
        judged = LookVerdict.NOT_RECOVERED if goes_on else LookVerdict.TOO_FEW
        measured = {
            **look_fields(counts, limits, span),
            "verdict": judged,
            "reasons": (
                compared_in_words(counts.events, limits),
                *traffic_in_words(counts.traffic.share),
                *counts.lingering,
            ),
        }
        return Looked(
            round=round_number, look=look.model_copy(update=measured), before=counts.before
        )

    async def _surely_goes_on(
        self, counts: Counts, span: Span, before: Look | None
    ) -> tuple[bool, Stragglers]:
        """Judge what came until the look before and since then, by release.

        Return also what is left of the old one. Raises `PortError`.
        """
        middle = span.begin + (self.now - span.begin) / 2 if before is None else before.at
        (older, old), (newer, newly_old) = await self._parts(span.begin, middle)
        all_old = Stragglers(
            old.events + newly_old.events, tuple(dict.fromkeys(old.releases + newly_old.releases))
        )
        parts = (older, newer)
        if not older.events + newer.events + all_old.events:
            # this Sentry does not tell by which release
            parts = (Half(counts.events, span.minutes, counts.events),)
        elif before is not None:
            earlier = max(before.events - old.events, 0)
            parts = (older, replace(newer, came=older.events + newer.events - earlier))
        goes_on = surely_goes_on(
            parts, counts.base, counts.burning, counts.traffic, self._lag_minutes
        )
        return goes_on, all_old

    async def _parts(
        self, since: datetime, middle: datetime
    ) -> tuple[tuple[Half, Stragglers], tuple[Half, Stragglers]]:
        """Count both parts of a look by release. Raises `PortError`."""
        tracker, left = self.tracker, taken_back_names(self.incident)
        assert tracker is not None
        return await asyncio.gather(
            count_half(tracker, self.service, left, self.ids, (since, middle)),
            count_half(tracker, self.service, left, self.ids, (middle, self.now)),
        )

    @property
    def _lag_minutes(self) -> float:
        """The minutes by which events and traces lag: where everything is quicker, so are they."""
        return UNSEEN_MINUTES * (grace(self.service) / GRACE)

    def _counted_span(self, current: Round | None, minute: int = 0) -> Span:
        """Return the time since the action, but for the grace in which old servers still end.

        A look in the grace counts from the action on; it shows, and judges nothing.
        """
        clock = (current.clock_started_at if current else None) or self.now
        begin = min(clock + grace(self.service), self.now)
        whole = not minute or self.now - begin >= begin - clock
        return Span(clock, begin if whole else min(clock, self.now), self.now, whole)

    def _unmeasured_look(self, span: Span, number: int) -> Look:
        report = self.incident.triage
        return Look(
            number=number,
            at=self.now,
            verdict=LookVerdict.UNREACHABLE,
            before_per_minute=report.per_minute if report else 0.0,
            minutes=round(span.minutes, 2),
        )

    async def _stragglers(self, span: Span) -> Stragglers:
        if self.tracker is None:
            return Stragglers()
        left = taken_back_names(self.incident)
        return await count_stragglers(
            self.tracker, self.service, left, self.ids, (span.begin, span.until)
        )

    async def _without_stragglers(self, counts: Counts, limits: Limits, span: Span) -> Counts:
        """Leave out what old tabs and queues still bring, where that decides.

        More than stragglers means that the old release still answers: then all of it counts. Raises
        `PortError`.
        """
        if counts.events <= limits.recovered or not counts.events:
            return counts
        old = await self._stragglers(span)
        if not old.events or old.events > most_stragglers(limits.unchanged):
            return counts
        return replace(
            counts, events=counts.events - old.events, lingering=lingering_in_words(old, " more")
        )

    @property
    def ids(self) -> tuple[str, ...]:
        """The issues that are counted; none without Sentry."""
        if self.tracker is None:
            return ()
        measured = self.incident.triage.issue_ids if self.incident.triage else ()
        return tuple(dict.fromkeys((*measured, *self.incident.seeds)))

    async def _judge_counts(
        self, counts: Counts, limits: Limits, answered: EndpointAnswer | None
    ) -> tuple[LookVerdict, tuple[str, ...]]:
        """Judge the counts; a recovery counts only where nothing else is unknown.

        Raises `PortError` where something is unknown that could be trouble.
        """
        judged, why = judge_look(counts.events, limits, answered, counts.new, counts.traffic)
        if judged is not LookVerdict.NOT_RECOVERED:
            if counts.unknown is not None:
                raise counts.unknown
            if not self.ids:
                none = "no Sentry issue belongs to this incident"
                none = none if self.tracker is not None else "Sentry is not set up"
                return LookVerdict.TOO_FEW, (f"{none}{NOT_MEASURED}",)
        if self.clock_doubt and self.ids and (answered is None or answered.ok):
            # Minutes that never passed are quiet, or those of the fire are counted.
            return LookVerdict.TOO_FEW, (self.clock_doubt,)
        if judged is not LookVerdict.RECOVERED or self.tracker is None:
            return judged, why
        if others := await unmeasured_monitors(self.incident, self.tracker):
            unknown = "so whether that is over is not known"
            why = (*why, f"{listed(others)} cannot be counted as errors, {unknown}")
            return LookVerdict.TOO_FEW, why
        return judged, why

    async def _call_endpoint(self) -> EndpointAnswer | None:
        url = self.service.endpoint
        return await self.endpoint.call(url) if url else None

    async def _count(
        self,
        current: Round | None,
        span: Span,
        *,
        new_issues: bool,
        traffic_since: datetime | None = None,
    ) -> Counts | PortError:
        """`traffic_since`: a longer span, whose newest traces are fewer of all."""
        tracker = self.tracker
        if tracker is None:
            return Counts()

        names = names_to_search(self.incident, current) if new_issues else ()
        events, before, now, answers = await asyncio.gather(
            answer_or_error(tracker.count([self.service], self.ids, span.begin, self.now)),
            before_action(self.incident, self.service, tracker, self.ids, current, span.clock),
            answer_or_error(
                traffic_of(tracker, self.service, self.ids, (traffic_since or span.begin, self.now))
            ),
            asyncio.gather(
                *(
                    answer_or_error(tracker.new_issues(self.service, name, span.clock, self.now))
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
        return Counts(
            events=events,
            base=baseline(self.incident, before),
            burning=burning_rate(before),
            traffic=compare_traffic(before.traffic, traffic, self._lag_minutes),
            before=before if remember else None,
            job=before.job,
            new=tuple(dict.fromkeys(new)),
            unknown=errors[0] if errors else None,
        )

    async def _chart(self, tracker: ErrorTracker) -> tuple[Picture | None, tuple[str, ...]]:
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


def _look_before(current: Round | None, span: Span) -> Look | None:
    """Return the newest look between the checks, where it counted from the same time on."""
    look = current.glance if current else None
    grace_ends = span.begin + (span.begin - span.clock)
    return look if look is not None and grace_ends <= look.at < span.until else None
