"""One try of one effect, as the worker of the outbox hands it to a performer."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from phases.messages.base import Action


@dataclass(frozen=True, slots=True)
class Job:
    """One try of one effect."""

    incident: str
    effect_id: str
    """`INC-0001.<version>.<i>`: the same in every try."""
    created: datetime
    """When it was committed, by the clock of Redis."""
    attempt: int
    """1 for the first. From 2 on an earlier try may have done it."""
    wanted_as: str | None = None
    """The id of the effect that was given up, where this one tries it again."""

    @property
    def key(self) -> str:
        """The id that stays the same when the effect is given up and tried again."""
        return self.wanted_as or self.effect_id

    @property
    def maybe_done(self) -> bool:
        """An earlier try may have done it, of this effect or of the one given up."""
        return self.attempt > 1 or self.wanted_as is not None


Performer = Callable[[Any, Job], Awaitable[Action]]
"""A performer as the worker calls it."""
