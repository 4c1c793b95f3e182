"""Checking again: now, on a person's wish; and a person's word where the numbers cannot tell."""

from __future__ import annotations

from typing import Any

from slack_bolt.app.async_app import AsyncApp

from handlers.slack.context import Context
from handlers.slack.interaction import Interaction
from handlers.slack.listening import on_incident
from handlers.views.blocks import Message
from phases.messages.commands import ConfirmRecovery, RecheckNow, TryAgain
from phases.record.incident import Incident


async def recheck(interaction: Interaction, incident: Incident) -> Message | None:
    done = f"{incident.id}: I look at Sentry and the endpoint now; the answer comes in the channel."
    return await interaction.told(RecheckNow(by=interaction.user), incident.id, done)


def register(app: AsyncApp, ctx: Context) -> None:
    async def now(
        interaction: Interaction, incident: Incident, value: dict[str, Any]
    ) -> Message | None:
        del value
        return await recheck(interaction, incident)

    async def recovered(
        interaction: Interaction, incident: Incident, value: dict[str, Any]
    ) -> Message | None:
        number = int(value.get("round") or 0)
        return await interaction.told(
            ConfirmRecovery(by=interaction.user, round=number, recovered=True), incident.id
        )

    async def not_recovered(
        interaction: Interaction, incident: Incident, value: dict[str, Any]
    ) -> Message | None:
        number = int(value.get("round") or 0)
        return await interaction.told(
            ConfirmRecovery(by=interaction.user, round=number, recovered=False), incident.id
        )

    async def again(
        interaction: Interaction, incident: Incident, value: dict[str, Any]
    ) -> Message | None:
        """An effect that failed is done again."""
        return await interaction.told(
            TryAgain(by=interaction.user, effect_id=str(value.get("effect", ""))), incident.id
        )

    on_incident(app, ctx, "incident.recheck", now)
    on_incident(app, ctx, "incident.recovered", recovered)
    on_incident(app, ctx, "incident.not_recovered", not_recovered)
    on_incident(app, ctx, "incident.try_again", again)
