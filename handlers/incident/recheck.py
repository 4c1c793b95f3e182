"""Checking again when a person wants it; and a person's word where the numbers cannot tell."""

from functools import partial

from handlers.slack.interaction import Interaction
from handlers.slack.listening import on_incident
from handlers.views.blocks import Message
from phases.messages.commands import ConfirmRecovery, RecheckNow, TryAgain
from phases.record.incident import Incident


@on_incident("incident.recheck")
async def recheck(interaction: Interaction, incident: Incident) -> Message | None:
    done = f"{incident.id}: I look at Sentry and the endpoint now; the answer comes in the channel."
    return await interaction.act(RecheckNow(by=interaction.user), incident.id, done)


async def recovery_confirmed(
    interaction: Interaction, incident: Incident, *, recovered: bool
) -> Message | None:
    action = ConfirmRecovery(by=interaction.user, round=interaction.round, recovered=recovered)
    return await interaction.act(action, incident.id)


on_incident("incident.recovered")(partial(recovery_confirmed, recovered=True))
on_incident("incident.not_recovered")(partial(recovery_confirmed, recovered=False))


@on_incident("incident.try_again")
async def try_again(interaction: Interaction, incident: Incident) -> Message | None:
    """Do an effect again that failed."""
    action = TryAgain(by=interaction.user, effect_id=interaction.clicked("effect"))
    return await interaction.act(action, incident.id)
