"""Faults that a test or the page can put in front of the next calls of any emulated system.

A call is named `<system>.<method>`: `slack.chat.postMessage`, `sentry.events`, `linear.issueCreate`, `discord.post`,
`pagerduty.enqueue`. Every emulator asks `take` once for each request it receives, and obeys what it gets.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """What shall happen to one call. `delay` in seconds; the rest as in HTTP."""

    delay: float = 0.0
    status: int | None = None
    error: str | None = None
    retry_after: int | None = None
    lose_answer: bool = False
    """The call takes effect, and the connection is closed without an answer."""


class Faults:
    def __init__(self) -> None:
        self._queued: dict[str, deque[Fault]] = defaultdict(deque)
        self._standing: dict[str, Fault] = {}

    def next(self, call: str, fault: Fault, *, times: int = 1) -> None:
        """Let the next `times` calls named `call` meet `fault`."""
        self._queued[call].extend([fault] * times)

    def always(self, call: str, fault: Fault) -> None:
        """Let every call named `call` (or of a whole system: `sentry.*`) meet `fault` until `clear`."""
        self._standing[call] = fault

    def clear(self) -> None:
        self._queued.clear()
        self._standing.clear()

    def take(self, call: str) -> Fault | None:
        queued = self._queued.get(call)
        if queued:
            return queued.popleft()
        return self._standing.get(call) or self._standing.get(call.split(".", 1)[0] + ".*")
