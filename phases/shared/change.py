"""The change that an action brings: the next record, and all that is committed with it.

A step collects it in a draft.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, Self

from phases.messages.base import Action, Effect
from phases.record.incident import Entry, Incident, as_json
from phases.record.service import Service

RefusalCode = Literal[
    "taken", "stale", "state", "input", "missing", "who", "unknown", "late", "version"
]


@dataclass(frozen=True, slots=True)
class Refused:
    """The answer to an action that changes nothing.

    `text` tells the person what happened and what to do now. `owner` holds the
    claim that was taken.
    """

    code: RefusalCode
    text: str
    owner: str | None = None
    claim: str | None = None


@dataclass(frozen=True, slots=True)
class Timer:
    """An action that is dispatched at `at`. It replaces the incident's timer of the same name."""

    name: str
    at: datetime
    action: Action


@dataclass(frozen=True, slots=True)
class Claim:
    """A key that belongs to one incident at a time. Its owner renews it by claiming it again."""

    key: str
    seconds: int | None = None
    """It holds so long; None is until it is released."""
    soft: bool = False
    """Taken where it is free; otherwise left with its owner, and the commit goes on."""


@dataclass(frozen=True, slots=True)
class Change:
    incident: Incident
    entries: tuple[Entry, ...] = ()
    effects: tuple[Effect, ...] = ()
    timers: tuple[Timer, ...] = ()
    cancels: tuple[str, ...] = ()
    """Names of timers that are removed."""
    claims: tuple[Claim, ...] = ()
    releases: tuple[str, ...] = ()
    dirty: tuple[str, ...] = ()
    """Live messages that must be rendered again."""
    also: tuple["Change", ...] = ()
    """The parts of other incidents that change together with it: all are committed, or none."""
    written: tuple[Incident, str] | None = field(default=None, compare=False, repr=False)
    """A record with its JSON, as the rule that limits its size made it; used if it is `incident`.
    """

    def is_nothing(self, before: Incident | None) -> bool:
        """Return whether it leaves the record as it was, and brings nothing else."""
        return before is not None and self.incident is before and self == Change(before)

    @property
    def record(self) -> str:
        """Return the incident as the JSON that is stored."""
        if self.written is not None and self.written[0] is self.incident:
            return self.written[1]
        return as_json(self.incident)


class Draft:
    """The change that one action brings, while the rules still collect it.

    A rule reads `before` (the record as it was loaded), `incident` (the record so far), `service`
    and `now`. Each method returns the draft, so that calls can be chained.
    """

    def __init__(self, incident: Incident, now: datetime, service: Service | None = None) -> None:
        self.before = incident
        self.incident = incident
        self.now = now
        self.service = service or Service(name=incident.service)
        self.also: tuple[Draft, ...] = ()
        self.written: tuple[Incident, str] | None = None
        self._entries: list[Entry] = []
        self._effects: list[Effect] = []
        self._timers: dict[str, Timer] = {}
        self._cancels: list[str] = []
        self._claims: list[Claim] = []
        self._releases: list[str] = []
        self._dirty: dict[str, None] = {}

    @property
    def effects(self) -> tuple[Effect, ...]:
        return tuple(self._effects)

    def set(self, **fields: Any) -> Self:
        """Replace fields of the record.

        It is validated, so that no phase can store what the record does not hold.
        """
        before = {**vars(self.incident), **(self.incident.model_extra or {})}
        self.incident = Incident.model_validate({**before, **fields})
        return self

    def note(self, kind: str, text: str, *, by: str | None = None, url: str | None = None) -> Self:
        """Add a line to the timeline."""
        return self.enter(Entry(at=self.now, kind=kind, text=text[:2000], by=by, url=url))

    def enter(self, entry: Entry) -> Self:
        """Add an entry of an earlier time, or one that can be taken back."""
        self._entries.append(entry)
        return self

    def want(self, *effects: Effect) -> Self:
        """Ask for effects; the same one twice in one change is one."""
        new = (effect for effect in dict.fromkeys(effects) if effect not in self._effects)
        self._effects.extend(new)
        return self

    def timer(self, name: str, seconds: float, action: Action) -> Self:
        """Set a timer; it replaces an earlier one of this name."""
        return self.timer_at(name, self.now + timedelta(seconds=seconds), action)

    def timer_at(self, name: str, at: datetime, action: Action) -> Self:
        """Set a timer to a time; it replaces an earlier one of this name."""
        self._timers[name] = Timer(name=name, at=at, action=action)
        return self

    def cancel(self, *names: str) -> Self:
        """Cancel timers, also those that this change has set so far."""
        for name in names:
            self._timers.pop(name, None)
        self._cancels.extend(names)
        return self

    def claim(self, key: str, *, seconds: int | None = None, soft: bool = False) -> Self:
        """Claim a key.

        Drills and private incidents hold neither service nor issues (rules: Claims). A drill must
        not swallow alarms. A private incident must not show itself to others by a claim.
        """
        if self.incident.apart and key.startswith(("open:", "fingerprint:")):
            return self
        self._claims.append(Claim(key=key, seconds=seconds, soft=soft))
        return self

    def give_up_claim(self, *keys: str) -> Self:
        self._releases.extend(keys)
        return self

    def dirty(self, *names: str) -> Self:
        """Mark live messages; only those that were posted are rendered again."""
        self._dirty.update(dict.fromkeys(names))
        return self

    def done(self) -> Change:
        return Change(
            incident=self.incident,
            entries=tuple(self._entries),
            effects=tuple(self._effects),
            timers=tuple(self._timers.values()),
            cancels=tuple(name for name in self._cancels if name not in self._timers),
            claims=tuple(self._claims),
            releases=tuple(self._releases),
            dirty=tuple(self._dirty),
            also=tuple(other.done() for other in self.also),
            written=self.written,
        )
