"""Notices that this machine's clock was set forward, or is not that of Redis.

Minutes that never passed would look quiet, and quiet would look like recovery. What happened when
is written by the clock of Redis and measured by this machine's: an hour apart, an old fire would
count as one that goes on after the action, or the fire that goes on would count as none.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from phases.text.wording import lasting

LEAST_SECONDS = 5.0
"""The smallest step that counts: waking up after an hour moves the clock a little, too."""
APART_SECONDS = 15.0
"""Two clocks that differ by less are one (`phases/triage/deploys/beginning_text.py CLOCKS`)."""
JUMPS_KEPT = 20


def passed() -> float:
    """Return the seconds since the machine started, asleep or not, whatever its clock says."""
    # https://man7.org/linux/man-pages/man2/clock_gettime.2.html
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


class ClockJumps:
    """The steps by which the clock was set forward. `notice` has to be called now and then."""

    def __init__(
        self, wall: Callable[[], float] = time.time, passed: Callable[[], float] = passed
    ) -> None:
        self._wall, self._passed = wall, passed
        self._parted = wall() - passed()
        self._ahead_of_redis = 0.0
        self._steps: list[tuple[float, float]] = []
        """The time by the new clock at which each step was noticed, and its seconds."""

    def notice(self) -> None:
        wall = self._wall()
        parted = wall - self._passed()
        step, self._parted = parted - self._parted, parted
        if step > LEAST_SECONDS:
            self._steps = [*self._steps, (wall, step)][-JUMPS_KEPT:]

    def forward_since(self, at: datetime) -> float:
        """Return the seconds by which the clock was set forward after this moment."""
        self.notice()
        return sum(step for when, step in self._steps if datetime.fromtimestamp(when, UTC) > at)

    def note_redis_time(self, redis: float) -> None:
        """Take in what the clock of Redis shows now, in seconds since 1970."""
        self._ahead_of_redis = self._wall() - redis

    def doubt_since(self, at: datetime) -> str:
        """Say why the time since this moment is not known. "": it is known."""
        if forward := self.forward_since(at):
            return (
                f"the clock here was set forward by {lasting(timedelta(seconds=forward))} meanwhile"
            )
        apart = abs(self._ahead_of_redis)
        if apart > APART_SECONDS:
            return f"the clocks here and of Redis are {lasting(timedelta(seconds=apart))} apart"
        return ""
