"""The dispatcher: the only way in which handlers, timers and effects change a record."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from phases.coordination.short_records import Index, ShortRecord
from phases.messages.base import Action
from phases.ports.ports import PortError
from phases.record.incident import Incident
from phases.record.timeline import Shown
from phases.shared.change import Refused

DELIVERY_SECONDS = 15 * 60  # rules: Delivery claims (kept 15 minutes)


class StoreUnavailable(PortError):
    """Redis cannot be used now. `text` is for people: a sentence without its full stop."""

    def __init__(self, text: str) -> None:
        super().__init__("redis", text.rstrip("."), retryable=True)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery from outside; its claims, kept for 15 minutes, make it count once."""

    claims: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TimerDue:
    """A timer fired. The commit of its action removes it, or finds it gone."""

    incident: str
    name: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class EffectEnded:
    """An effect ended. The commit of its result removes the outbox entry, or finds it gone."""

    entry: str


Trigger = Delivery | TimerDue | EffectEnded


@dataclass(frozen=True, slots=True)
class Recorded:
    """The action is in Redis. `again`: this delivery, timer or effect was handled before."""

    incident: Incident
    again: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """The answer was lost: the action may be recorded or not. A second try counts once."""

    text: str = "I cannot tell whether this was recorded. Click again: it counts once."


class Dispatcher(Protocol):
    async def dispatch(
        self,
        action: Action,
        incident: str | None,
        trigger: Trigger | None = None,
        deadline: datetime | None = None,
        *,
        seconds: float | None = None,
    ) -> Recorded | Refused | Unknown:
        """Load, step and commit; again on a conflict.

        After `deadline`, in the time of the Redis server, nothing is committed. `seconds`: who
        waits for it has no more than that.
        """
        ...

    async def load(self, incident: str) -> Incident | None:
        """Return the newest state. Raises `StoreUnavailable`, as do `timeline` and `find`."""
        ...

    async def recent(self, incident: str, version: int) -> Incident | None:
        """Return a state that was the newest a quarter of a second ago, and is no older version.

        For what only tells of it, and races with the next change anyway. Raises as `load`.
        """
        ...

    async def timeline(self, incident: str) -> list[Shown]: ...

    async def owner(self, claim: str) -> str | None:
        """Return the id of the incident that holds a claim; None where it is free."""
        ...

    async def short_records(self, index: Index) -> list[ShortRecord]:
        """Return the short records of these incidents, newest first: for lists of all of them."""
        ...

    async def records(self, ids: Iterable[str]) -> list[Incident]:
        """Return these incidents, in their order, without those that cannot be read."""
        ...

    async def holding(self, service: str) -> list[Incident]:
        """Return resolved incidents that a deploy could bring back (rules: Hold), newest first."""
        ...

    async def changed(self) -> str:
        """Return a token that differs after any change that people see; cheap to ask for."""
        ...

    async def find(
        self, *, channel: str | None = None, service: str | None = None, open_only: bool = True
    ) -> list[Incident]:
        """Return incidents by channel or service, newest first: the whole record of each."""
        ...
