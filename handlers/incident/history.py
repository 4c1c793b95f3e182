"""Looking back: `/incident history [service]` and `/incident trends`. Nothing is changed; private incidents are for their members."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from slack_bolt.app.async_app import AsyncApp

from handlers.slack.context import Context
from handlers.slack.interaction import Interaction
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


async def history(interaction: Interaction, service: str, start: int = 0) -> Message:
    try:
        found = await interaction.ctx.memory.newest(service or None, READ)
    except PortError as error:
        return notes.note(f"{error.text}. Try again in a moment.")
    seen = await _seen(interaction, found)
    shown = visible(found, seen)
    titles = {id: incident.title for id, incident in seen.items()}
    return views.history(shown, service, titles, start=start, more=len(found) == READ)


async def show_trends(interaction: Interaction) -> Message | None:
    """Told beside the ack: charts go another way than an ack can."""
    now = interaction.ctx.now()
    try:
        found = await interaction.ctx.memory.since(_begin(now))
    except PortError as error:
        return notes.note(f"{error.text}. Try again in a moment.")
    shown = visible(found, await _seen(interaction, found))
    interaction.tell(views.trends(trends(shown, now)))
    return None


def _begin(now: datetime) -> datetime:
    """Before the first of the months that are shown."""
    return now - timedelta(days=31 * MONTHS)


async def _seen(
    interaction: Interaction, found: Sequence[PastIncident | Counted]
) -> dict[str, Incident]:
    """The private incidents among them that this person may see."""
    private = [one.id for one in found if one.private]
    looked = await asyncio.gather(*(interaction.ctx.dispatcher.load(id) for id in private))
    return {
        one.id: one for one in await interaction.seen([one for one in looked if one is not None])
    }


def register(app: AsyncApp, ctx: Context) -> None:
    async def another_page(interaction: Interaction, value: dict[str, Any]) -> Message | None:
        return await history(
            interaction, str(value.get("service", "")), max(0, int(value.get("start") or 0))
        )

    for action_id in ("incident.history", "incident.history_newer"):
        on_click(app, ctx, action_id, another_page, replace=True)
