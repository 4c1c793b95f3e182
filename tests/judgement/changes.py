"""Flags and settings as the flag log, events and webhooks tell of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from phases.record.findings import ChangeSeen
from phases.record.service import Service
from tests.judgement.events import Events
from tests.judgement.world import Changed, World


@dataclass
class Flags:
    """Sentry's flag log, and the flags that events carry."""

    world: World
    events: tuple[Events, ...]

    def unused(self) -> bool:
        return False

    async def changes(
        self, service: Service, since: datetime, until: datetime
    ) -> Sequence[ChangeSeen]:
        begin, end = self.world.minute(since), self.world.minute(until)
        logged = [c for c in self.world.changes if c.kind == "flag" and c.logged and c.known]
        there = sorted((c for c in logged if begin <= c.at <= end), key=lambda c: -c.at)
        return [_change_seen(self.world, change, "sentry") for change in there]

    async def off(
        self, services: Sequence[Service], flag: str, span: tuple[datetime, datetime]
    ) -> Mapping[str, tuple[int, int]]:
        begin, end = (self.world.minute(at) for at in span)
        counts: dict[str, tuple[int, int]] = {}
        for events in self.events:
            within = events.span(begin, end)
            values = [evaluated(self.world, events, n).get(flag) for n in within]
            if without := sum(on is False for on in values):
                counts[events.failure.id] = (without, len(values))
        return counts


def carries(events: Events, n: int, change: Changed) -> bool:
    """Return whether an event has the flag on: it was asked for on that page, for that person."""
    if change.kind != "flag" or not change.asked_on or events.at[n] < change.at:
        return False
    if events.failure.when.change == change.name:
        return True
    person = events.user[n] if events.user[n] >= 0 else n
    there = events.failure.paths[events.path[n]] in change.asked_on
    return there and person % 100 < 100 * change.share


def evaluated(world: World, events: Events, n: int) -> dict[str, bool]:
    """Return the flags in the context of an event."""
    path = events.failure.paths[events.path[n]]
    asked = [c for c in world.changes if c.kind == "flag" and path in c.asked_on]
    return {change.name: carries(events, n, change) for change in asked}


def told_of_changes(world: World) -> list[ChangeSeen]:
    """Return what webhooks told, newest first."""
    known = [c for c in world.changes if c.known and not c.logged and c.at <= world.asked]
    return [_change_seen(world, change, "webhook") for change in sorted(known, key=lambda c: -c.at)]


def _change_seen(world: World, change: Changed, source: str) -> ChangeSeen:
    """Return a change as it is told; Sentry's flag log does not tell the values."""
    flag, told = change.kind == "flag", source != "sentry"
    return ChangeSeen(
        service="" if source == "sentry" else world.service.name,
        kind=change.kind,
        name=change.name,
        old=("off" if flag else "20") if told else None,
        new=("on" if flag else "2") if told else None,
        at=world.at(change.at),
        source=source,
    )
