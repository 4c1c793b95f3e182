"""The events of a world up to the moment at which triage asks, as Sentry has them by then."""

from __future__ import annotations

import math
import random
from bisect import bisect_left
from dataclasses import dataclass, field

from tests.judgement.world import DAY, Failure, Production, World

KNOWN = DAY + 180
"""Minutes of the past that are drawn: a day before the window, and a little more."""
COARSE, FINE = 10.0, 1.0
RECENT = 240.0
"""Minutes before the question in which each minute is drawn by itself."""
UNSEEN = 4.0
"""Minutes until people report what Sentry does not see."""
LATE = 0.15
"""Mean minutes until Sentry has an event."""


@dataclass(slots=True)
class Events:
    """The events of one issue in the order of time; the lists run side by side."""

    failure: Failure
    at: list[float] = field(default_factory=list[float])
    user: list[int] = field(default_factory=list[int])
    path: list[int] = field(default_factory=list[int])
    release: list[str] = field(default_factory=list[str])

    def span(self, since: float, until: float) -> range:
        return range(bisect_left(self.at, since), bisect_left(self.at, until))

    def count(self, since: float, until: float) -> int:
        return len(self.span(since, until))

    @property
    def first(self) -> float:
        known = self.failure.first
        return self.at[0] if known is None else known


def poisson(rng: random.Random, mean: float) -> int:
    if mean <= 0:
        return 0
    if mean > 60:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    enough, number, product = math.exp(-mean), 0, rng.random()
    while product > enough:
        number += 1
        product *= rng.random()
    return number


def draw(world: World, rng: random.Random) -> tuple[Events, ...]:
    """Return the issues that have events, in the order of the world's failures."""
    production = world.production()
    shares = {at: production.shares(at + step / 2) for at, step in _blocks(world)}
    drawn = [_events(world, production, failure, shares, rng) for failure in world.failures]
    return tuple(events for events in drawn if events.at)


def _blocks(world: World) -> list[tuple[float, float]]:
    """Return spans of time: (begin, length). The newest end with the question."""
    blocks: list[tuple[float, float]] = []
    at = math.floor(world.asked) - KNOWN
    while at < world.asked:
        step = COARSE if at + COARSE <= world.asked - RECENT else FINE
        blocks.append((at, min(step, world.asked - at)))
        at += step
    return blocks


def _events(
    world: World,
    production: Production,
    failure: Failure,
    shares: dict[float, dict[str, float]],
    rng: random.Random,
) -> Events:
    events = Events(failure)
    if failure.rate <= 0:
        return events
    for begin, step in _blocks(world):
        middle = begin + step / 2
        strength = _mean_strength(production, failure, begin, step, shares[begin])
        mean = (failure.rate * strength + failure.base) * step
        if mean <= 0:
            continue
        mean *= 1.0 if failure.steady else world.traffic(middle)
        for at in sorted(rng.random() for _ in range(poisson(rng, mean))):
            when = begin + at * step
            if when + rng.expovariate(1 / LATE) > world.asked:
                continue  # it is still on its way
            _add_event(world, events, when, shares[begin], rng)
    return events


def _mean_strength(
    production: Production, failure: Failure, begin: float, step: float, shares: dict[str, float]
) -> float:
    if step <= FINE or not failure.when.every:
        return production.strength(failure, begin + step / 2, shares)
    minutes = [production.strength(failure, begin + n + 0.5, shares) for n in range(int(step))]
    return sum(minutes) / len(minutes)


def _add_event(
    world: World, events: Events, at: float, shares: dict[str, float], rng: random.Random
) -> None:
    failure = events.failure
    user = -1
    if failure.users and world.users_told:
        few = failure.loud_users and rng.random() < 0.8
        user = rng.randrange(failure.loud_users if few else failure.users)
    able = failure.when.releases
    there = [(v, s) for v, s in shares.items() if able is None or v in able] or list(shares.items())
    release = failure.carries if world.releases_told else ""
    if world.releases_told and there and not release:
        versions, weights = zip(*there, strict=True)
        release = versions[0] if len(versions) == 1 else rng.choices(versions, weights)[0]
    events.at.append(at)
    events.user.append(user)
    events.path.append(rng.randrange(len(failure.paths)))
    events.release.append(release)


def earlier(world: World, steps: range, minutes: int, rng: random.Random) -> dict[int, int]:
    """Return the events of steps that nobody asks about one by one: they are only counted."""
    production = world.production()
    errors = [f for f in world.failures if f.category == "error" and (f.rate or f.base)]
    by_people = sum(f.rate for f in errors if f.always and not f.steady)
    steady = sum(f.rate for f in errors if f.always and f.steady)
    others = [f for f in errors if not f.always]
    by_release = any(f.when.releases is not None for f in others)
    counts: dict[int, int] = {}
    for step in steps:
        begin = step * minutes
        middle = begin + minutes / 2
        traffic = world.traffic(middle)
        shares = production.shares(middle) if by_release else {}
        rate = by_people * traffic + steady
        for failure in others:
            strength = _mean_strength(production, failure, begin, minutes, shares)
            full = failure.rate * strength + failure.base
            rate += full * (1.0 if failure.steady else traffic)
        if events := poisson(rng, rate * minutes):
            counts[step] = events
    return counts


def alarm(world: World, needed: float) -> float:
    """Return the minute by which so many events of the trouble are to be expected."""
    production, sum_, at = world.production(), 0.0, 0.0
    fire = [f for f in world.failures if not f.noise and f.when.ends > 0]
    if not any(f.rate for f in fire):
        return UNSEEN
    while at < 120 and sum_ < needed:
        shares = production.shares(at)
        for failure in fire:
            full = failure.rate * (1.0 if failure.steady else world.traffic(at))
            sum_ += full * production.strength(failure, at, shares)
        at += 1
    return at
