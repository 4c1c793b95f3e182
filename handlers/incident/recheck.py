"""Checking again when a person wants it; and a person's word where the numbers cannot tell."""

from __future__ import annotations

from typing import Any

from handlers.slack.interaction import Interaction
from handlers.slack.listening import on_incident
from handlers.views.blocks import Message
from phases.messages.commands import ConfirmRecovery, RecheckNow, TryAgain
from phases.record.incident import Incident


async def recheck(interaction: Interaction, incident: Incident) -> Message | None:
    done = f"{incident.id}: I look at Sentry and the endpoint now; the answer comes in the channel."
    return await interaction.act(RecheckNow(by=interaction.user), incident.id, done)


@on_incident("incident.recheck")
async def recheck_clicked(
    interaction: Interaction, incident: Incident, value: dict[str, Any]
) -> Message | None:
    return await recheck(interaction, incident)


@on_incident("incident.recovered")
async def recovered(
    interaction: Interaction, incident: Incident, value: dict[str, Any]
) -> Message | None:
    return await _confirm(interaction, incident, value, recovered=True)


@on_incident("incident.not_recovered")
async def not_recovered(
    interaction: Interaction, incident: Incident, value: dict[str, Any]
) -> Message | None:
    return await _confirm(interaction, incident, value, recovered=False)


async def _confirm(
    interaction: Interaction, incident: Incident, value: dict[str, Any], *, recovered: bool
) -> Message | None:
    number = int(value.get("round") or 0)
    action = ConfirmRecovery(by=interaction.user, round=number, recovered=recovered)
    return await interaction.act(action, incident.id)


@on_incident("incident.try_again")
async def try_again(
    interaction: Interaction, incident: Incident, value: dict[str, Any]
) -> Message | None:
    """Do an effect again that failed."""
    action = TryAgain(by=interaction.user, effect_id=str(value.get("effect", "")))
    return await interaction.act(action, incident.id)
