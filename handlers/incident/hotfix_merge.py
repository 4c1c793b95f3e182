"""Open ends of a deploy: a hotfix that is not merged, and a rollback whose cause is not fixed.

A hotfix is merged by those who may deploy, or said to be merged where nobody can check it.
"""

from handlers.incident.decide import not_allowed
from handlers.slack.interaction import Interaction
from handlers.slack.listening import on_incident
from handlers.views import notes
from handlers.views.blocks import Message
from phases.messages.commands import CauseFixed, HotfixIsIn, MergeHotfix
from phases.record.incident import Incident


@on_incident("incident.merge_hotfix")
async def merge_clicked(interaction: Interaction, incident: Incident) -> Message | None:
    service = interaction.ctx.service(incident)
    if (refused := await not_allowed(interaction, service, "merge its hotfixes")) is not None:
        return notes.note(refused.text)
    action = MergeHotfix(by=interaction.user, round=interaction.round)
    return await interaction.act(action, incident.id)


@on_incident("incident.hotfix_merged")
async def merged_clicked(interaction: Interaction, incident: Incident) -> Message | None:
    action = HotfixIsIn(by=interaction.user, round=interaction.round)
    return await interaction.act(action, incident.id)


@on_incident("incident.cause_fixed")
async def cause_fixed_clicked(interaction: Interaction, incident: Incident) -> Message | None:
    service, what = interaction.ctx.service(incident), "say that its deploys are free"
    if (refused := await not_allowed(interaction, service, what)) is not None:
        return notes.note(refused.text)
    return await interaction.act(CauseFixed(by=interaction.user), incident.id)
