"""The one door to an incident: what handlers, timers and effects say goes through it, and nothing else changes a record."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from phases.messages.actions import Action
from phases.ports.ports import PortError
from phases.record.incident import Entry, Incident
from phases.steps.change import Refused


class StoreUnavailable(PortError):
    """Redis cannot be used now. `text` is for people: a sentence without its full stop."""

    def __init__(self, text: str) -> None:
        super().__init__("redis", text.rstrip("."), retryable=True)


@dataclass(frozen=True, slots=True)
class Delivery:
    """Something from outside: its claims are kept for 15 minutes, so that it counts once (rules: Delivery claims)."""

    claims: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TimerDue:
    """A timer fired; its action's commit removes it, or finds it gone."""

    incident: str
    name: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class EffectEnded:
    """An effect ended; its result's commit acks and deletes the outbox entry, or finds it gone."""

    entry: str


Trigger = Delivery | TimerDue | EffectEnded


@dataclass(frozen=True, slots=True)
class Recorded:
    """It is in Redis. `again` where this very delivery, timer or effect had been dealt with before."""

    incident: Incident
    again: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """The answer was lost: it may be recorded or not. Saying it again counts once."""

    text: str = "I could not see whether this was recorded; click again, it counts once."


class Dispatcher(Protocol):
    async def dispatch(
        self,
        action: Action,
        incident: str | None,
        trigger: Trigger | None = None,
        deadline: datetime | None = None,
    ) -> Recorded | Refused | Unknown:
        """Loads, steps, commits; again on a conflict. `deadline` in server time: later nothing is committed."""
        ...

    async def load(self, incident: str) -> Incident | None:
        """Raises `StoreUnavailable`, as do `timeline` and `find`."""
        ...

    async def timeline(self, incident: str) -> list[Entry]: ...

    async def owner(self, claim: str) -> str | None:
        """The incident that holds a claim; None where it is free."""
        ...

    async def owing(self) -> list[Incident]:
        """Incidents that left action items which nobody has done yet, newest first."""
        ...

    async def holding(self, service: str) -> list[Incident]:
        """Resolved ones of a service that a deploy could bring back, or undo (rules: Hold); newest first."""
        ...

    async def changed(self) -> str:
        """Another word after anything that people see of an incident has changed; cheap to ask for."""
        ...

    async def find(
        self, *, channel: str | None = None, service: str | None = None, open_only: bool = True
    ) -> list[Incident]:
        """Incidents by channel or service, newest first."""
        ...
