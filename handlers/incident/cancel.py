"""A false alarm or a duplicate: ends the incident with a reason and a name."""

from __future__ import annotations

from typing import Any

from slack_bolt.app.async_app import AsyncApp

from handlers.slack import slack_text
from handlers.slack.context import Context
from handlers.slack.interaction import Interaction
from handlers.slack.listening import Errors, after, on_incident, on_submit
from handlers.views import forms, notes
from handlers.views.blocks import Message, View
from phases.messages.commands import Cancel
from phases.record.incident import Incident
from phases.steps.rounds import ended


def ask(interaction: Interaction, incident: Incident, reason: str = "") -> Message | None:
    if (refused := ended(incident)) is not None:
        return notes.note(refused.text)
    interaction.open(forms.cancel(incident, reason))
    return None


async def cancel(interaction: Interaction, incident: Incident, reason: str) -> Message | None:
    if not reason:
        return ask(interaction, incident)
    done = interaction.elsewhere(incident, f"{incident.id} is cancelled.")
    return await interaction.told(Cancel(by=interaction.user, reason=reason), incident.id, done)


def register(app: AsyncApp, ctx: Context) -> None:
    async def clicked(
        interaction: Interaction, incident: Incident, value: dict[str, Any]
    ) -> Message | None:
        del value
        return await cancel(interaction, incident, "")

    async def submitted(
        interaction: Interaction, meta: dict[str, Any], entered: dict[str, str]
    ) -> View | Errors | None:
        action = Cancel(by=interaction.user, reason=slack_text.typed(entered.get("reason", "")))
        return after(
            await interaction.dispatch(action, str(meta.get("incident", ""))),
            "Cancel the incident",
            "reason",
        )

    on_incident(app, ctx, "incident.cancel", clicked)
    on_submit(app, ctx, "incident.cancel", submitted)
