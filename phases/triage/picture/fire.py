"""Phase 1: the fire as one thing. Is the service louder than usual, since when, and which issues
began or grew with it?

A fire is chosen by its own beginning, not by the age or size of each issue: twenty issues of one
event every two minutes are a fire, and an hour later they still are.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from statistics import fmean, median

from phases.ports.tracker_values import IssueRow, Minutes
from phases.shared.counts import Measured, most_usual

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

STEP = timedelta(minutes=5)
"""Sentry's interval for `HISTORY`: 4,032 of at most 10,000 points (MAX_ROLLUP_POINTS of
https://github.com/getsentry/sentry/blob/master/src/sentry/constants.py)."""
HISTORY = timedelta(days=14)  # two weeks: the same hours of earlier days, and of both weekends
A_DAY = DAY // STEP
AROUND = 6  # steps: half an hour on both sides of the same time of another day
DAYS_LEAST = 3  # fewer days have no usual day; then the hours before count
DROPPED = 4  # a quarter of the days, the loudest: earlier incidents are not usual
HOURS_LEAST = 6  # fewer hours have no middle one

CHANCE = 0.001  # the usual rate brings so many events by chance
LOUDER = 2.0  # times the usual rate: less may be a rush hour
GROWN = 3.0  # an issue need not have grown more than a spike has (SPIKE_FACTOR)
FEW = 3  # events of nobody's fire, as for a baseline of zero in phase 5 (STRAGGLERS)
TOGETHER = 10  # events in the window of issues that began together: what one spike takes
LOUD_SHARE = 5  # less than a fifth of what burns now is not part of the run
QUIET_STRETCHES = 1  # windows; more quiet ones in a row end the run
SPARKS = 8  # of a fire's age: so long before it was loud its first issues may have begun
LONGEST = timedelta(days=7)  # beyond that the history is more fire than usual days


class Series:
    """The service's errors together, by steps of five minutes."""

    def __init__(self, minutes: Minutes, since: datetime, now: datetime) -> None:
        self.now = now
        self.first = step_of(since)
        self.end = step_of(now) + 1
        inside = [0] * (self.end - self.first)
        for at, count in minutes.counts.items():
            if 0 <= (number := step_of(at) - self.first) < len(inside):
                inside[number] += count
        self._until = [0, *accumulate(inside)]

    def events(self, begin: int, end: int) -> int:
        """Return the events of the steps from `begin` up to, and without, `end`."""
        last = len(self._until) - 1
        low, high = (min(max(step - self.first, 0), last) for step in (begin, end))
        return self._until[high] - self._until[low] if high > low else 0

    def minutes(self, begin: int, end: int) -> float:
        """Return the minutes of these steps that have passed."""
        return (min(time_of(end), self.now) - time_of(begin)) / MINUTE

    def usual(self, begin: int, end: int) -> Measured:
        """Return the usual rate at this time of day."""
        spans: list[int] = []
        for day in range(1, HISTORY // DAY):
            start, stop = begin - day * A_DAY - AROUND, end - day * A_DAY + AROUND
            if start < self.first:
                break
            spans.append(self.events(start, stop))
        if len(spans) >= DAYS_LEAST:
            quietest = sorted(spans)[: len(spans) - len(spans) // DROPPED]
            minutes = (end - begin + 2 * AROUND) * (STEP / MINUTE)
            return Measured(fmean(quietest) / minutes, minutes * len(quietest))
        return self._rate_a_day_ago(begin)

    def _rate_a_day_ago(self, begin: int) -> Measured:
        """Return the rate of the day before, in its middle hour: a fire of hours is not usual."""
        since = max(self.first, begin - A_DAY)
        minutes = (begin - since) * (STEP / MINUTE)
        if minutes < HOUR / MINUTE / 4:
            return Measured(0.0, 0.0)
        an_hour = HOUR // STEP
        hours = [self.events(at, at + an_hour) for at in range(since, begin - an_hour + 1, an_hour)]
        if len(hours) < HOURS_LEAST:
            return Measured(self.events(since, begin) / minutes, minutes)
        return Measured(median(hours) / (HOUR / MINUTE), minutes)


def step_of(at: datetime) -> int:
    return math.floor(at.timestamp() / STEP.total_seconds())


def time_of(step: int) -> datetime:
    return datetime.fromtimestamp(step * STEP.total_seconds(), UTC)


# --- the service is louder than usual ------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rise:
    """The sum of the service's errors, since it is louder than usual."""

    since: datetime
    events: int
    expected: float
    minutes: float

    @property
    def usual(self) -> float:
        """Events a minute that the service usually has in these minutes."""
        return self.expected / self.minutes

    @property
    def ratio(self) -> float:
        return self.events / max(self.expected, 1.0)


def find_rise(series: Series, window: timedelta) -> Rise | None:
    """Return since when the service is louder than usual, or None where it is not.

    Stretches as long as the window are added to the run, newest first, as long as each rather has
    the fire's rate than the usual one (the likelihood ratio of two Poisson rates). The test is that
    of phase 5: so many events come by chance in one of a thousand, with counts that scatter three
    times as much as Poisson's.
    """
    length = max(math.ceil(window / STEP), 2)
    end, events, expected, quiet = series.end, 0, 0.0, 0
    since: int | None = None
    measured = burning = 0.0
    loud = False
    while end - length >= max(series.first, series.end - LONGEST // STEP):
        begin = end - length
        rate, minutes = series.usual(begin, end), series.minutes(begin, end)
        n, m = series.events(begin, end), rate.per_minute * minutes
        ratio = max((events + n) / max(expected + m, 1e-9), LOUDER)
        least = 0.0 if since is None else events / burning * minutes / LOUD_SHARE
        if n > 0 and n >= least and n > tipping_count(m, min(ratio, 1e6)):
            since, quiet = begin, 0
            events, expected, burning = events + n, expected + m, burning + minutes
            measured = rate.minutes
            over = most_usual(Measured(expected / burning, measured), burning, CHANCE)
            loud = loud or (events > max(over, FEW) and events >= LOUDER * expected)
        elif (quiet := quiet + 1) > QUIET_STRETCHES:
            break
        end = begin
    if since is None or not loud:
        return None
    began = _first_step(series, since, length, expected / burning)
    return Rise(began, events, expected, burning)


def _first_step(series: Series, begin: int, length: int, per_minute: float) -> datetime:
    least = tipping_count(per_minute * (STEP / MINUTE), LOUDER)
    steps = (at for at in range(begin, begin + length) if series.events(at, at + 1) > least)
    return time_of(next(steps, begin))


def tipping_count(expected: float, ratio: float) -> float:
    """Return the number of events above which `ratio` times as many were rather to be expected."""
    return expected * (ratio - 1) / math.log(ratio)


# --- issues that began together ------------------------------------------------------------------


def loudest_group(rows: Sequence[IssueRow], now: datetime, window: timedelta) -> datetime | None:
    """Return the beginning of the loudest group of issues that were first seen since then.

    What was born in the two days before tells how much of such events is this service's way: a
    service that makes new issues all day long has no fire in them. Of all beginnings the most
    likely is taken (the scan statistic of Kulldorff, 1997, over times of birth).
    """
    young = [row for row in rows if row.events > 0 and row.first_seen > now - 2 * DAY]
    total = sum(row.events for row in young)
    best: tuple[float, datetime | None] = (0.0, None)
    for begin in sorted({row.first_seen for row in young if row.first_seen > now - DAY}):
        inside = sum(row.events for row in young if row.first_seen >= begin)
        if inside < TOGETHER:
            break
        span = max((now - begin) / MINUTE, window / MINUTE)
        others, rest = total - inside, 2 * DAY / MINUTE - span
        if inside > most_usual(Measured(others / rest, rest), span, CHANCE):
            best = max(
                best, (_log_likelihood_ratio(inside, span, others, rest), begin), key=_scan_score
            )
    return best[1]


def _scan_score(found: tuple[float, datetime | None]) -> float:
    return found[0]


def _log_likelihood_ratio(inside: int, span: float, others: int, rest: float) -> float:
    """Return the logarithm of how much likelier two rates are than one."""
    every = (inside + others) / (span + rest)
    return inside * math.log(inside / span / every) + (
        others * math.log(others / rest / every) if others else 0.0
    )


# --- who belongs ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fire:
    """The beginning by which issues are chosen."""

    since: datetime
    """Issues that were first seen since then began with it."""
    rise: Rise | None = None
    """The service as a whole is louder than usual."""
    old_are_louder: bool = False
    """So are the issues that were there before: then each of them may have grown with it."""

    def began(self, row: IssueRow) -> bool:
        return row.first_seen >= self.since

    def grew(self, row: IssueRow, window: timedelta) -> bool:
        """Return whether an old issue rather grew with the service than stayed as it was."""
        if self.rise is None or not self.old_are_louder or row.events <= 0:
            return False
        own = own_rate(row, self.rise.since)
        if own is None:
            return False
        ratio = min(max(self.rise.ratio, LOUDER), GROWN)
        # Nor was it louder than the whole service: its day may be more fire than usual hours.
        usually = min(own.per_minute, self.rise.usual)
        return row.events > tipping_count(usually * (window / MINUTE), ratio)


def own_rate(row: IssueRow, before: datetime) -> Measured | None:
    """Return the issue's events a minute in the day before; None where Sentry did not tell."""
    hours = [count for at, count in row.hours if at + HOUR <= before]
    if hours:
        minutes = len(hours) * (HOUR / MINUTE)
        return Measured(sum(hours) / minutes, minutes)
    if row.minutes_before <= 0:
        return None
    return Measured(row.events_before / row.minutes_before, row.minutes_before)


def find_fire(
    rows: Sequence[IssueRow],
    series: Series | None,
    now: datetime,
    window: timedelta,
    new: timedelta,
) -> Fire:
    """Return the fire. Where nothing is loud, what was first seen lately (`new`) counts as new."""
    rising = find_rise(series, window) if series is not None else None
    born = loudest_group(rows, now, window)
    beginnings = [now - new, *([born] if born else [])]
    if series is None or rising is None:
        return Fire(min(beginnings))
    sparks = max(STEP, (now - rising.since) / SPARKS)
    since = min(*beginnings, rising.since - sparks)
    old = sum(row.events for row in rows if row.first_seen < since)
    usually, minutes = series.usual(step_of(now - window), series.end), window / MINUTE
    over = max(most_usual(usually, minutes, CHANCE), FEW)
    louder = old > over and old >= LOUDER * usually.per_minute * minutes
    return Fire(since, rising, louder)
