"""Resolving: refused with what is missing, until cause, recovery and post-mortem are there."""

from handlers.slack.interaction import Interaction, reply
from handlers.slack.listening import on_incident
from handlers.views import notes
from handlers.views.blocks import Message
from phases.messages.commands import Resolve
from phases.record.incident import Incident
from phases.shared.change import Refused


@on_incident("incident.resolve")
async def resolve(interaction: Interaction, incident: Incident) -> Message | None:
    answer = await interaction.dispatch(Resolve(by=interaction.user), incident.id)
    if isinstance(answer, Refused) and answer.code == "missing":
        return notes.lacking(incident, answer.text)
    return reply(answer, f"{incident.id} is resolved.")
