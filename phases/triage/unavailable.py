"""Phase 1: what could not be asked, and what that costs. Each part of the picture fails by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from phases.ports.ports import PortError
from phases.ports.tracker_values import EventDetail, EventPicture, Minutes
from phases.record.findings import Share
from phases.record.service import Service
from phases.record.wording import listed, short
from phases.root_cause.stack_trace import without_stack
from phases.triage.recommendation import Situation

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
        """Note that a part of the picture is missing on which the decision is made."""
        self.unasked.setdefault(f"{cost}.")
        self.miss(error, cost)

    def miss(self, error: PortError, cost: str) -> None:
        """Note that something is missing which changes no decision."""
        self.say(f"{cost} ({error.text}).")
        self.incomplete = self.incomplete or error.retryable

    async def part(self, asked: Awaitable[T], otherwise: T, cost: str) -> T:
        """Return a part of the picture on which the decision is made, else `otherwise`."""
        try:
            return await in_time(asked)
        except PortError as error:
            self.lack(error, cost)
            return otherwise

    async def beside(self, asked: Awaitable[T], otherwise: T, cost: str) -> T:
        """Return what Sentry tells beside it, else `otherwise`."""
        try:
            return await in_time(asked)
        except PortError as error:
            self.miss(error, cost)
            return otherwise

    async def soft(self, asked: Awaitable[T], otherwise: T, cost: str) -> T:
        """Return what others tell, else `otherwise`, with a note of what that costs."""
        try:
            return await asked
        except PortError as error:
            self.say(f"{cost} ({error.text}).")
            return otherwise


async def in_time(asked: Awaitable[T]) -> T:
    """Return an answer of Sentry's. Raises `PortError`, also where it takes too long."""
    try:
        async with asyncio.timeout(PART_SECONDS):
            return await asked
    except TimeoutError:
        raise PortError(
            "Sentry", f"Sentry did not answer within {PART_SECONDS:g} s", retryable=True
        ) from None


def say_of(
    notes: Notes,
    situation: Situation,
    picture: EventPicture,
    minutes: Minutes,
    carried: Sequence[Share],
    service: Service,
) -> None:
    """Say how the numbers of a picture were come by."""
    if situation.known.stands_in:
        notes.say(
            "No deploys to this environment are known: the first event of each release stands for its deploy."
        )
    if not minutes.known:
        notes.say("Without events by minute the beginning is the first seen of what is new.")
    if picture.per_issue:
        notes.say(
            "This Sentry has no Discover: counts are per issue, over each issue's whole life."
        )
    if situation.sampled:
        notes.say("Sentry counted a sample: the numbers are estimates.")
    pattern = service.release.sentry
    strange = [
        short(s.name)
        for s in carried
        if s.name and service.release.version_of(pattern, s.name) is None
    ]
    if strange:
        notes.say(
            f"Sentry names releases that do not fit {pattern}: {listed(strange)}. They are never chosen."
        )


def say_of_stack(notes: Notes, detail: EventDetail) -> None:
    """Say what the stack does not tell."""
    if not detail.frames and (why := without_stack(detail.kind)):
        notes.say(why)
    if not detail.in_app_told:
        notes.say(
            "Sentry marks no frame of the stack as in-app: those of no known library are taken as ours."
        )
