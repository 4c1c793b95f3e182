"""Phase 1: what could not be asked, and what that costs.

Each part of the picture fails by itself, and is never taken for the mild value.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from phases.ports.notes import Notes
from phases.ports.ports import PortError
from phases.ports.tracker_values import EventDetail, EventPicture, Minutes
from phases.record.findings import Share
from phases.record.service import Service
from phases.root_cause.stack_trace import why_no_stack
from phases.text.wording import listed, short
from phases.triage.rollback.situation import Situation

PART_SECONDS = 6.0
"""For each of Sentry's parts: three rounds end well within the 30 s that any effect may take."""

T = TypeVar("T")


@dataclass(slots=True)
class TriageNotes(Notes):
    """Notes for the reader of the numbers, gathered on the way."""

    unasked: dict[str, None] = field(default_factory=dict[str, None])
    """Missing answers that could change the decision, without the reason."""
    unasked_history: str = ""
    """Why the service's errors over time are not known; empty: they are, or nobody can tell."""
    incomplete: bool = False
    """Sentry may tell some of it at another try."""

    def miss(self, error: PortError, cost: str, *, decides: bool) -> None:
        """Note that Sentry did not tell something; `decides`: the decision is made on it."""
        if decides:
            self.unasked.setdefault(f"{cost}.")
        self.say(self.form.format(cost=cost, why=error.text))
        self.incomplete = self.incomplete or error.retryable

    async def ask(self, asked: Awaitable[T], otherwise: T, cost: str, *, decides: bool) -> T:
        """Return Sentry's answer; where there is none, note that and return `otherwise`."""
        try:
            return await in_time(asked)
        except PortError as error:
            self.miss(error, cost, decides=decides)
            return otherwise


async def in_time(asked: Awaitable[T]) -> T:
    """Return an answer of Sentry's. Raises `PortError`, also where it takes too long."""
    try:
        async with asyncio.timeout(PART_SECONDS):
            return await asked
    except TimeoutError:
        text = f"Sentry did not answer within {PART_SECONDS:g} s"
        raise PortError("Sentry", text, retryable=True) from None


def note_numbers(
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
            "No deploys to this environment are known: "
            "each release's first event is taken for its deploy."
        )
    if not minutes.known:
        notes.say(
            "Without events by minute, the beginning is when the newest issue was first seen."
        )
    if picture.per_issue:
        notes.say(
            "This Sentry has no Discover: counts are per issue, over each issue's whole life."
        )
    if situation.sampled:
        notes.say("Sentry counted a sample: the numbers are estimates.")
    pattern = service.release.sentry
    strange = [
        short(share.name)
        for share in carried
        if share.name and service.release.version_of(pattern, share.name) is None
    ]
    if strange:
        notes.say(
            f"Sentry names releases that do not fit {pattern}: {listed(strange)}. "
            "They are never offered."
        )


def note_stack(notes: Notes, detail: EventDetail) -> None:
    """Say what the stack does not tell."""
    if not detail.frames and (why := why_no_stack(detail.kind)):
        notes.say(why)
    if not detail.in_app_told:
        notes.say(
            "Sentry marks no frame of the stack as in-app: "
            "frames outside known libraries count as ours."
        )
