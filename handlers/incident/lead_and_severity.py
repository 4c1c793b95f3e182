"""Who leads, and how bad it is: a person's word wins and stays."""

from __future__ import annotations

from typing import Any

from slack_bolt.app.async_app import AsyncApp

from handlers.slack.context import Context
from handlers.slack.interaction import Interaction
from handlers.slack.listening import on_incident
from handlers.views import notes
from handlers.views.blocks import Message
from phases.messages.commands import SetSeverity, TakeLead
from phases.record.incident import Incident, Severity


async def lead(interaction: Interaction, incident: Incident, person: str | None) -> Message | None:
    leads = person or interaction.user
    if person is not None and not (await interaction.ctx.people.person(person, None)).member:
        return notes.note(
            f"<@{person}> is no full member of this workspace and cannot lead. Nothing was changed."
        )
    done = interaction.elsewhere(incident, f"{incident.id}: <@{leads}> leads.")
    return await interaction.told(TakeLead(by=interaction.user, lead=leads), incident.id, done)


async def severity(interaction: Interaction, incident: Incident, level: Severity) -> Message | None:
    said = SetSeverity(by=interaction.user, severity=level)
    done = interaction.elsewhere(
        incident, f"{incident.id} is SEV{level.value} now; triage will not change it."
    )
    return await interaction.told(said, incident.id, done)


def register(app: AsyncApp, ctx: Context) -> None:
    async def clicked(
        interaction: Interaction, incident: Incident, value: dict[str, Any]
    ) -> Message | None:
        del value
        return await lead(interaction, incident, None)

    async def chosen(
        interaction: Interaction, incident: Incident, value: dict[str, Any]
    ) -> Message | None:
        """From the menu of the status: a severity, or the lead."""
        level = value.get("severity")
        if level in [one.value for one in Severity]:
            return await severity(interaction, incident, Severity(level))
        return await lead(interaction, incident, None)

    on_incident(app, ctx, "incident.lead", clicked)
    on_incident(app, ctx, "incident.more", chosen)
