"""Services with two weeks of ordinary errors, and fires in them, as rows and series of Sentry's."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from phases.ports.tracker_values import IssueRow, Minutes
from phases.triage.picture.fire import DAY, HISTORY, HOUR, MINUTE, STEP, Series, step_of, time_of

NOON = datetime(2026, 5, 5, 12, 15, 30, tzinfo=UTC)
NIGHT = datetime(2026, 5, 5, 3, 15, 30, tzinfo=UTC)
WINDOW = timedelta(minutes=15)
QUIETEST = 0.15
"""Of noon's traffic, at three in the night."""


def traffic(at: datetime) -> float:
    """Return a share of noon's: a day goes up and down, and a weekend has a third less."""
    hour = at.hour + at.minute / 60
    swing = (1 - math.cos((hour - 3) / 24 * 2 * math.pi)) / 2
    weekend = 0.66 if at.weekday() >= 5 else 1.0
    return (QUIETEST + (1 - QUIETEST) * min(swing * 1.1, 1.0)) * weekend


@dataclass
class Burning:
    """A service at `now`. `noise`: errors a minute at noon, by `known` issues of long ago."""

    now: datetime
    noise: float = 0.0
    known: int = 4
    spread: float = 1.5
    seed: int = 1

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.counts: dict[datetime, int] = {}
        self.rows: list[IssueRow] = []
        if self.noise > 0:
            counts, rows, state = _ordinary(
                self.now, self.noise, self.known, self.spread, self.seed
            )
            self.counts, self.rows = dict(counts), list(rows)
            self.rng.setstate(state)

    def fail(
        self, per_minute: float, first: datetime, *, since: datetime | None = None, times: float = 1
    ) -> None:
        """An issue that fails with the traffic; from `since` on so many times as often."""
        begin = max(first, self.now - HISTORY)
        hours: dict[datetime, int] = {}
        events, steps = 0, _steps(self.now)
        begun = (time_of(step_of(begin)) - steps[0][0]) // STEP
        for at, share, minutes in steps[begun:]:
            factor = times if since is not None and at >= since else 1
            if at < begin:
                minutes -= (begin - at) / MINUTE
            count = self._draw(per_minute * factor * share * minutes)
            if count:
                self.counts[at] = self.counts.get(at, 0) + count
                if at > self.now - DAY:
                    hour = at.replace(minute=0)
                    hours[hour] = hours.get(hour, 0) + count
                if at > self.now - WINDOW - MINUTE:
                    events += count
        self._add(first, events, hours)

    def births(self, per_hour: float, each: int = 2, lasting: float = 0.0) -> None:
        """New issues all day long, with an event or a few each: this service's way.

        `lasting`: the share of the older ones that have an event in the window.
        """
        for _ in range(self._draw(per_hour * 48)):
            first = self.now - self.rng.uniform(0, 48) * HOUR
            recent = first > self.now - WINDOW
            again = int(self.rng.random() < lasting)
            self._add(first, each if recent else again, {})
            at = time_of(step_of(first))
            self.counts[at] = self.counts.get(at, 0) + each
        for day in range(2, 14):
            for _ in range(self._draw(per_hour * 24)):
                at = time_of(step_of(self.now - day * DAY - self.rng.uniform(0, 24) * HOUR))
                self.counts[at] = self.counts.get(at, 0) + each

    def _add(self, first: datetime, events: int, hours: dict[datetime, int]) -> None:
        number = len(self.rows) + 1
        last_day = sum(n for n in hours.values())
        start = (self.now - DAY).replace(minute=0, second=0, microsecond=0) + HOUR
        self.rows.append(
            IssueRow(
                id=str(number),
                short_id=f"SHOP-{number}",
                title=f"Oops: {number}",
                url=None,
                project="shop",
                level="error",
                first_seen=first,
                events=events,
                events_before=max(last_day - events, 0),
                minutes_before=(self.now - WINDOW - start) / MINUTE,
                hours=tuple((start + n * HOUR, hours.get(start + n * HOUR, 0)) for n in range(24)),
            )
        )

    def _draw(self, mean: float) -> int:
        """Return a count whose variance is `spread` times its mean (negative binomial)."""
        if mean <= 0:
            return 0
        if self.spread > 1:
            shape = mean / (self.spread - 1)
            mean = self.rng.gammavariate(shape, self.spread - 1)
        drawn, limit, count = self.rng.random, math.exp(-min(mean, 700)), 0
        product = drawn()
        if mean > 200:
            return max(round(self.rng.gauss(mean, math.sqrt(mean))), 0)
        while product > limit:
            product *= drawn()
            count += 1
        return count

    @property
    def series(self) -> Series:
        return Series(Minutes(counts=self.counts), self.now - HISTORY, self.now)

    @property
    def in_window(self) -> Sequence[IssueRow]:
        return [row for row in self.rows if row.events > 0]


@cache
def _steps(now: datetime) -> list[tuple[datetime, float, float]]:
    """Return begin, traffic and minutes of each step of the history."""
    steps, at = list[tuple[datetime, float, float]](), time_of(step_of(now - HISTORY))
    while at < now:
        steps.append((at, traffic(at), min(STEP, now - at) / MINUTE))
        at += STEP
    return steps


@cache
def _ordinary(
    now: datetime, noise: float, known: int, spread: float, seed: int
) -> tuple[dict[datetime, int], list[IssueRow], Any]:
    """Two weeks of a service's ordinary errors: drawn once, as it takes a second."""
    w = Burning(now, known=known, spread=spread, seed=seed)
    for _ in range(known):
        w.fail(noise / known, now - timedelta(days=w.rng.uniform(20, 60)))
    return w.counts, w.rows, w.rng.getstate()
