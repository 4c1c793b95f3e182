"""Notices that this machine's clock was set forward.

Minutes that never passed would look quiet, and quiet would look like recovery.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

LEAST_SECONDS = 5.0
"""The smallest step that counts: waking up after an hour moves the clock a little, too."""
KEPT = 20


def passed() -> float:
    """Return the seconds since the machine started, asleep or not, whatever its clock says."""
    boot = getattr(
        time, "CLOCK_BOOTTIME", None
    )  # https://man7.org/linux/man-pages/man2/clock_gettime.2.html
    return time.monotonic() if boot is None else time.clock_gettime(boot)


class ClockJumps:
    """The steps by which the clock was set forward. `look` has to be called now and then."""

    def __init__(
        self, wall: Callable[[], float] = time.time, passed: Callable[[], float] = passed
    ) -> None:
        self._wall, self._passed = wall, passed
        self._parted = wall() - passed()
        self._steps: list[tuple[float, float]] = []
        """The time by the new clock at which each step was noticed, and its seconds."""

    def look(self) -> None:
        wall = self._wall()
        parted = wall - self._passed()
        step, self._parted = parted - self._parted, parted
        if step > LEAST_SECONDS:
            self._steps = [*self._steps, (wall, step)][-KEPT:]

    def forward_since(self, at: datetime) -> float:
        """Return the seconds by which the clock was set forward after this moment."""
        self.look()
        return sum(step for when, step in self._steps if datetime.fromtimestamp(when, UTC) > at)
