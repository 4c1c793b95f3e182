"""What a step brings: the next record, and everything that must be committed with it, together or not at all."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from phases.messages.actions import Action
from phases.messages.effects import Effect
from phases.record.incident import Entry, Incident, as_json
from phases.record.service import Service

RefusalCode = Literal[
    "taken", "stale", "state", "input", "missing", "who", "unknown", "late", "version"
]


@dataclass(frozen=True, slots=True)
class Refused:
    """Nothing was changed. `text` tells the person what happened and what to do now; `owner` holds the taken claim."""

    code: RefusalCode
    text: str
    owner: str | None = None
    claim: str | None = None


@dataclass(frozen=True, slots=True)
class Timer:
    """An action that is said at `at`; a timer of the same name of the same incident is replaced."""

    name: str
    at: datetime
    action: Action


@dataclass(frozen=True, slots=True)
class Claim:
    """A key that belongs to one incident at a time. Claiming what one owns already renews it."""

    key: str
    seconds: int | None = None
    """How long it holds; None: until it is released."""
    soft: bool = False
    """Taken where it is free; otherwise left with its owner, and the commit goes on."""


@dataclass(frozen=True, slots=True)
class Change:
    incident: Incident
    entries: tuple[Entry, ...] = ()
    effects: tuple[Effect, ...] = ()
    timers: tuple[Timer, ...] = ()
    cancels: tuple[str, ...] = ()
    """Names of timers that shall not fire any more."""
    claims: tuple[Claim, ...] = ()
    releases: tuple[str, ...] = ()
    dirty: tuple[str, ...] = ()
    """Live messages that must be rendered again."""
    also: Change | None = None
    """The other incident's part, where two change together: committed with it, or not at all."""
    written: tuple[Incident, str] | None = field(default=None, compare=False, repr=False)
    """A record as JSON, by whoever had to know how long it is; of another incident than `incident` it is of no use."""

    @property
    def record(self) -> str:
        """The incident as JSON, as it is kept."""
        if self.written is not None and self.written[0] is self.incident:
            return self.written[1]
        return as_json(self.incident)


class Draft:
    """The change that one action brings, while the rules still collect it.

    A rule reads `before` (the record as it was loaded), `incident` (the record so far), `service` and
    `now`. Each method returns the draft, so that calls can be chained.
    """

    def __init__(self, incident: Incident, now: datetime, service: Service | None = None) -> None:
        self.before = incident
        self.incident = incident
        self.now = now
        self.service = service or Service(name=incident.service)
        self.also: Draft | None = None
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

    def set(self, **fields: Any) -> Draft:
        """Replaces fields of the record; validated, so that no phase can store what the record does not hold."""
        kept = {**vars(self.incident), **(self.incident.model_extra or {})}
        self.incident = Incident.model_validate({**kept, **fields})
        return self

    def note(self, kind: str, text: str, *, by: str | None = None, url: str | None = None) -> Draft:
        """Adds a line to the timeline."""
        return self.enter(Entry(at=self.now, kind=kind, text=text[:2000], by=by, url=url))

    def enter(self, entry: Entry) -> Draft:
        """Adds an entry that is more than a line of now: of an earlier time, or one that can be taken back."""
        self._entries.append(entry)
        return self

    def want(self, *effects: Effect) -> Draft:
        """Asks for effects; the same one twice in one change is one."""
        self._effects.extend(e for e in dict.fromkeys(effects) if e not in self._effects)
        return self

    def timer(self, name: str, seconds: float, action: Action) -> Draft:
        """Says `action` after `seconds`, in place of an earlier timer of this name."""
        return self.timer_at(name, self.now + timedelta(seconds=seconds), action)

    def timer_at(self, name: str, at: datetime, action: Action) -> Draft:
        """Sets a timer at a time; it replaces an earlier one of this name."""
        self._timers[name] = Timer(name=name, at=at, action=action)
        return self

    def cancel(self, *names: str) -> Draft:
        """Cancels timers, also those that this change has set so far."""
        for name in names:
            self._timers.pop(name, None)
        self._cancels.extend(names)
        return self

    def claim(self, key: str, *, seconds: int | None = None, soft: bool = False) -> Draft:
        """A drill must not swallow alarms, and a private incident not show itself to who runs into its claim: they hold
        neither service nor issues (rules: Claims)."""
        if self.incident.apart and key.startswith(("open:", "fingerprint:")):
            return self
        self._claims.append(Claim(key=key, seconds=seconds, soft=soft))
        return self

    def release(self, *keys: str) -> Draft:
        self._releases.extend(keys)
        return self

    def dirty(self, *names: str) -> Draft:
        """Marks live messages; only those that were posted are rendered again."""
        self._dirty.update(dict.fromkeys(names))
        return self

    def done(self) -> Change:
        return Change(
            incident=self.incident,
            entries=tuple(self._entries),
            effects=tuple(self._effects),
            timers=tuple(self._timers.values()),
            cancels=tuple(n for n in self._cancels if n not in self._timers),
            claims=tuple(self._claims),
            releases=tuple(self._releases),
            dirty=tuple(self._dirty),
            also=self.also.done() if self.also is not None else None,
            written=self.written,
        )
