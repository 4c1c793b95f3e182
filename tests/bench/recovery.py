"""The rate of wrong verdicts on recovery, over simulated series; `watched.py` moves traffic, too.

A fire goes on, is over, or is too small to tell. Each series is a normal day (or hour), then 5 to
30 minutes of fire, then the two checks of 4 and 9 minutes that the rules have (5 and 10 minutes
after the action, the first minute left out). Minutes are Poisson, or negative binomial with a
variance of up to three times the mean. The bot sees counts alone, never the rates behind them. The
guard's checks follow: each minute at the newest three, and three times at fifteen.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

from phases.record.findings import LookVerdict
from phases.shared.counts import Measured
from phases.verification.before_action import MINUTE
from phases.verification.event_counts import (
    EXPECTED_EVENTS_LEAST,
    MENDED_ODDS,
    MENDED_ODDS_EARLY,
    Limits,
    limits_for,
    most_stragglers_later,
)
from phases.verification.recurrence import (
    GUARD_LASTS,
    LONG_LOOK_SPAN,
    LOOKS,
    SHORT_LOOK_SPAN,
    is_back,
    is_back_soon,
)
from phases.verification.verdicts import judge_look
from tests.bench import watched
from tests.bench.series import counted
from tests.bench.table import Row

FIRST, SECOND = 4.0, 9.0
LOOK_MINUTES, SOON_MINUTES, HOUR_MINUTES = (
    int(span / MINUTE) for span in (LONG_LOOK_SPAN, SHORT_LOOK_SPAN, GUARD_LASTS)
)
DAY, HOUR = 1440.0, 60.0
SERIES = 20_000
RARE = 3  # times as many, where one in thousands is looked for
SEED = 20_261_122
SIGN = "verdict: "
"""The first words of these rows."""


@dataclass(frozen=True, slots=True)
class Series:
    """One incident as it is drawn: rates are events a minute."""

    usual: float
    burning: float
    spread: float
    normal_minutes: float
    left_alone: float


@dataclass(frozen=True, slots=True)
class Told:
    """The bot's verdicts at both checks, and the size that it saw.

    A size is the number of events expected in them without recovery.
    """

    first: LookVerdict
    second: LookVerdict
    sizes: tuple[float, float]

    @property
    def last(self) -> LookVerdict:
        """A clean first check is recovery.

        Otherwise the second decides (too few events: a person is asked).
        """
        return self.first if self.first is LookVerdict.RECOVERED else self.second


def looked(rng: random.Random, series: Series, *, over: bool) -> Told:
    """The bot's two looks at a series whose fire is out (`over`), or is not."""
    normal = counted(rng, series.usual * series.normal_minutes, series.spread)
    fire = counted(rng, series.burning * series.left_alone, series.spread)
    rate = series.usual if over else series.burning
    early = counted(rng, rate * FIRST, series.spread)
    late = early + counted(rng, rate * (SECOND - FIRST), series.spread)
    held = [
        known(normal, series.normal_minutes, fire, series.left_alone, span)
        for span in (FIRST, SECOND)
    ]
    first, second = (
        judge_look(n, h, None, [])[0] for n, h in zip((early, late), held, strict=True)
    )
    return Told(first, second, (held[0].unchanged, held[1].unchanged))


@cache
def known(normal: int, normal_minutes: float, fire: int, left_alone: float, span: float) -> Limits:
    return limits_for(
        Measured(normal / normal_minutes, normal_minutes),
        Measured(fire / left_alone, left_alone),
        span,
        odds=MENDED_ODDS if span == SECOND else MENDED_ODDS_EARLY,
    )


def drawn(
    rng: random.Random,
    sizes: tuple[float, float],
    span: float,
    *,
    times: tuple[float, float] = (5, 50),
) -> Series:
    """Sizes and rates beside normal, even on a logarithmic scale.

    A size is the number of events expected in a check of `span` minutes.
    """
    size, factor = (math.exp(rng.uniform(math.log(a), math.log(b))) for a, b in (sizes, times))
    left_alone, normal = rng.choice((5.0, 10.0, 15.0, 30.0)), rng.choice((DAY, DAY, DAY, HOUR))
    return Series(size / span / factor, size / span, rng.uniform(1, 3), normal, left_alone)


def rates(series: int, seed: int = SEED) -> list[tuple[str, int, float, float | None]]:
    """(what, out of how many, share, what the issue asks for)."""
    rng = random.Random(seed)
    rows: list[tuple[str, int, float, float | None]] = []

    def share(
        what: str, looks: list[Told], bad: Callable[[Told], bool], most: float | None
    ) -> None:
        rows.append((what, len(looks), sum(map(bad, looks)) / max(len(looks), 1), most))

    def burning_and_over(make: Callable[[], Series]) -> tuple[list[Told], list[Told]]:
        drawn_ = [make() for _ in range(series)]
        return [looked(rng, s, over=False) for s in drawn_], [
            looked(rng, s, over=True) for s in drawn_
        ]

    yes, no, few = LookVerdict.RECOVERED, LookVerdict.NOT_RECOVERED, LookVerdict.TOO_FEW
    on, over = burning_and_over(lambda: drawn(rng, (EXPECTED_EVENTS_LEAST, 500), FIRST))
    share("whole re-check: false “recovered”", on, lambda t: t.last is yes, 0.001)
    share(
        "whole re-check: recovery missed, or a person asked",
        over,
        lambda t: t.last is not yes,
        0.05,
    )
    share("first look alone: false “recovered”", on, lambda t: t.first is yes, 0.001)
    share("first look alone: “not recovered” over a recovery", over, lambda t: t.first is no, 0.05)
    share(
        "first look alone: left to the second over a recovery", over, lambda t: t.first is few, None
    )
    # The hardest case has 20 events in the first check, five times normal, scattered three times as
    # much.
    on, over = burning_and_over(
        lambda: replace(
            drawn(rng, (EXPECTED_EVENTS_LEAST, EXPECTED_EVENTS_LEAST), FIRST, times=(5, 5)),
            spread=3.0,
        )
    )
    share("20 events, 5 × normal, spread 3: false “recovered”", on, lambda t: t.last is yes, 0.001)
    share(
        "20 events, 5 × normal, spread 3: “not recovered” over a recovery",
        over,
        lambda t: t.last is no,
        0.05,
    )
    share(
        "20 events, 5 × normal, spread 3: a person asked over a recovery",
        over,
        lambda t: t.last is few,
        None,
    )
    on, over = burning_and_over(lambda: drawn(rng, (1, EXPECTED_EVENTS_LEAST), SECOND))
    small = [t for t in (*on, *over) if t.sizes[1] < EXPECTED_EVENTS_LEAST]
    share(
        "below the size, as measured before: says otherwise",
        small,
        lambda t: t.last is not few,
        0.01,
    )
    share(
        "below the size, as it really was: says otherwise",
        [*on, *over],
        lambda t: t.last is not few,
        None,
    )
    return rows


# --- the guard: its looks after recovery ----------------------------------------------------------


def remembered(
    rng: random.Random, series: Series, times: float = 1.0
) -> tuple[Measured, Measured, float]:
    """The bot's knowledge at recovery.

    It holds the baseline, the fire, and events a minute at the last re-check.
    """
    normal = counted(rng, series.usual * series.normal_minutes, series.spread)
    fire = counted(rng, series.burning * series.left_alone, series.spread)
    quiet = counted(rng, series.usual * times * SECOND, series.spread) / SECOND
    return (
        Measured(normal / series.normal_minutes, series.normal_minutes),
        Measured(fire / series.left_alone, series.left_alone),
        quiet,
    )


@cache
def _least(
    test: Callable[[int, Measured, Measured, float, float], bool],
    base: Measured,
    burning: Measured,
    quiet: float,
    minutes: float,
) -> int:
    """The fewest events that are a return; more are one, too.

    See tests/unit/phases/verification/test_guard.py.
    """
    low, high = 0, 1
    while not test(high, base, burning, quiet, minutes):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if test(middle, base, burning, quiet, minutes) else (middle, high)
    return high


def opened_over_quiet(rng: random.Random, series: Series, times: float) -> bool:
    """Return if any of the hour's checks sees a return.

    Production stays at `times` its baseline.
    """
    known_ = remembered(rng, series, times)
    minutes = [counted(rng, series.usual * times, series.spread) for _ in range(HOUR_MINUTES)]
    for minute in range(1, HOUR_MINUTES + 1):
        if sum(minutes[max(minute - SOON_MINUTES, 0) : minute]) >= _least(
            is_back_soon, *known_, float(SOON_MINUTES)
        ):
            return True
    return any(
        sum(minutes[at - LOOK_MINUTES : at]) >= _least(is_back, *known_, float(LOOK_MINUTES))
        for at in (int(look / MINUTE) for look in LOOKS)
    )


def looked_back(rng: random.Random, series: Series, *, again: float) -> bool:
    """Return if the check at a quarter of an hour sees a fire that is back.

    It came back in the last `again` minutes.
    """
    known_ = remembered(rng, series)
    events = counted(rng, series.usual * (LOOK_MINUTES - again), series.spread)
    events += counted(rng, series.burning * again, series.spread)
    return is_back(events, *known_, float(LOOK_MINUTES))


def looked_soon(rng: random.Random, series: Series, *, within: int) -> bool:
    """Return if a check sees a fire that came back at the old rate.

    It is within so many minutes of its first event.
    """
    known_ = remembered(rng, series)
    before = [counted(rng, series.usual, series.spread) for _ in range(SOON_MINUTES)]
    first = rng.random()  # of a minute until the next look
    minutes = [
        *before,
        counted(rng, series.burning * first + series.usual * (1 - first), series.spread),
    ]
    for _ in range(within):
        if sum(minutes[-SOON_MINUTES:]) >= _least(is_back_soon, *known_, float(SOON_MINUTES)):
            return True
        minutes.append(counted(rng, series.burning, series.spread))
    return False


def opened_by_stragglers(rng: random.Random, series: Series, left: float, halves: float) -> bool:
    """Return if any of the hour's checks takes what is left of an old release for a return.

    `left`: of the fire's rate, at the action; `halves`: the minutes in which that halves.
    """
    known_ = remembered(rng, series)
    _, burning, _ = known_
    usual_ = [counted(rng, series.usual, series.spread) for _ in range(HOUR_MINUTES)]
    old = [
        counted(rng, series.burning * left * 0.5 ** ((FIRST + minute) / halves), series.spread)
        for minute in range(HOUR_MINUTES)
    ]

    def back_at(minute: int, span: int, test: Callable[..., bool]) -> bool:
        begin = max(minute - span, 0)
        over, lingering = sum(usual_[begin:minute]), sum(old[begin:minute])
        if not test(over + lingering, *known_, float(span)):
            return False
        if lingering > most_stragglers_later(burning.per_minute * span, minute):
            return True
        return test(over, *known_, float(span))

    every = any(back_at(m, SOON_MINUTES, is_back_soon) for m in range(1, HOUR_MINUTES + 1))
    return every or any(back_at(int(at / MINUTE), LOOK_MINUTES, is_back) for at in LOOKS)


def guard_rates(series: int, seed: int = SEED) -> list[tuple[str, int, float, float | None]]:
    """The guard's rates as (name, out of how many, share, at most).

    They count incidents opened again over nothing, and fires that no check sees.
    """
    rng = random.Random(seed)
    rows: list[tuple[str, int, float, float | None]] = []

    def quiet(what: str, make: Callable[[], Series], most: float, *, times: float = 1.0) -> None:
        many = RARE * series
        opened = sum(opened_over_quiet(rng, make(), times) for _ in range(many))
        rows.append((f"guard, {what}: opened again over nothing", many, opened / many, most))

    def unseen(what: str, again: float, most: float | None, times: tuple[float, float]) -> None:
        made = (
            drawn(rng, (2 * EXPECTED_EVENTS_LEAST, 500), again, times=times) for _ in range(series)
        )
        missed = sum(not looked_back(rng, drawn_series, again=again) for drawn_series in made)
        rows.append(
            (f"guard, {what}: not seen by the next look at 15 min", series, missed / series, most)
        )

    def late(
        what: str,
        sizes: tuple[float, float],
        times: tuple[float, float],
        within: int,
        most: float | None,
    ) -> None:
        made = (drawn(rng, sizes, float(SOON_MINUTES), times=times) for _ in range(series))
        missed = sum(not looked_soon(rng, drawn_series, within=within) for drawn_series in made)
        rows.append(
            (
                f"guard, back at the old rate, {what}: not seen within {within} min",
                series,
                missed / series,
                most,
            )
        )

    def young() -> Series:
        return replace(
            drawn(rng, (20, 100), LOOK_MINUTES, times=(5, 6)), spread=3, normal_minutes=HOUR
        )

    sizes = ((1, 2000), LOOK_MINUTES)
    opened = sum(
        opened_by_stragglers(rng, drawn(rng, *sizes), rng.uniform(0, 0.3), rng.uniform(2, 20))
        for _ in range(series // 4)
    )
    share = opened / (series // 4)
    rows.append(("guard, stragglers that decline: opened again", series // 4, share, 0.001))
    unseen_ = sum(
        not opened_by_stragglers(
            rng, drawn(rng, (2 * EXPECTED_EVENTS_LEAST, 500), SOON_MINUTES), 0.4, 1e9
        )
        for _ in range(series // 4)
    )
    share = unseen_ / (series // 4)
    rows.append(("guard, the old release still answers at 0.4: not seen", series // 4, share, None))
    quiet("quiet for an hour", lambda: drawn(rng, (1, 2000), LOOK_MINUTES), 0.0001)
    quiet("baseline of an hour, spread 3", young, 0.001)
    quiet(
        "rush hour, twice the baseline", lambda: drawn(rng, (1, 2000), LOOK_MINUTES), 0.001, times=2
    )
    late(
        "40 events in 3 min or more, 10 to 50 × normal",
        (2 * EXPECTED_EVENTS_LEAST, 500),
        (10, 50),
        3,
        0.05,
    )
    late(
        "20 events in 3 min or more, 5 to 50 × normal",
        (EXPECTED_EVENTS_LEAST, 500),
        (5, 50),
        3,
        None,
    )
    late(
        "20 events in 3 min or more, 5 to 50 × normal",
        (EXPECTED_EVENTS_LEAST, 500),
        (5, 50),
        5,
        None,
    )
    unseen("back for the whole 15 min, 5 to 50 × normal", LOOK_MINUTES, 0.05, (5, 50))
    unseen("back for 10 min, 5 to 50 × normal", 10.0, None, (5, 50))
    unseen("back for 5 min, 10 to 50 × normal", 5.0, None, (10, 50))
    return rows


async def table(series: int = SERIES) -> list[Row]:
    rows: list[Row] = []
    both = (*watched.rates(series // 8, SEED), *rates(series), *guard_rates(series))
    for what, number, rate, most in both:
        asked = "" if most is None else f"≤ {most:.1%}"
        ok = None if most is None else rate <= most
        rows.append(Row(f"{SIGN}{what}", f"{rate:.3%}", asked, ok, f"of {number:,}"))
    return rows
