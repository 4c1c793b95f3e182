"""kill -9 at every effect boundary.

It comes before, during and after each outside call of a whole incident.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from bot.connection.embedded import embedded
from sandbox.slack.channels import Channel
from tests.chaos import hub
from tests.chaos.life import channels, faults, incident_id, life
from tests.chaos.town import MOMENTS, Moment, Town, eventually, name_of


@dataclass
class Outcome:
    lives: int = 0
    kills: int = 0
    calls: list[int] = field(default_factory=list[int])
    """Outside calls of each incident."""
    wrong: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    missed: int = 0
    """Kills whose call never came: the incident made fewer calls."""

    def add(self, other: Outcome) -> None:
        self.lives += other.lives
        self.kills += other.kills
        self.calls += other.calls
        self.wrong |= other.wrong
        self.missed += other.missed


LAST_WORDS = 12
APART = (0.5, 2.5)
"""Seconds between two kills at random."""
SLOWEST_SECONDS = 30.0
"""A kill has to wait until what was killed before is up again."""


@dataclass(frozen=True, slots=True)
class Way:
    """The way an incident lives: its town, its steps, and the facts that must be true after it."""

    town: type[Any]
    live: Callable[[Any, int], Coroutine[Any, Any, Channel]]
    faults: Callable[[Any, int], Coroutine[Any, Any, list[str]]]


BY_COMMAND = Way(Town, life, faults)
BY_ALERT = Way(Town, partial(life, begin="alert"), faults)
BY_GITHUB = Way(hub.HubTown, hub.live, hub.faults)


async def quiet(way: Way = BY_COMMAND) -> int:
    """Outside calls of an incident that nobody disturbs."""
    outcome = await batch([], services=1, way=way)
    if outcome.wrong:
        raise SystemExit(f"even the quiet life went wrong: {outcome.wrong}")
    return max(outcome.calls)


async def batch(
    plan: list[tuple[int, Moment]],
    *,
    services: int | None = None,
    replicas: int = 2,
    beside: Callable[[Town], Coroutine[None, None, None]] | None = None,
    socket_mode: bool = False,
    way: Way = BY_COMMAND,
    kept_in: Callable[[Path], AbstractAsyncContextManager[str]] = embedded,
) -> Outcome:
    """One world; each planned kill has its own shop and incident.

    All live side by side, with `beside` beside them, on the Redis that `kept_in` starts.
    """
    outcome = Outcome()
    count = services or len(plan)
    with tempfile.TemporaryDirectory(prefix="firebreak-chaos-") as folder:
        async with kept_in(Path(folder) / "valkey") as url:
            town: Town = way.town(
                Path(folder),
                services=count,
                replicas=replicas,
                redis_url=url,
                socket_mode=socket_mode,
            )
            town.plan = dict(zip(town.numbers, plan, strict=False))
            async with town.open():
                going_on = asyncio.create_task(beside(town)) if beside else None
                living = [way.live(town, number) for number in town.numbers]
                ends = await asyncio.gather(*living, return_exceptions=True)
                if going_on is not None:
                    going_on.cancel()
                    for trouble in await asyncio.gather(going_on, return_exceptions=True):
                        if isinstance(trouble, Exception):
                            outcome.wrong["beside"] = [f"{type(trouble).__name__}: {trouble}"]
                outcome.lives, outcome.kills, outcome.missed = (
                    count,
                    len(town.kills),
                    len(town.plan),
                )
                await _judge(
                    way,
                    town,
                    ends,
                    outcome,
                    {shop: f"{moment} {path}" for shop, _, moment, path in town.kills},
                )
    return outcome


async def _judge(
    way: Way, town: Town, ends: Sequence[object], outcome: Outcome, killed: dict[int, str]
) -> None:
    for number, end in zip(town.numbers, ends, strict=True):
        at = f"{name_of(number)} (killed {killed.get(number, 'nowhere of its own')})"
        if isinstance(end, BaseException):
            outcome.wrong[at] = [f"{type(end).__name__}: {end}"[:300]]
        elif wrong := await way.faults(town, number):
            outcome.wrong[at] = wrong
        if at in outcome.wrong:
            outcome.wrong[at] += await _last_words(town, number)
        outcome.calls.append(town.counts[number])


async def _last_words(town: Town, number: int) -> list[str]:
    """The bots' last log lines, and the entries that still wait: nobody sees that world again."""
    ids = [incident_id(channel) for channel in channels(town, number)]
    lines = [line for log in town.folder.glob("bot-*.log") for line in log.read_text().splitlines()]
    last_lines = sorted(line for line in lines if any(f'"{id}"' in line for id in ids))[
        -LAST_WORDS:
    ]
    queued = [str(fields) for _, fields in await town.store.redis.xrange(town.store.keys.outbox)]
    waiting = [
        str(entry) for entry in await town.store.redis.zrange(town.store.keys.waiting, 0, -1)
    ]
    held = [entry[:300] for entry in (*queued, *waiting) if any(id in entry for id in ids)]
    return [f"  {line}" for line in last_lines] + [f"  still to do: {entry}" for entry in held]


async def every(
    step: int = 1,
    *,
    side_by_side: int = 12,
    replicas: int = 2,
    seconds: float | None = None,
    way: Way = BY_COMMAND,
) -> Outcome:
    """Each `step`-th boundary; stops between two worlds once `seconds` have passed."""
    calls = await quiet(way)
    plan = [(call, moment) for call in range(1, calls + 1, step) for moment in MOMENTS]
    whole, began = Outcome(), time.monotonic()
    for at in range(0, len(plan), side_by_side):
        whole.add(await batch(plan[at : at + side_by_side], replicas=replicas, way=way))
        print(
            f"\r{whole.lives} of {len(plan)} incidents, {len(whole.wrong)} wrong",
            end="",
            file=sys.stderr,
        )
        if seconds is not None and time.monotonic() - began > seconds:
            break
    print(file=sys.stderr)
    return whole


async def at_random(
    seed: int, *, kills: int = 200, services: int = 20, replicas: int = 2
) -> Outcome:
    """Replicas die at any time, `kills` times in all.

    Meanwhile `services` incidents begin one after the other and live side by side.
    """
    dice, outcome = random.Random(seed), Outcome(lives=services)

    async def live_after_kills(town: Town, number: int) -> Channel:
        due = kills * (number - 1) // services  # so that the last ones are disturbed, too
        await eventually(lambda: outcome.kills >= due, f"{due} kills", kills * SLOWEST_SECONDS)
        return await life(town, number, patience=600.0)

    with tempfile.TemporaryDirectory(prefix="firebreak-chaos-") as folder:
        async with embedded(Path(folder) / "valkey") as url:
            town = Town(Path(folder), services=services, replicas=replicas, redis_url=url)
            async with town.open():
                killing = asyncio.create_task(_killing(town, dice, kills, outcome))
                ends = await asyncio.gather(
                    *(live_after_kills(town, number) for number in town.numbers),
                    return_exceptions=True,
                )
                killing.cancel()
                await asyncio.gather(killing, return_exceptions=True)
                await _judge(BY_COMMAND, town, ends, outcome, {})
    return outcome


async def _killing(town: Town, dice: random.Random, kills: int, outcome: Outcome) -> None:
    """One replica is always up.

    A dead one is up again before the next one dies (a second or two).
    """
    while outcome.kills < kills:
        await asyncio.sleep(dice.uniform(*APART))
        alive = [replica for replica in town.replicas if replica.state == "running"]
        if len(alive) > 1 and dice.choice(alive).kill():
            outcome.kills += 1
