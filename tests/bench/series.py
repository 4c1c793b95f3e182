"""Counts as they are drawn for the simulated series."""

from __future__ import annotations

import math
import random


def counted(rng: random.Random, mean: float, spread: float) -> int:
    """Poisson, or negative binomial as a Poisson whose rate is drawn from a gamma distribution."""
    if mean <= 0:
        return 0
    if spread > 1:
        mean = rng.gammavariate(mean / (spread - 1), spread - 1)
    if mean > 150:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    drawn, enough, number = rng.random, math.exp(-mean), 0
    product = drawn()
    while product > enough:
        number += 1
        product *= drawn()
    return number


def clustered(rng: random.Random, mean: float, most: int = 60) -> int:
    """Count events that come in clusters of a heavy-tailed size (Pareto, exponent 2.2).

    A client that tries again, a page that asks ten times: the variance is 3 to 6 times the mean,
    and single clusters are as large as `most`.
    """
    clusters = counted(rng, mean / CLUSTER, 1.0)
    return sum(min(int(rng.paretovariate(2.2)), most) for _ in range(clusters))


CLUSTER = sum(n**-2.2 for n in range(1, 61))
"""Mean size: the whole part of a Pareto variable is n at least with the probability n^-2.2."""


def in_waves(rng: random.Random, mean: float) -> int:
    """Count events whose rate swings from minute to minute, lognormally, by half and more."""
    return counted(rng, mean * rng.lognormvariate(-0.125, 0.5), 1.5)
