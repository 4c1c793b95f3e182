"""Who leads, and how bad it is: a person's word wins and stays."""

from __future__ import annotations

from typing import Any

from slack_bolt.app.async_app import AsyncApp

from handlers.slack.context import Kit
from handlers.slack.interaction import Turn
from handlers.slack.listening import on_incident
from handlers.views import notes
from handlers.views.blocks import Message
from phases.messages.commands import SetSeverity, TakeLead
from phases.record.incident import Incident, Severity


async def lead(turn: Turn, incident: Incident, person: str | None) -> Message | None:
    leads = person or turn.user
    if person is not None and not (await turn.kit.people.person(person, None)).member:
        return notes.note(f"<@{person}> is no full member of this workspace and cannot lead. Nothing was changed.")
    done = turn.elsewhere(incident, f"{incident.id}: <@{leads}> leads.")
    return await turn.told(TakeLead(by=turn.user, lead=leads), incident.id, done)


async def severity(turn: Turn, incident: Incident, level: Severity) -> Message | None:
    said = SetSeverity(by=turn.user, severity=level)
    done = turn.elsewhere(incident, f"{incident.id} is SEV{level.value} now; triage will not change it.")
    return await turn.told(said, incident.id, done)


def register(app: AsyncApp, kit: Kit) -> None:
    async def clicked(turn: Turn, incident: Incident, value: dict[str, Any]) -> Message | None:
        del value
        return await lead(turn, incident, None)

    async def chosen(turn: Turn, incident: Incident, value: dict[str, Any]) -> Message | None:
        """From the menu of the status: a severity, or the lead."""
        level = value.get("severity")
        if level in [one.value for one in Severity]:
            return await severity(turn, incident, Severity(level))
        return await lead(turn, incident, None)

    on_incident(app, kit, "incident.lead", clicked)
    on_incident(app, kit, "incident.more", chosen)
