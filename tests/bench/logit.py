"""The fit of the ranking's weights: a conditional logit with a prior, by Newton's method.

Each question has alternatives, sparse vectors of signals, of which one is right. Alternative 0 is
*nobody* (McFadden, "Conditional logit analysis of qualitative choice behavior", 1974).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Weights = Mapping[str, float]
STEPS = 40
CLOSE = 1e-6
LONGEST = 2.0
"""Far from the best weights Newton's step is too long."""


@dataclass(frozen=True, slots=True)
class Choice:
    alternatives: Sequence[Mapping[str, float]]
    right: int


def probabilities(weights: Weights, choice: Choice) -> list[float]:
    points = [sum(weights.get(n, 0.0) * v for n, v in x.items()) for x in choice.alternatives]
    most = max(points)
    powers = [math.exp(point - most) for point in points]
    whole = sum(powers)
    return [power / whole for power in powers]


def fit(choices: Sequence[Choice], before: Weights, strength: float, free: str) -> dict[str, float]:
    """Return the weights that make the right alternatives likeliest.

    `before`: the weights as they are; each is drawn to that with `strength` (a normal prior), only
    `free` is not. Signals that are not in it count nothing.
    """
    names = list(before)
    at = {name: number for number, name in enumerate(names)}
    drawn = [0.0 if name == free else 2 * strength for name in names]
    middle = list(before.values())
    rows = [
        ([[(at[n], v) for n, v in x.items() if n in at] for x in c.alternatives], c)
        for c in choices
    ]
    weights = list(middle)
    for _ in range(STEPS):
        slope = [d * (w - m) for d, w, m in zip(drawn, weights, middle, strict=True)]
        curve = [[0.0] * len(names) for _ in names]
        for n, d in enumerate(drawn):
            curve[n][n] = d + CLOSE
        for alternatives, choice in rows:
            _add(alternatives, choice, weights, slope, curve)
        step = _solved(curve, slope)
        longest = max(map(abs, step))
        part = min(1.0, LONGEST / longest) if longest else 1.0
        weights = [w - part * s for w, s in zip(weights, step, strict=True)]
        if longest < CLOSE:
            break
    return dict(zip(names, weights, strict=True))


def _add(
    alternatives: Sequence[Sequence[tuple[int, float]]],
    choice: Choice,
    weights: Sequence[float],
    slope: list[float],
    curve: list[list[float]],
) -> None:
    """Add one question's share of the loss's gradient and of its second derivatives."""
    points = [sum(weights[n] * v for n, v in x) for x in alternatives]
    most = max(points)
    powers = [math.exp(point - most) for point in points]
    whole = sum(powers)
    mean = [0.0] * len(weights)
    for power, x in zip(powers, alternatives, strict=True):
        share = power / whole
        for n, v in x:
            part = share * v
            mean[n] += part
            row = curve[n]
            for m, u in x:
                row[m] += part * u
    for n, v in alternatives[choice.right]:
        slope[n] -= v
    for n, v in enumerate(mean):
        slope[n] += v
        row = curve[n]
        for m, u in enumerate(mean):
            row[m] -= v * u


def _solved(matrix: Sequence[Sequence[float]], right: Sequence[float]) -> list[float]:
    """Return x with matrix · x = right, by elimination; the matrix is positive definite."""
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    size = len(rows)
    for n in range(size):
        best = max(range(n, size), key=lambda row: abs(rows[row][n]))
        rows[n], rows[best] = rows[best], rows[n]
        for m in range(n + 1, size):
            factor = rows[m][n] / rows[n][n]
            if factor:
                rows[m] = [a - factor * b for a, b in zip(rows[m], rows[n], strict=True)]
    answer = [0.0] * size
    for n in reversed(range(size)):
        known = sum(rows[n][m] * answer[m] for m in range(n + 1, size))
        answer[n] = (rows[n][size] - known) / rows[n][n]
    return answer
