"""Phase 1, what could not be asked: every part of the picture fails by itself, and what that costs is said."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import TypeVar

from phases.ports import PortError

PART_SECONDS = 6.0  # for each of Sentry's parts: three rounds end well within the 30 s that any effect may take

T = TypeVar("T")


@dataclass(slots=True)
class Notes:
    """What the reader must know of the numbers; gathered on the way."""

    said: dict[str, None] = field(default_factory=dict[str, None])
    unasked: dict[str, None] = field(default_factory=dict[str, None])
    """What could not be asked and could change the decision, in sentences without the reason."""
    incomplete: bool = False
    """Sentry may tell some of it at another try."""

    def say(self, text: str) -> None:
        self.said.setdefault(text)

    def lack(self, error: PortError, cost: str) -> None:
        """Sentry could not be asked for a part of the picture. The rest stands, and the decision says what is missing."""
        self.unasked.setdefault(f"{cost}.")
        self.miss(error, cost)

    def miss(self, error: PortError, cost: str) -> None:
        """As `lack`, of what changes no decision."""
        self.say(f"{cost} ({error.text}).")
        self.incomplete = self.incomplete or error.retryable

    async def part(self, asked: Awaitable[T], otherwise: T, cost: str) -> T:
        """A part of the picture that the decision is made on; without it that goes on, and says so."""
        try:
            return await in_time(asked)
        except PortError as error:
            self.lack(error, cost)
            return otherwise

    async def beside(self, asked: Awaitable[T], otherwise: T, cost: str) -> T:
        """What Sentry tells beside it."""
        try:
            return await in_time(asked)
        except PortError as error:
            self.miss(error, cost)
            return otherwise

    async def soft(self, asked: Awaitable[T], otherwise: T, cost: str) -> T:
        """What others tell, and is good to have: where it cannot be had, that is said with what it costs, and the phase goes on."""
        try:
            return await asked
        except PortError as error:
            self.say(f"{cost} ({error.text}).")
            return otherwise


async def in_time(asked: Awaitable[T]) -> T:
    """An answer of Sentry's. Raises `PortError`, too where there is none in time: a slow call must not hold the decision back."""
    try:
        async with asyncio.timeout(PART_SECONDS):
            return await asked
    except TimeoutError:
        raise PortError("Sentry", f"Sentry did not answer within {PART_SECONDS:g} s", retryable=True) from None
