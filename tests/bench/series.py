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
    enough, number, product = math.exp(-mean), 0, rng.random()
    while product > enough:
        number += 1
        product *= rng.random()
    return number
