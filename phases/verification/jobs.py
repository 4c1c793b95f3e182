"""Phase 5: errors of a job come in its runs, and quiet between two of them says nothing.

Where they do, all rates are those of runs: a look has as many minutes as its runs stand for.
"""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from phases.record.traffic_seen import MINUTE, Job

LONGEST = 60
"""Minutes from run to run: half a day has twelve runs of such a job."""
STRAYS = 0.05
"""Of the minutes that have errors, and of a fire's events: so many may lie outside of the runs."""
BY_CHANCE = 0.001
"""Minutes with errors that have nothing to do with one another fall so regularly more rarely."""
LATE = timedelta(minutes=1)
"""A run is counted when it ended so long ago: its last errors may come late."""
PATIENCE = timedelta(minutes=75)
"""After the action: an hourly job has run again by then. Longer than that a person is not kept."""


class Rhythm(NamedTuple):
    """A period that fits the minutes with errors: `first` is the index of a run's first minute."""

    every: int
    lasts: int
    first: int


def found_job(counts: Sequence[int], burning: int, begin: datetime) -> Job | None:
    """Return the job whose runs bring these events, minute by minute; None: it is no job.

    `burning`: so many of the minutes, the last ones, are the fire. `begin`: of the first minute.
    """
    fire = counts[len(counts) - burning :]
    if not any(fire) or sum(map(bool, fire)) > len(fire) / 2 + 1:
        return None
    there = [index for index, count in enumerate(counts) if count]
    rhythms = [_rhythm(there, every) for every in range(2, LONGEST + 1)]
    likely = [
        (_surprise(there, rhythm), rhythm) for rhythm in rhythms if 2 * rhythm.lasts <= rhythm.every
    ]
    surprise, best = max(likely, default=(0.0, None))
    if best is None or surprise < -math.log(BY_CHANCE):
        return None
    outside = sum(
        count
        for index, count in enumerate(fire, len(counts) - burning)
        if (index - best.first) % best.every >= best.lasts
    )
    if outside > STRAYS * sum(fire):
        return None
    return Job(every=best.every, lasts=best.lasts, at=begin + best.first * MINUTE)


def _rhythm(there: Sequence[int], every: int) -> Rhythm:
    """Return the shortest run that has nearly all of the minutes with errors, by this period."""
    by_phase = [0] * every
    for index in there:
        by_phase[index % every] += 1
    enough = (1 - STRAYS) * len(there)
    lasts, first = min(
        (_reach(by_phase, phase, enough), phase) for phase, count in enumerate(by_phase) if count
    )
    return Rhythm(every, lasts, first)


def _reach(by_phase: Sequence[int], phase: int, enough: float) -> int:
    """Return the number of phases from this one on that together have enough."""
    total, length = 0, 0
    while total < enough:
        total += by_phase[(phase + length) % len(by_phase)]
        length += 1
    return length


def _surprise(there: Sequence[int], one: Rhythm) -> float:
    """Return the logarithm of how rarely so many runs fall into their places by chance."""
    runs = {(index - one.first) // one.every for index in there}
    return (len(runs) - 1) * math.log(one.every / one.lasts)


def by_runs(counts: Sequence[int], begin: datetime, job: Job) -> list[int]:
    """Return the events of each run that lies wholly in these minutes, from `begin` on."""
    first = (job.at - begin) // MINUTE % job.every
    starts = range(first, len(counts) - job.lasts + 1, job.every)
    return [sum(counts[start : start + job.lasts]) for start in starts]


def next_look(job: Job, now: datetime) -> datetime:
    """Return when the next run has ended, and its errors are there."""
    return job.ends_after(now - LATE) + LATE
