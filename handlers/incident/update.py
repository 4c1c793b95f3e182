"""Saying what is new: to the channel, the ticket and Discord."""

from __future__ import annotations

from typing import Any

from slack_bolt.app.async_app import AsyncApp

from handlers.slack import slack_text
from handlers.slack.context import Context
from handlers.slack.interaction import Interaction
from handlers.slack.listening import Errors, after, on_incident, on_submit
from handlers.views import forms, notes
from handlers.views.blocks import Message, View
from phases.coordination.updates import SNOOZE, every, template, waits
from phases.messages.commands import PostUpdate, SnoozeUpdate
from phases.record.incident import Incident
from phases.record.wording import lasting
from phases.steps.rounds import ended


async def update(interaction: Interaction, incident: Incident, text: str) -> Message | None:
    if not text:
        if (refused := ended(incident)) is not None:
            return notes.note(refused.text)
        wanted = round(every(incident).total_seconds() / 60) if waits(incident) else None
        interaction.open(forms.update(incident, template(incident), wanted))
        return None
    done = interaction.elsewhere(incident, f"{incident.id}: your update is posted.")
    return await interaction.told(PostUpdate(by=interaction.user, text=text), incident.id, done)


def register(app: AsyncApp, ctx: Context) -> None:
    async def clicked(
        interaction: Interaction, incident: Incident, value: dict[str, Any]
    ) -> Message | None:
        del value
        return await update(interaction, incident, "")

    async def submitted(
        interaction: Interaction, meta: dict[str, Any], entered: dict[str, str]
    ) -> View | Errors | None:
        text, users, doing = (
            slack_text.typed(entered.get(name, "")) for name in ("text", "users", "doing")
        )
        minutes = int(entered["next"]) if entered.get("next", "").isdecimal() else 0
        action = PostUpdate(
            by=interaction.user, text=text, users=users, doing=doing, next_minutes=minutes or None
        )
        return after(
            await interaction.dispatch(action, str(meta.get("incident", ""))), "Post update", "text"
        )

    async def snoozed(
        interaction: Interaction, incident: Incident, value: dict[str, Any]
    ) -> Message | None:
        del value
        until = f"{incident.id}: I ask again in {lasting(SNOOZE)}."
        return await interaction.told(SnoozeUpdate(by=interaction.user), incident.id, until)

    on_incident(app, ctx, "incident.update", clicked)
    on_incident(app, ctx, "incident.snooze", snoozed)
    on_submit(app, ctx, "incident.update", submitted)
