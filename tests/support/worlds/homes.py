"""App Home of incidents that are all at hand."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from handlers.views.blocks import View
from handlers.views.home import ITEMS, SHOWN, First, HomeContents, Items, home
from phases.coordination.short_records import mine_first, owed_items, short_record, worse_first
from phases.memory.trends import Month
from phases.record.incident import Incident


def home_of(
    incidents: Sequence[Incident],
    me: str,
    now: datetime,
    *,
    owned: Collection[str] = (),
    owing: Sequence[Incident] = (),
    months: tuple[Month, Month] | None = None,
    site: str = "",
) -> View:
    """What `handlers.events.app_home` chooses of them, as it shows it."""
    every = {incident.id: incident for incident in incidents}
    assert len(every) == len(incidents), "each has an id of its own"
    written_up = {incident.id: incident for incident in owing}
    burning, written = mine_first(worse_first(map(short_record, incidents)), me, owned)
    owed = owed_items(map(short_record, owing), me, now.date())
    first, later = (
        First([every[record.id] for record in some[:SHOWN]], len(some))
        for some in (burning, written)
    )
    own = [(written_up[id], _items(written_up[id])[n - 1]) for id, n in owed.own[:ITEMS]]
    return home(HomeContents(first, later, Items(own, owed), months), me, now, site=site)


def _items(incident: Incident) -> Sequence[Any]:
    assert incident.postmortem is not None
    return incident.postmortem.items
