"""Action items: done, or not done after all, by a click."""

from __future__ import annotations

from typing import Any

from slack_bolt.app.async_app import AsyncApp

from handlers.slack.context import Context
from handlers.slack.interaction import Interaction
from handlers.slack.listening import on_incident
from handlers.views.blocks import Message
from phases.messages.commands import MarkItem
from phases.record.incident import Incident


def register(app: AsyncApp, ctx: Context) -> None:
    async def done(
        interaction: Interaction, incident: Incident, value: dict[str, Any]
    ) -> Message | None:
        return await interaction.told(
            MarkItem(by=interaction.user, number=_number(value)), incident.id
        )

    async def undone(
        interaction: Interaction, incident: Incident, value: dict[str, Any]
    ) -> Message | None:
        return await interaction.told(
            MarkItem(by=interaction.user, number=_number(value), done=False), incident.id
        )

    on_incident(app, ctx, "incident.item_done", done)
    on_incident(app, ctx, "incident.item_undone", undone)


def _number(value: dict[str, Any]) -> int:
    return int(value.get("item") or 0)
