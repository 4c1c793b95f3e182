"""The speed of this machine, by a loop of a million turns: two tables can be compared by it."""

from __future__ import annotations

import time
from dataclasses import dataclass

TURNS = 1_000_000
TIMES = 3


@dataclass(frozen=True, slots=True)
class Speed:
    """Milliseconds for a million turns; `clock` is longer than `cpu` where others are at work."""

    cpu: float
    clock: float

    def __str__(self) -> str:
        return f"{self.cpu:.0f}/{self.clock:.0f}"


def speed() -> Speed:
    """The best of three: a row is not slower than the machine can be near it."""
    speeds = [_once() for _ in range(TIMES)]
    return Speed(min(run.cpu for run in speeds), min(run.clock for run in speeds))


def _once() -> Speed:
    cpu, clock = time.process_time(), time.perf_counter()
    turn = 0
    while turn < TURNS:
        turn += 1
    return Speed((time.process_time() - cpu) * 1000, (time.perf_counter() - clock) * 1000)
