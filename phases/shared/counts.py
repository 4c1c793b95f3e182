"""Counts of events: how many a rate brings by chance, and how few.

Errors come in bursts, so counts scatter more than Poisson's: up to `SPREAD_ASSUMED` × as much
(variance over mean) and sometimes more, as in a negative binomial distribution. A rate is an
estimate itself: the shorter it was measured, the more scatter is allowed for. Phase 1 asks whether
there are more events than the baseline brings, phase 5 whether there are no more of them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist

SPREAD_ASSUMED = 3.0  # overdispersion 1–3; the worst is assumed where it was not measured
POISSON = 1.0  # events that have nothing to do with one another; no counts are taken for steadier
SPREAD_MOST = 10.0
"""Counts that scatter more than this are another fire in the calm, or no single rate."""
ASSUMPTION_PAIRS = 10.0
"""So many pairs of minutes weigh as much as the assumption."""
PRIOR_EVENTS = 0.5
"""Of an event: what was never seen in a time is not impossible (Jeffreys' prior of a rate)."""
LARGE_EXPONENT = 700
"""From a chance of silence of exp(-700) on, the normal distribution with its skewness is exact."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Events a minute, and over how many minutes that was counted; 0 minutes: never measured."""

    per_minute: float
    minutes: float
    spread: float = SPREAD_ASSUMED
    """Variance over mean."""


def scatter(
    counts: Sequence[int], assumed: float = SPREAD_ASSUMED, most: float = SPREAD_MOST
) -> float:
    """Return variance over mean of counts that follow each other, minute by minute.

    It is that of neighbours, so that a day's hours are no scatter (the mean square successive
    difference: von Neumann, https://doi.org/10.1214/aoms/1177731677). What few minutes or few
    events tell is drawn to what is `assumed`.
    """
    pairs = list(pairwise(counts))
    events = sum(count + next_ for count, next_ in pairs) / 2
    if not events:
        return assumed
    squares = sum((count - next_) ** 2 for count, next_ in pairs) / 2
    # The relative variance of a variance goes with 2 / pairs, and that of rare counts with
    # 1 / events as well.
    weight = events * len(pairs) / (2 * events + len(pairs))
    estimate = (assumed * ASSUMPTION_PAIRS + squares / events * weight) / (
        ASSUMPTION_PAIRS + weight
    )
    return min(max(math.ceil(10 * estimate) / 10, POISSON), most)


def most_usual(baseline: Measured, minutes: float, chance: float) -> int:
    """The baseline brings more events than this with at most this chance."""
    expected = baseline.per_minute * minutes
    if baseline.minutes <= 0:
        return at_most(expected, baseline.spread, chance)
    spread = baseline.spread * (1 + minutes / baseline.minutes)
    return at_most(expected + PRIOR_EVENTS * minutes / baseline.minutes, spread, chance)


def at_most(mean: float, spread: float, chance: float) -> int:
    """Return the smallest number that such a count exceeds with at most this chance.

    `spread` is variance over mean.
    """
    if mean <= 0:
        return 0
    if _log_chance_of_none(mean, spread) < -LARGE_EXPONENT:
        return math.ceil(_normal_quantile(mean, spread, 1 - chance))
    return _quantile(mean, spread, 1 - chance)


def at_least_above(mean: float, spread: float, chance: float) -> int:
    """The largest number that such a count stays at or below with at most this chance; -1: none."""
    if mean <= 0:
        return -1
    if _log_chance_of_none(mean, spread) < -LARGE_EXPONENT:
        return max(math.floor(_normal_quantile(mean, spread, chance)), -1)
    return _quantile(mean, spread, chance) - 1


def _log_chance_of_none(mean: float, spread: float) -> float:
    """The logarithm of the chance of no event at all."""
    return -mean * math.log(spread) / (spread - 1) if spread > 1 else -mean


def _quantile(mean: float, spread: float, chance: float) -> int:
    """Return the smallest n with this chance of at most n, of a negative binomial distribution.

    Where the variance is the mean, that is Poisson's.
    """
    # The chance of n events over that of n - 1 is (mean + more * (n - 1)) / (spread * n).
    more = spread - 1
    number, likelihood = 0, math.exp(_log_chance_of_none(mean, spread))
    below = likelihood
    while below < chance:
        likelihood *= mean + more * number
        number += 1
        likelihood /= spread * number
        below += likelihood
    return number


def _normal_quantile(mean: float, spread: float, below: float) -> float:
    """The quantile with the first term of its skewness (Cornish and Fisher)."""
    z = NormalDist().inv_cdf(below)
    return mean + z * math.sqrt(spread * mean) + (z * z - 1) / 6 * (2 * spread - 1)
