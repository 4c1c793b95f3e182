"""Whether this machine's clock was set forward: then minutes that never passed would look quiet, and quiet would look like recovery."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

LEAST_SECONDS = 5.0
"""Less is no step: an hour asleep ends with some of it, and a look has a grace of that size."""
KEPT = 20


def passed() -> float:
    """Seconds since the machine started, also those it was asleep, whatever its clock is set to."""
    boot = getattr(
        time, "CLOCK_BOOTTIME", None
    )  # https://man7.org/linux/man-pages/man2/clock_gettime.2.html
    return time.monotonic() if boot is None else time.clock_gettime(boot)


class ClockJumps:
    """Asked now and then (`look`), it notes by how much the clock was set forward, and when."""

    def __init__(
        self, wall: Callable[[], float] = time.time, passed: Callable[[], float] = passed
    ) -> None:
        self._wall, self._passed = wall, passed
        self._parted = wall() - passed()
        self._steps: list[tuple[float, float]] = []
        """When it was noticed, by the new clock, and by how many seconds."""

    def look(self) -> None:
        wall = self._wall()
        parted = wall - self._passed()
        step, self._parted = parted - self._parted, parted
        if step > LEAST_SECONDS:
            self._steps = [*self._steps, (wall, step)][-KEPT:]

    def forward_since(self, at: datetime) -> float:
        """Seconds by which it was set forward after this moment."""
        self.look()
        return sum(step for when, step in self._steps if datetime.fromtimestamp(when, UTC) > at)
