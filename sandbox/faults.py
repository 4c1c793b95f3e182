"""Faults that a test or the page can put in front of the next calls of any emulated system.

A call is named `<system>.<method>`: `slack.chat.postMessage`, `sentry.events`, `linear.issueCreate`, `discord.post`,
`pagerduty.enqueue`. Every emulator asks `take` once for each request it receives, and obeys what it gets.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Fault:
    """What shall happen to one call. `delay` in seconds; the rest as in HTTP."""

    delay: float = 0.0
    status: int | None = None
    error: str | None = None
    retry_after: int | None = None
    lose_answer: bool = False
    """The call takes effect, and the connection is closed without an answer."""


@dataclass(slots=True)
class _Limit:
    """At most so many calls in any so many seconds; what is refused does not count."""

    at_most: int
    seconds: float
    taken: deque[float] = field(default_factory=deque[float])

    def refusal(self, now: float) -> Fault | None:
        while self.taken and self.taken[0] <= now - self.seconds:
            self.taken.popleft()
        if len(self.taken) < self.at_most:
            self.taken.append(now)
            return None
        return Fault(status=429, retry_after=max(1, math.ceil(self.taken[0] + self.seconds - now)))


class Faults:
    def __init__(self) -> None:
        self._queued: dict[str, deque[Fault]] = defaultdict(deque)
        self._standing: dict[str, Fault] = {}
        self._limits: dict[str, _Limit] = {}

    def next(self, call: str, fault: Fault, *, times: int = 1) -> None:
        """Let the next `times` calls named `call` meet `fault`."""
        self._queued[call].extend([fault] * times)

    def always(self, call: str, fault: Fault) -> None:
        """Let every call named `call` (or of a whole system: `sentry.*`) meet `fault` until `clear`."""
        self._standing[call] = fault

    def limit(self, call: str, at_most: int, seconds: float = 60.0) -> None:
        """Let calls named `call` beyond so many in any so many seconds meet 429 with `Retry-After`, until `clear`."""
        self._limits[call] = _Limit(at_most, seconds)

    def clear(self) -> None:
        self._queued.clear()
        self._standing.clear()
        self._limits.clear()

    def take(self, call: str) -> Fault | None:
        limit = self._limits.get(call)
        if limit is not None and (refusal := limit.refusal(time.monotonic())) is not None:
            return refusal
        queued = self._queued.get(call)
        if queued:
            return queued.popleft()
        return self._standing.get(call) or self._standing.get(call.split(".", 1)[0] + ".*")
