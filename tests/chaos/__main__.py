"""Pull plugs while incidents run, and count losses and doubled actions.

`make chaos` runs it, `make chaos-all` the full cross. `ARGS="--only hangs"` runs the rows whose
name holds this; `--seed` repeats the random choices.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from tests.chaos import cluster, store, weather
from tests.chaos.clock import STEPS, stepped
from tests.chaos.kill import BY_GITHUB, Outcome, at_random, every
from tests.chaos.race import race
from tests.chaos.timers import thousand

STEP = 7
"""`make chaos` takes each seventh call of an incident.

It falls on another kind of call each time.
"""
STEP_GITHUB = 11
"""Kills among a life's calls to GitHub: fifteen, in two worlds.

Fifteen lives in one world are more than two cores carry beside another row.
"""
AT_ONCE = 4
"""Worlds side by side.

Each waits most of the time, and two cores are enough for their two bots each.
"""
ALONE = 1

Run = Callable[[], Coroutine[Any, Any, Any]]


@dataclass(frozen=True, slots=True)
class Job:
    """One row. `says` puts what came out in words, and names what is wrong."""

    name: str
    run: Run
    says: Callable[[Any], tuple[str, list[str]]]
    worlds: int = ALONE
    """The number of places for worlds that it takes.

    With `AT_ONCE` nothing runs beside it, for it measures times.
    """


def lived(outcome: Outcome) -> tuple[str, list[str]]:
    wrong = ["\n      ".join([f"{where}:", *says]) for where, says in outcome.wrong.items()]
    return f"{outcome.lives} incidents, {outcome.kills} kills, {len(wrong)} wrong", wrong


def raced(result: Any) -> tuple[str, list[str]]:
    says = (
        f"{result.actions} action, {result.informed} told who was first, "
        f"{result.silent} told nothing"
    )
    return says, [] if (result.actions, result.informed) == (1, result.people - 1) else [says]


def fired(result: Any) -> tuple[str, list[str]]:
    says = (
        f"{result.lost} lost, {result.doubled} doubled, p99 {result.p99:.1f} s after they were due "
        f"(goal 2), loop blocked for {result.blocked_ms:.0f} ms at most (goal 20)"
    )
    return says, [says] if result.lost or result.doubled else []


def recorded(result: Any) -> tuple[str, list[str]]:
    says = (
        f"{result.acked} acked, {result.lost} lost, {result.doubled} twice, {result.unsure} told "
        "that nothing was seen"
    )
    return says, [
        f"{says} {result.faults}"
    ] if result.lost or result.doubled or result.faults else []


def judged(result: Any) -> tuple[str, list[str]]:
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in result.verdicts.items())
    says = (
        f"{result.looks} looks ({verdicts}), all over after {result.seconds:.0f} s, "
        f"{len(result.faults)} wrong"
    )
    return says, result.faults + ["it never came to an end"] * result.stuck


def jobs(*, whole: bool, seed: int) -> list[Job]:
    redis = {**store.TROUBLES, **({"frozen for 30 s": store.frozen(30)} if whole else {})}
    rows = [
        Job("1,000 timers due at once, 2 clocks, one killed", thousand, fired, AT_ONCE),
        Job("50 people decide at once, 3 replicas", race, raced, AT_ONCE),
        *(Job(name, lambda how=how: stepped(*how), judged) for name, how in STEPS.items()),
        *(
            Job(f"Redis {name}", lambda what=what: store.trouble(what), recorded)
            for name, what in redis.items()
        ),
        *(
            Job(f"Redis cluster, {name}", lambda what=what: cluster.trouble(what), recorded)
            for name, what in cluster.TROUBLES.items()
        ),
        Job("Redis cluster, all of it during whole lives", lambda: cluster.lives(4), lived, 2),
        *(
            Job(name, lambda row=row: weather.lived_through(row, services=4 if whole else 2), lived)
            for name, row in weather.ROWS.items()
        ),
    ]
    if whole:
        return [
            *rows,
            Job("kill -9 at every call, 2 replicas", every, lived, AT_ONCE),
            Job(
                "kill -9 at every call to GitHub, 2 replicas",
                lambda: every(way=BY_GITHUB),
                lived,
                AT_ONCE,
            ),
            Job(
                "kill -9 at a tenth of the calls, 1 replica",
                lambda: every(10, replicas=1),
                lived,
                AT_ONCE,
            ),
            Job(
                "kill -9 at a tenth of the calls, 3 replicas",
                lambda: every(10, replicas=3),
                lived,
                AT_ONCE,
            ),
            Job("200 kills at random over 20 incidents", lambda: at_random(seed), lived, AT_ONCE),
        ]
    return [
        *rows,
        Job(f"kill -9 at each {STEP}th call, 2 replicas", lambda: every(STEP), lived, 2),
        Job(f"kill -9 at each {STEP_GITHUB}th call to GitHub", by_github, lived, 2),
        Job(
            "30 kills at random over 8 incidents",
            lambda: at_random(seed, kills=30, services=8),
            lived,
            2,
        ),
    ]


async def by_github() -> Outcome:
    return await every(STEP_GITHUB, side_by_side=8, way=BY_GITHUB)


@dataclass(slots=True)
class Places:
    """Places for so many worlds at once.

    A row waits until all the places that it takes are free.
    """

    free: int = AT_ONCE
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def take(self, count: int) -> None:
        async with self.changed:
            await self.changed.wait_for(lambda: self.free >= count)
            self.free -= count

    async def give(self, count: int) -> None:
        async with self.changed:
            self.free += count
            self.changed.notify_all()


async def run(*, whole: bool, seed: int, only: str) -> int:
    chosen = [job for job in jobs(whole=whole, seed=seed) if only.lower() in job.name.lower()]
    if not chosen:
        print(f"There is no row with {only!r} in its name.")
        return 2
    print(f"seed {seed}\n", flush=True)
    places, wrong, began = Places(), dict[str, list[str]](), time.monotonic()

    async def run_job(job: Job) -> None:
        started = time.monotonic()
        try:
            says, faults = job.says(await job.run())
        except Exception as error:  # noqa: BLE001  a row that cannot be run is a wrong row, and the others go on
            says, faults = (
                f"{type(error).__name__}: {str(error)[:200]}",
                [f"{type(error).__name__}: {error}"],
            )
        finally:
            await places.give(job.worlds)
        print(
            f"{'✗' if faults else '✓'} {job.name:50} {time.monotonic() - started:5.0f} s   {says}",
            flush=True,
        )
        if faults:
            wrong[job.name] = faults
            print("    " + "\n    ".join(faults), flush=True)

    running: list[asyncio.Task[None]] = []
    for job in chosen:  # in their order: who measures times must not wait for everybody
        await places.take(job.worlds)
        running.append(asyncio.create_task(run_job(job)))
    await asyncio.gather(*running)
    print(
        f"\n{len(chosen)} rows in {time.monotonic() - began:.0f} s, {len(wrong)} wrong; seed {seed}"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--all", action="store_true", help="the full cross, however long it takes")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--only", default="", metavar="ROW", help="rows whose name holds this")
    given = parser.parse_args()
    random.seed(given.seed)
    logging.getLogger().addHandler(logging.NullHandler())  # what is killed complains, as it should
    # The pretend systems, of connections that died.
    logging.getLogger("uvicorn.error").addFilter(lambda record: False)
    sys.exit(asyncio.run(run(whole=given.all, seed=given.seed, only=given.only)))
