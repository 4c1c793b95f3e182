"""Phase 5: the test on counts: few enough events for the baseline, and fewer than an unchanged fire
would ever bring by chance.

Errors come in bursts, so counts scatter more than Poisson's: up to `SPREAD` × as much (variance
over mean), as in a negative binomial distribution. The rate before is an estimate itself: the
shorter it was measured, the more scatter is allowed for. `make bench` measures the rates of wrong
verdicts over simulated series.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

from phases.verification.traffic import STEADY, Load

SPREAD = 3.0  # rules, Verification: overdispersion 1–3; the worst is always assumed
FALSE_RECOVERY = 0.0004  # a look; of two looks together under 1 in 1,000
MISSED_RECOVERY = 0.01  # a look; the rules ask for 1 in 20 at most
FALSE_RETURN = 0.0001
"""A look after recovery: of three together under 1 in 1,000, at a rush hour too."""
FALSE_SOON = FALSE_RETURN / 10
"""A look at the newest three minutes: sixty together stay under FALSE_RETURN (`make bench`)."""
SOON_SIZE = 10  # phase 1's spike: fewer events in a few minutes wake nobody
GREW = 0.001
SIZE = 20  # "≥ 20 events expected in a look without recovery"; below that nothing is said
STRAGGLERS = 3  # of a baseline of zero: old pages, queues, retries
FALSE_ALARM = 0.001
"""A look, with the widest scatter. All eight of a round stay under 1 in 1,000 (`make bench`), as
scatter is less most of the time, and one look sees what the one before it saw."""
STILL = 0.4
"""Of what would have come, for *not helping*: less may be a rollout that ends, and late events."""
LEFT = 0.1
"""Of the old rate: old tabs and queues of unknown releases, just after an action."""
STRAGGLING = 0.15
"""Of the old rate: more from a release that was taken back means that it still answers."""
HIDDEN = 0.05
"""Stragglers are more than that by chance, and then they count."""
HALF = 0.5
"""Of an event: what was never seen in a time is not impossible (Jeffreys' prior of a rate)."""
LARGE = 700
"""From a chance of silence of exp(-700) on, the normal distribution with its skewness is exact."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Events a minute, and over how many minutes that was counted; 0 minutes: never measured."""

    per_minute: float
    minutes: float


@dataclass(frozen=True, slots=True)
class Limits:
    """The meaning of a number of events in a look; all of it in events."""

    expected: float
    """As the baseline has it."""
    unchanged: float
    """About as many would have come had nothing changed."""
    allowed: int
    """At most as many as the baseline brings, but for one look in a hundred."""
    quiet: int
    """An unchanged fire is as quiet by chance in one look of 2,500; -1: even silence may be."""
    grew: int
    """More than this is no small trouble, however small it was before."""
    quiet_if_steady: int = -1
    """As `quiet`, had traffic not changed."""

    @property
    def small(self) -> bool:
        """Too few events to tell anything, whatever comes."""
        return self.unchanged < SIZE

    @property
    def recovered(self) -> int:
        """At most so many events are recovery; -1: no number is."""
        return -1 if self.small else min(self.allowed, self.quiet)

    @property
    def burning(self) -> int:
        """More events than this are no recovery. In between nobody can tell."""
        return max(self.allowed, self.grew) if self.small else self.allowed


def limits(baseline: Measured, burning: Measured, minutes: float, traffic: Load = STEADY) -> Limits:
    """Return the limits for the events of a look over so many minutes, with this traffic."""
    normal = Measured(baseline.per_minute * traffic.of_usual, baseline.minutes)
    unchanged = burning.per_minute * minutes

    def quiet(share: float) -> int:
        if burning.minutes <= 0:
            return -1
        spread = SPREAD * (1 + minutes / burning.minutes)
        return at_least_above(unchanged * share, spread, FALSE_RECOVERY)

    return Limits(
        expected=normal.per_minute * minutes,
        unchanged=unchanged * traffic.of_fire,
        allowed=max(usual(normal, minutes, MISSED_RECOVERY), STRAGGLERS),
        quiet=quiet(traffic.of_fire_least),
        grew=at_most(SIZE, SPREAD, GREW),
        quiet_if_steady=quiet(1.0),
    )


def not_helping(
    events: int, baseline: Measured, burning: Measured, minutes: float, traffic: Load = STEADY
) -> bool:
    """Say whether trouble surely goes on, at a look that may be one of many.

    There are enough events, 0.4 of what would have come, *and* more than a service that is well
    brings by chance in one look of 1,000, with its traffic at most and what is left of the old
    release. It may be asked each minute.
    """
    would_have_come = burning.per_minute * minutes * min(traffic.of_fire, 1.0)
    if events < max(SIZE, STILL * would_have_come) or burning.minutes <= 0 or traffic.gone:
        return False
    return events > well_at_most(baseline, would_have_come, minutes, traffic)


def straggling(would_have_come: float) -> int:
    """Return how many events of a release that was taken back are no more than its stragglers."""
    return max(at_most(STRAGGLING * would_have_come, SPREAD, HIDDEN), STRAGGLERS)


def well_at_most(baseline: Measured, would_have_come: float, minutes: float, traffic: Load) -> int:
    """Return the events that a service that is well again stays under, in all looks of a round."""
    most = baseline.per_minute * max(traffic.of_usual_most, 1.0) + LEFT * would_have_come / minutes
    return usual(Measured(most, baseline.minutes), minutes, FALSE_ALARM)


def usual(baseline: Measured, minutes: float, chance: float) -> int:
    """The baseline brings more events than this with at most this chance."""
    expected = baseline.per_minute * minutes
    if baseline.minutes <= 0:
        return at_most(expected, SPREAD, chance)
    scatter = SPREAD * (1 + minutes / baseline.minutes)
    return at_most(expected + HALF * minutes / baseline.minutes, scatter, chance)


def at_most(mean: float, spread: float, chance: float) -> int:
    """Return the smallest number that such a count exceeds with at most this chance.

    `spread` is variance over mean.
    """
    if mean <= 0:
        return 0
    if _silence(mean, spread) < -LARGE:
        return math.ceil(_normal(mean, spread, 1 - chance))
    return next(number for number, below in _below(mean, spread) if 1 - below <= chance)


def at_least_above(mean: float, spread: float, chance: float) -> int:
    """The largest number that such a count stays at or below with at most this chance; -1: none."""
    if mean <= 0:
        return -1
    if _silence(mean, spread) < -LARGE:
        return max(math.floor(_normal(mean, spread, chance)), -1)
    return next(number for number, below in _below(mean, spread) if below > chance) - 1


def _silence(mean: float, spread: float) -> float:
    """The logarithm of the chance of no event at all."""
    return -mean * math.log(spread) / (spread - 1) if spread > 1 else -mean


def _below(mean: float, spread: float) -> Iterator[tuple[int, float]]:
    """Yield (n, chance of at most n) for n = 0, 1, …, of a negative binomial distribution.

    Where the variance is the mean, that is Poisson's.
    """
    # The chance of n events over that of n - 1 is (mean + more * (n - 1)) / (spread * n).
    more = spread - 1
    number, chance = 0, math.exp(_silence(mean, spread))
    below = chance
    while True:
        yield number, min(below, 1.0)
        number += 1
        chance *= (mean + more * (number - 1)) / (spread * number)
        below += chance


def _normal(mean: float, spread: float, below: float) -> float:
    """The quantile with the first term of its skewness (Cornish and Fisher)."""
    z = NormalDist().inv_cdf(below)
    return mean + z * math.sqrt(spread * mean) + (z * z - 1) / 6 * (2 * spread - 1)
