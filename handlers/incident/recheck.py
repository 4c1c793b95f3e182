"""Checking again when a person wants it; and a person's word where the numbers cannot tell."""

from __future__ import annotations

from functools import partial
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


async def recovery_confirmed(
    interaction: Interaction, incident: Incident, value: dict[str, Any], *, recovered: bool
) -> Message | None:
    number = int(value.get("round") or 0)
    action = ConfirmRecovery(by=interaction.user, round=number, recovered=recovered)
    return await interaction.act(action, incident.id)


on_incident("incident.recovered")(partial(recovery_confirmed, recovered=True))
on_incident("incident.not_recovered")(partial(recovery_confirmed, recovered=False))


@on_incident("incident.try_again")
async def try_again(
    interaction: Interaction, incident: Incident, value: dict[str, Any]
) -> Message | None:
    """Do an effect again that failed."""
    action = TryAgain(by=interaction.user, effect_id=str(value.get("effect", "")))
    return await interaction.act(action, incident.id)
