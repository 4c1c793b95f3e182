"""The lead and the severity: a person's word wins and stays."""

from handlers.slack.interaction import Interaction
from handlers.slack.listening import on_incident
from handlers.views import notes
from handlers.views.blocks import Message
from phases.messages.commands import SetSeverity, TakeLead
from phases.record.incident import Incident, Severity


@on_incident("incident.lead")
async def lead(
    interaction: Interaction, incident: Incident, person: str | None = None
) -> Message | None:
    leads = person or interaction.user
    if person is not None and not (await interaction.ctx.people.person(person, None)).member:
        return notes.note(
            f"<@{person}> is not a full member of this workspace: no lead. Nothing was changed."
        )
    done = interaction.unless_in_channel(incident, f"{incident.id}: <@{leads}> leads.")
    return await interaction.act(TakeLead(by=interaction.user, lead=leads), incident.id, done)


async def severity(interaction: Interaction, incident: Incident, level: Severity) -> Message | None:
    done = f"{incident.id} is SEV{level.value} now; triage will not change it."
    return await interaction.act(
        SetSeverity(by=interaction.user, severity=level),
        incident.id,
        interaction.unless_in_channel(incident, done),
    )


@on_incident("incident.more")
async def menu_chosen(interaction: Interaction, incident: Incident) -> Message | None:
    """Set what was chosen in the menu of the status: a severity, or the lead."""
    level = interaction.value.get("severity")
    if level in list(Severity):
        return await severity(interaction, incident, Severity(level))
    return await lead(interaction, incident)
