"""Action items: done, or not done after all, by a click."""

from __future__ import annotations

from functools import partial
from typing import Any

from handlers.slack.interaction import Interaction
from handlers.slack.listening import on_incident
from handlers.views.blocks import Message
from phases.messages.commands import MarkItem
from phases.record.incident import Incident


async def mark_clicked(
    interaction: Interaction, incident: Incident, value: dict[str, Any], *, done: bool
) -> Message | None:
    action = MarkItem(by=interaction.user, number=int(value.get("item") or 0), done=done)
    return await interaction.act(action, incident.id)


on_incident("incident.item_done")(partial(mark_clicked, done=True))
on_incident("incident.item_undone")(partial(mark_clicked, done=False))
