"""Looking back: `/incident history [service]` and `/incident trends`. Nothing is changed; private incidents are for their members."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from slack_bolt.app.async_app import AsyncApp

from handlers.slack.context import Kit
from handlers.slack.interaction import Turn
from handlers.slack.listening import on_click
from handlers.views import history as views
from handlers.views import notes
from handlers.views.blocks import Message
from phases.memory.trends import MONTHS, trends, visible
from phases.ports.ports import PortError
from phases.record.incident import Incident
from phases.record.memories import Counted, PastIncident

READ = 200
"""So many of the newest are looked through; what is older, `firebreak export` has."""


async def history(turn: Turn, service: str, start: int = 0) -> Message:
    try:
        found = await turn.kit.memory.newest(service or None, READ)
    except PortError as error:
        return notes.note(f"{error.text}. Try again in a moment.")
    seen = await _seen(turn, found)
    shown = visible(found, seen)
    titles = {id: incident.title for id, incident in seen.items()}
    return views.history(shown, service, titles, start=start, more=len(found) == READ)


async def show_trends(turn: Turn) -> Message | None:
    """Told beside the ack: charts go another way than an ack can."""
    now = turn.kit.now()
    try:
        found = await turn.kit.memory.since(_begin(now))
    except PortError as error:
        return notes.note(f"{error.text}. Try again in a moment.")
    shown = visible(found, await _seen(turn, found))
    turn.tell(views.trends(trends(shown, now)))
    return None


def _begin(now: datetime) -> datetime:
    """Before the first of the months that are shown."""
    return now - timedelta(days=31 * MONTHS)


async def _seen(turn: Turn, found: Sequence[PastIncident | Counted]) -> dict[str, Incident]:
    """The private incidents among them that this person may see."""
    private = [one.id for one in found if one.private]
    looked = await asyncio.gather(*(turn.kit.door.look(id) for id in private))
    return {one.id: one for one in await turn.seen([one for one in looked if one is not None])}


def register(app: AsyncApp, kit: Kit) -> None:
    async def another_page(turn: Turn, value: dict[str, Any]) -> Message | None:
        return await history(turn, str(value.get("service", "")), max(0, int(value.get("start") or 0)))

    for action_id in ("incident.history", "incident.history_newer"):
        on_click(app, kit, action_id, another_page, replace=True)
