"""Phase 5: judge a look: events against the baseline, the endpoint, new issues.

Workflow: "confirm new event rate dropped to zero or pre-incident baseline; hit affected endpoint
manually to confirm".
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from phases.messages.results import Looked
from phases.ports.ports import Endpoint, ErrorTracker, PortError
from phases.ports.tracker_values import IssueRow
from phases.record.findings import EndpointAnswer, Look, LookVerdict, Picture, Release
from phases.record.incident import ActionKind, Incident, Round
from phases.record.service import Service
from phases.shared.counts import Measured
from phases.text.wording import counted, lasting, listed
from phases.triage.blast_radius import ERROR
from phases.verification.event_chart import chart_begin, chart_of, quick_chart
from phases.verification.event_counts import SIZE, Limits, limits

GRACE = timedelta(seconds=60)  # "from start + 60 s …"
GRACE_SHARE = 5  # "… (a fifth of the first wait, where that is shorter)"
BURNING_WINDOWS = 4  # the rate before is counted over so many windows (an hour) at most
MINUTE = timedelta(minutes=1)
NEVER = Measured(per_minute=0.0, minutes=0.0)


def grace(service: Service) -> timedelta:
    """Return the time after the action in which the old release may still be dying."""
    return min(GRACE, timedelta(seconds=service.recheck_after_seconds) / GRACE_SHARE)


def verdict(
    events: int, held: Limits, endpoint: EndpointAnswer | None, new: Sequence[str]
) -> tuple[LookVerdict, tuple[str, ...]]:
    """Judge one look, with the reasons, the comparison of the counts first.

    Recovery is few enough events, *and* an endpoint that answers well, *and* no issue that is new
    in what runs now.
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


@dataclass(frozen=True, slots=True)
class Recheck:
    """An incident that is measured after an action, and what it is measured with."""

    incident: Incident
    service: Service
    tracker: ErrorTracker | None
    endpoint: Endpoint
    now: datetime
    forward: timedelta = timedelta()
    """The time by which the clock was set forward since the action."""

    async def look(self, round_number: int, look_number: int) -> Looked:
        """Look at Sentry and at the endpoint once, and judge what they tell.

        Counts from the round's clock and a grace on, against the baseline that triage measured.
        Never raises: what cannot be asked is the look's verdict.
        """
        report = self.incident.triage
        current = self.incident.round_of(round_number)
        clock = (current.clock_started_at if current else None) or self.now
        begin = min(clock + grace(self.service), self.now)
        minutes = (self.now - begin) / MINUTE
        answered, counts = await asyncio.gather(
            self._call_endpoint(), self._counts(current, clock, begin)
        )
        look = Look(
            number=look_number,
            at=self.now,
            verdict=LookVerdict.UNREACHABLE,
            before_per_minute=report.per_minute if report else 0.0,
            minutes=round(minutes, 2),
            endpoint=answered,
        )
        try:
            if isinstance(counts, PortError):
                raise counts
            held = limits(baseline(self.incident), counts.burning, minutes)
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
            "verdict": judged,
            "events": counts.events,
            "expected": round(held.expected, 2),
            "allowed": held.allowed,
            "unchanged": round(held.unchanged, 1),
            "before_per_minute": round(counts.burning.per_minute, 2),
            "after_per_minute": round(counts.events / minutes, 2) if minutes > 0 else 0.0,
            "new_issues": counts.new,
            "reasons": (*why, *unasked),
        }
        return Looked(round=round_number, picture=picture, look=look.model_copy(update=measured))

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
        judged, why = verdict(counts.events, held, answered, counts.new)
        if judged is not LookVerdict.NOT_RECOVERED:
            if counts.unknown is not None:
                raise counts.unknown
            if not self.ids:
                none = "no Sentry issue belongs to this incident"
                none = none if self.tracker is not None else "Sentry is not set up"
                return LookVerdict.TOO_FEW, (f"{none}{NOT_MEASURED}",)
        if self.forward and self.ids and (answered is None or answered.ok):
            # Minutes that never passed are quiet, or those of the fire are counted.
            jumped = f"the clock here was set forward by {lasting(self.forward)} meanwhile"
            return LookVerdict.TOO_FEW, (jumped,)
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
        self, current: Round | None, clock: datetime, begin: datetime
    ) -> _Counts | PortError:
        tracker = self.tracker
        if tracker is None:
            return _Counts()

        async def new_in(name: str) -> Sequence[IssueRow] | PortError:
            try:
                return await tracker.new_issues(self.service, name, clock, self.now)
            except PortError as error:
                return error

        since, until = burned(self.incident, self.service, current, clock)
        try:
            events, before, answers = await asyncio.gather(
                tracker.count([self.service], self.ids, begin, self.now),
                tracker.count([self.service], self.ids, since, until),
                asyncio.gather(*(new_in(name) for name in _names(self.incident, current))),
            )
        except PortError as error:
            return error
        errors = [answer for answer in answers if isinstance(answer, PortError)]
        new = [row.short_id for rows in answers if not isinstance(rows, PortError) for row in rows]
        minutes = (until - since) / MINUTE
        return _Counts(
            events=events,
            burning=Measured(before / minutes, minutes),
            new=tuple(dict.fromkeys(new)),
            unknown=errors[0] if errors else None,
        )

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


@dataclass(frozen=True, slots=True)
class _Counts:
    """The counts of Sentry since the action, and before it."""

    events: int = 0
    burning: Measured = NEVER
    """The rate while it burned."""
    new: tuple[str, ...] = ()
    """Short ids of issues that are new in what runs now."""
    unknown: PortError | None = None
    """The reason why not all of the new issues are known."""


def burned(
    incident: Incident, service: Service, current: Round | None, clock: datetime
) -> tuple[datetime, datetime]:
    """Return the time in which the trouble was left alone.

    It lasts from the beginning until somebody acted, an hour at most.
    """
    action = current.action if current else None
    until = (action.started_at or action.at) if action else clock
    began = incident.triage.began_at if incident.triage else None
    earliest = until - BURNING_WINDOWS * service.window
    if began is None or began >= until:
        return until - service.window, until
    return max(began, earliest), until


def baseline(incident: Incident) -> Measured:
    """Return the rate before trouble began, as triage measured it."""
    report = incident.triage
    return Measured(report.baseline_per_minute, report.baseline_minutes) if report else NEVER


def running_release(current: Round | None) -> str | None:
    """Return the release that the deployer said runs after the action, if any was deployed."""
    action = current.action if current else None
    if action is None:
        return None
    if action.proof and action.proof.after:
        return action.proof.after
    return action.to_release.version if action.to_release and action.result == "done" else None


def _names(incident: Incident, current: Round | None) -> tuple[str, ...]:
    """Return the names that events of the running release may carry: its version, its commit."""
    action = current.action if current else None
    if action is not None and not action.deploys:
        return _ran_all_along(incident, action.at)
    running, meant = running_release(current), action.to_release if action else None
    # Sentry may know what was deployed by its commit alone. Where something else runs, that commit
    # says nothing of it.
    shipped = action is not None and action.kind is ActionKind.HOTFIX
    by_commit = meant is not None and (
        shipped or running is None or meant.same_as(Release(version=running))
    )
    commit = meant.commit if meant and by_commit else None
    return tuple(dict.fromkeys(name for name in (running, commit) if name))


def _ran_all_along(incident: Incident, at: datetime) -> tuple[str, ...]:
    """Return the names of the release that ran before *Fixed another way*, which deploys nothing.

    It is that of the newest deploy before it, else that which triage saw.
    """
    done = (
        r for r in reversed(incident.rounds) if r.action is not None and r.action.result == "done"
    )
    newest = next((round for round in done if running_release(round) is not None), None)
    own = newest.action.finished_at if newest is not None and newest.action is not None else None
    known = [(own, _names(incident, newest))] if own is not None else []
    report = incident.triage
    if report is not None and report.running is not None:
        names = (report.running.version, report.running.commit)
        known.append((report.at, tuple(name for name in names if name)))
    known += [(when, (version,)) for when, version in deploys_heard(incident) if when <= at]
    _, newest_names = max(known, key=lambda entry: entry[0], default=(at, ()))
    return tuple(dict.fromkeys(newest_names))


def deploys_heard(incident: Incident) -> tuple[tuple[datetime, str], ...]:
    """Return the deploys by others that the incident was told of: times and versions."""
    keys = [key.removeprefix("deploy:") for key in incident.heard if key.startswith("deploy:")]
    parts = (key.rpartition("@") for key in keys)
    return tuple((datetime.fromisoformat(at), version) for version, _, at in parts)


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
