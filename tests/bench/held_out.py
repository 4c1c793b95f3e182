"""The verdicts on recovery over series that their constants were not chosen on.

Events come in heavy-tailed clusters, or in waves; traffic dips for a deploy and comes back, goes on
in steps as servers take the release, or follows the day (the usual time has 0.4 to 2 times the
traffic of now, and no two minutes are alike). Other seeds, too.

    python -m tests.bench.held_out --series 2000 --seed 9000001
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from tests.bench.watched import CHECKS, GRACE, MINUTES, Seen, World, drawn, watched

Tail = Literal["clusters", "waves"]
TAILS: tuple[Tail, ...] = ("clusters", "waves")


def traffic(rng: random.Random, before: float, way: str) -> tuple[float, ...]:
    """Return the traffic of each minute after the action."""
    minutes = range(MINUTES + 1)
    if way == "dip":  # connections are drained, and come back
        low, until = rng.uniform(0.3, 0.8), rng.uniform(1, 4)
        return tuple(before * (low if m < until else 1.0) for m in minutes)
    if way == "steps":  # people come back as they notice, or leave
        step = rng.choice((0.85, 1.15))
        return tuple(before * step ** (m // 3) for m in minutes)
    return tuple(before * rng.lognormvariate(0, 0.25) for _ in minutes)


def shaped(rng: random.Random, rates: tuple[float, float], tail: Tail) -> World:
    world = drawn(rng, rates)
    after = traffic(rng, world.while_burning, rng.choice(("dip", "steps", "day")))
    return replace(world, tail=tail, after=after, releases=rng.random() < 0.5)


def _loud(rng: random.Random, tail: Tail) -> World:
    while True:
        world = shaped(rng, (14, 400), tail)
        if min(world.after[1:3]) * world.fire / world.while_burning >= 40:
            return world


def _enough(rng: random.Random, tail: Tail) -> World:
    """20 events and more would come in the first check, and 60 traces tell of its traffic."""
    while True:
        world = shaped(rng, (5, 400), tail)
        shares = sum(world.after[GRACE : CHECKS[0]])
        trace_share = max(world.trace_share, min(60 / (world.requests * shares), 1.0))
        if shares * world.fire / world.while_burning >= 20:
            return replace(world, trace_share=trace_share)


Row = tuple[str, Callable[[random.Random, Tail], World], bool, Callable[[Seen], bool]]
ROWS: tuple[Row, ...] = (
    (
        "“recovered” over a fire that goes on",
        lambda r, t: shaped(r, (5, 400), t),
        False,
        lambda verdict: verdict.end == "recovered",
    ),
    (
        "… traffic not known",
        lambda r, t: replace(shaped(r, (5, 400), t), traces=False),
        False,
        lambda verdict: verdict.end == "recovered",
    ),
    (
        "recovery missed, or a person asked, from 20 events on",
        _enough,
        True,
        lambda verdict: verdict.end != "recovered",
    ),
    (
        "“not helping” over a recovery",
        lambda r, t: shaped(r, (5, 400), t),
        True,
        lambda verdict: verdict.not_helping_at > 0,
    ),
    (
        "goes on at 40 a minute and more: not told by minute 3",
        _loud,
        False,
        lambda verdict: not 0 < verdict.not_helping_at <= 3,
    ),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=9_000_001)
    given = parser.parse_args()
    for tail in TAILS:
        rng = random.Random(f"{given.seed} {tail}")
        for what, make, over, bad in ROWS:
            wrong = sum(bad(watched(rng, make(rng, tail), over=over)) for _ in range(given.series))
            print(f"{tail:10}{what:56}{wrong / given.series:8.2%}  of {given.series:,}")


if __name__ == "__main__":
    main()
