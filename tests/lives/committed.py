"""What each commit was for, as Valkey has carried it out: whatever the bot heard of it.

A timer, the end of an effect and a delivery count once, although each may be dispatched again.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from tests.lives.protocol import Command

DONE = b"*3\r\n$4\r\ndone\r\n"
"""Begins what `commit.lua` and `outbox_end.lua` answer, and no other script does."""

PREFIX = b"{fb}"


class Committed:
    """Counts the commits of each trigger."""

    def __init__(self) -> None:
        self._times = Counter[tuple[str, str]]()

    def heard(self, command: Command, answer: bytes) -> None:
        """Be told of a command that was carried out, and of its answer."""
        if not answer.startswith(DONE) or command[3] != PREFIX:  # else it is the bot's self-test
            return
        request = json.loads(command[4])
        for trigger in _triggers(request):
            self._times[request["incident"], trigger] += 1
        for part in (request, *request.get("also", ())):
            for timer in part.get("timers", ()):  # set again for the same moment it is another one
                self._times.pop((part["incident"], _timer(timer)), None)

    def clock_was_set(self) -> None:
        """Forget all: what waits is moved, and may be due at moments that there were before."""
        self._times.clear()

    def twice(self, incident: str) -> list[str]:
        """Return each trigger of an incident that was counted more than once."""
        times = [(trigger, n) for (of, trigger), n in self._times.items() if of == incident]
        return [f"counted {n} times: {trigger}" for trigger, n in times if n > 1]


def _triggers(request: dict[str, Any]) -> list[str]:
    timer, entry = request.get("timer"), request.get("entry")
    return [
        *([_timer(timer)] if timer else ()),
        *([f"the end of effect {entry}"] if entry else ()),
        *(f"the delivery {claim}" for claim in request.get("deliveries", ())),
    ]


def _timer(timer: dict[str, Any]) -> str:
    return f"the timer {timer['member']} of {timer['at']}"
