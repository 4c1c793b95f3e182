"""Action items: done, or not done after all, by a click."""

from __future__ import annotations

from typing import Any

from handlers.slack.interaction import Interaction
from handlers.slack.listening import on_incident
from handlers.views.blocks import Message
from phases.messages.commands import MarkItem
from phases.record.incident import Incident


@on_incident("incident.item_done")
async def item_done(
    interaction: Interaction, incident: Incident, value: dict[str, Any]
) -> Message | None:
    return await _mark(interaction, incident, value, done=True)


@on_incident("incident.item_undone")
async def item_undone(
    interaction: Interaction, incident: Incident, value: dict[str, Any]
) -> Message | None:
    return await _mark(interaction, incident, value, done=False)


async def _mark(
    interaction: Interaction, incident: Incident, value: dict[str, Any], *, done: bool
) -> Message | None:
    action = MarkItem(by=interaction.user, number=int(value.get("item") or 0), done=done)
    return await interaction.act(action, incident.id)
