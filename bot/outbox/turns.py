"""Limits of the effects that run at once for an outside system, and the order of the others."""

import asyncio
from collections import deque
from collections.abc import Mapping

from bot.runtime.turns import Turns
from phases.messages.base import Effect
from phases.messages.effects import OpenChannel, Triage
from phases.messages.notifications import PostLive

AT_ONCE = 4
LEAST = 1
"""Turns of a system for everything else, while something that a decision waits for has none."""
LIMITS: Mapping[str, int] = {"slack": 8, "sentry": 6, "redis": 8, "git": 2, "discord": 1}
"""Discord one at a time: an older edit of its post must not come last."""
FOR_DECISIONS: Mapping[str, int] = {"slack": 12}
"""Turns beside these, for what a decision waits for: so 20 in all, as many as the channels that
Slack opens in a minute (https://docs.slack.dev/apis/web-api/rate-limits, Tier 2)."""


def decides(effect: Effect) -> bool:
    """Return whether people wait for this effect before they can decide."""
    if isinstance(effect, PostLive):
        return effect.name.startswith("decision:")
    return isinstance(effect, OpenChannel | Triage)


class Waiting:
    """The number of effects without a turn yet that a decision waits for, at any system."""

    def __init__(self) -> None:
        self.first = 0
        self.turns: list[TurnsOfSystem] = []

    def ended(self) -> None:
        self.first -= 1
        if not self.first:
            for turns in self.turns:
                turns.wake()


class TurnsOfSystem(Turns):
    """The turns of one outside system.

    `most` effects run at once. What a decision waits for goes before everything else, and finds
    `more` turns that nothing else takes; while any of it waits, at whatever system, the rest runs
    one by one. While twenty incidents open, eighty topics, invitations and announcements would
    stand before the first decision, and take the processor from the twenty triages.
    """

    def __init__(self, most: int, more: int = 0, waiting: Waiting | None = None) -> None:
        super().__init__(most)
        self._more = more
        self._waiting = waiting or Waiting()
        self._waiting.turns.append(self)

    def _is_free(self, first: bool) -> bool:
        if first:
            return self._taken < self._most + self._more
        return self._taken < (LEAST if self._waiting.first else self._most)

    async def _wait(self, waiting: deque[asyncio.Future[None]]) -> None:
        if waiting is self._others:
            await super()._wait(waiting)
            return
        self._waiting.first += 1
        try:
            await super()._wait(waiting)
        finally:
            self._waiting.ended()


class SystemTurns:
    """The turns of every outside system, found by the type of effect that needs one.

    `systems` go by the effect's type; `limits` are others than the usual ones.
    """

    def __init__(self, systems: Mapping[str, str], limits: Mapping[str, int] | None = None) -> None:
        self._systems = systems
        self._limits = {**LIMITS, **(limits or {})}
        self._waiting = Waiting()
        self._turns: dict[str, TurnsOfSystem] = {}

    def of(self, effect: Effect) -> TurnsOfSystem:
        system = self._systems.get(effect.type, effect.type)
        if system not in self._turns:
            most, more = self._limits.get(system, AT_ONCE), FOR_DECISIONS.get(system, 0)
            self._turns[system] = TurnsOfSystem(most, more, self._waiting)
        return self._turns[system]
