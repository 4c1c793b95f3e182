"""How often the verdict on recovery is wrong, over simulated series: a fire that goes on, one that is over, one too small to tell.

Each series: what was normal for a day (or an hour), 5 to 30 minutes of fire, then the two looks of 4 and 9 minutes that the rules have
(5 and 10 minutes after the action, the first minute left out). Minutes are Poisson, or negative binomial with a variance of
up to three times the mean; the bot sees counts alone, never the rates behind them. Then the guard's looks over 15 minutes each.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

from phases.counts import SIZE, Limits, Measured, limits
from phases.guard import LOOKS, SPAN, back
from phases.report import LookVerdict
from phases.verification import MINUTE, verdict
from tests.bench.table import Row

FIRST, SECOND = 4.0, 9.0
LOOK_MINUTES = SPAN / MINUTE
DAY, HOUR = 1440.0, 60.0
SERIES = 20_000
SEED = 20_261_122
SIGN = "verdict: "
"""How these rows begin."""


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
    """What the bot said at both looks, and which size it saw: events it expected in them without recovery."""

    first: LookVerdict
    second: LookVerdict
    sizes: tuple[float, float]

    @property
    def last(self) -> LookVerdict:
        """First look clean: recovered. Otherwise the second decides (too few: a person is asked)."""
        return self.first if self.first is LookVerdict.RECOVERED else self.second


def counted(rng: random.Random, mean: float, spread: float) -> int:
    """Poisson, or negative binomial as a Poisson whose rate is drawn from a gamma distribution."""
    if mean <= 0:
        return 0
    if spread > 1:
        mean = rng.gammavariate(mean / (spread - 1), spread - 1)
    if mean > 150:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    enough, number, product = math.exp(-mean), 0, rng.random()
    while product > enough:
        number += 1
        product *= rng.random()
    return number


def looked(rng: random.Random, one: Series, *, over: bool) -> Told:
    """The bot's two looks at a series whose fire is out (`over`), or is not."""
    normal = counted(rng, one.usual * one.normal_minutes, one.spread)
    fire = counted(rng, one.burning * one.left_alone, one.spread)
    rate = one.usual if over else one.burning
    early = counted(rng, rate * FIRST, one.spread)
    late = early + counted(rng, rate * (SECOND - FIRST), one.spread)
    held = [known(normal, one.normal_minutes, fire, one.left_alone, span) for span in (FIRST, SECOND)]
    first, second = (verdict(n, h, None, [])[0] for n, h in zip((early, late), held, strict=True))
    return Told(first, second, (held[0].unchanged, held[1].unchanged))


@cache
def known(normal: int, normal_minutes: float, fire: int, left_alone: float, span: float) -> Limits:
    return limits(Measured(normal / normal_minutes, normal_minutes), Measured(fire / left_alone, left_alone), span)


def drawn(
    rng: random.Random, sizes: tuple[float, float], span: float, *, times: tuple[float, float] = (5, 50)
) -> Series:
    """Sizes (events expected in a look of `span` minutes) and rates beside normal even on a logarithmic scale."""
    size, factor = (math.exp(rng.uniform(math.log(a), math.log(b))) for a, b in (sizes, times))
    left_alone, normal = rng.choice((5.0, 10.0, 15.0, 30.0)), rng.choice((DAY, DAY, DAY, HOUR))
    return Series(size / span / factor, size / span, rng.uniform(1, 3), normal, left_alone)


def rates(series: int, seed: int = SEED) -> list[tuple[str, int, float, float | None]]:
    """(what, out of how many, share, what the issue asks for)."""
    rng = random.Random(seed)
    rows: list[tuple[str, int, float, float | None]] = []

    def share(what: str, told: list[Told], bad: Callable[[Told], bool], most: float | None) -> None:
        rows.append((what, len(told), sum(map(bad, told)) / max(len(told), 1), most))

    def burning_and_over(make: Callable[[], Series]) -> tuple[list[Told], list[Told]]:
        drawn_ = [make() for _ in range(series)]
        return [looked(rng, s, over=False) for s in drawn_], [looked(rng, s, over=True) for s in drawn_]

    yes, no, few = LookVerdict.RECOVERED, LookVerdict.NOT_RECOVERED, LookVerdict.TOO_FEW
    on, over = burning_and_over(lambda: drawn(rng, (SIZE, 500), FIRST))
    share("whole re-check: false “recovered”", on, lambda t: t.last is yes, 0.001)
    share("whole re-check: recovery missed, or a person asked", over, lambda t: t.last is not yes, 0.05)
    share("first look alone: false “recovered”", on, lambda t: t.first is yes, 0.001)
    share("first look alone: “not recovered” over a recovery", over, lambda t: t.first is no, 0.05)
    share("first look alone: left to the second over a recovery", over, lambda t: t.first is few, None)
    # The hardest there is: 20 events in the first look, five times normal, scattered three times as much.
    on, over = burning_and_over(lambda: replace(drawn(rng, (SIZE, SIZE), FIRST, times=(5, 5)), spread=3.0))
    share("20 events, 5 × normal, spread 3: false “recovered”", on, lambda t: t.last is yes, 0.001)
    share("20 events, 5 × normal, spread 3: “not recovered” over a recovery", over, lambda t: t.last is no, 0.05)
    share("20 events, 5 × normal, spread 3: a person asked over a recovery", over, lambda t: t.last is few, None)
    on, over = burning_and_over(lambda: drawn(rng, (1, SIZE), SECOND))
    small = [t for t in (*on, *over) if t.sizes[1] < SIZE]
    share("below the size, as measured before: says otherwise", small, lambda t: t.last is not few, 0.01)
    share("below the size, as it really was: says otherwise", [*on, *over], lambda t: t.last is not few, None)
    return rows


# --- the guard: three looks after recovery ------------------------------------------------------------------------


def looked_back(
    rng: random.Random, one: Series, *, looks: int = len(LOOKS), times: float = 1.0, again: float = 0.0
) -> int:
    """In how many looks trouble is back: production at `times` its baseline, and in the last `again` minutes of each the fire."""
    normal = counted(rng, one.usual * one.normal_minutes, one.spread)
    fire = counted(rng, one.burning * one.left_alone, one.spread)
    quiet = counted(rng, one.usual * times * SECOND, one.spread) / SECOND
    base = Measured(normal / one.normal_minutes, one.normal_minutes)
    burning = Measured(fire / one.left_alone, one.left_alone)
    found = 0
    for _ in range(looks):
        events = counted(rng, one.usual * times * (LOOK_MINUTES - again), one.spread)
        events += counted(rng, one.burning * again, one.spread)
        found += back(events, base, burning, quiet, LOOK_MINUTES)
    return found


def guard_rates(series: int, seed: int = SEED) -> list[tuple[str, int, float, float | None]]:
    """(what, out of how many, share, at most): incidents opened again over nothing, and fires that no look sees."""
    rng = random.Random(seed)
    rows: list[tuple[str, int, float, float | None]] = []

    def quiet(what: str, make: Callable[[], Series], most: float, *, times: float = 1.0) -> None:
        opened = sum(looked_back(rng, make(), times=times) > 0 for _ in range(series))
        rows.append((f"guard, {what}: opened again over nothing", series, opened / series, most))

    def unseen(what: str, again: float, most: float | None, times: tuple[float, float]) -> None:
        made = (drawn(rng, (2 * SIZE, 500), again, times=times) for _ in range(series))
        missed = sum(looked_back(rng, one, looks=1, again=again) == 0 for one in made)
        rows.append((f"guard, {what}: not seen by the next look", series, missed / series, most))

    def young() -> Series:
        return replace(drawn(rng, (20, 100), LOOK_MINUTES, times=(5, 6)), spread=3, normal_minutes=HOUR)

    quiet("quiet for an hour", lambda: drawn(rng, (1, 2000), LOOK_MINUTES), 0.001)
    quiet("baseline of an hour, spread 3", young, 0.001)
    quiet("rush hour, twice the baseline", lambda: drawn(rng, (1, 2000), LOOK_MINUTES), 0.001, times=2)
    unseen("back for the whole 15 min, 5 to 50 × normal", LOOK_MINUTES, 0.05, (5, 50))
    unseen("back for 10 min, 5 to 50 × normal", 10.0, None, (5, 50))
    unseen("back for 5 min, 10 to 50 × normal", 5.0, None, (10, 50))
    return rows


async def table(series: int = SERIES) -> list[Row]:
    found: list[Row] = []
    for what, number, rate, most in (*rates(series), *guard_rates(series)):
        asked = "" if most is None else f"≤ {most:.1%}"
        ok = None if most is None else rate <= most
        found.append(Row(f"{SIGN}{what}", f"{rate:.3%}", asked, ok, f"of {number:,}"))
    return found
