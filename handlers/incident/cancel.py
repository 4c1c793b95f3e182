"""A false alarm or a duplicate: ends the incident with a reason and a name."""

from __future__ import annotations

from typing import Any

from slack_bolt.app.async_app import AsyncApp

from handlers.slack import slack_text
from handlers.slack.context import Kit
from handlers.slack.interaction import Turn
from handlers.slack.listening import Errors, after, on_incident, on_submit
from handlers.views import forms, notes
from handlers.views.blocks import Message, View
from phases.messages.commands import Cancel
from phases.record.incident import Incident
from phases.steps.rounds import ended


def ask(turn: Turn, incident: Incident, reason: str = "") -> Message | None:
    if (refused := ended(incident)) is not None:
        return notes.note(refused.text)
    turn.open(forms.cancel(incident, reason))
    return None


async def cancel(turn: Turn, incident: Incident, reason: str) -> Message | None:
    if not reason:
        return ask(turn, incident)
    done = turn.elsewhere(incident, f"{incident.id} is cancelled.")
    return await turn.told(Cancel(by=turn.user, reason=reason), incident.id, done)


def register(app: AsyncApp, kit: Kit) -> None:
    async def clicked(turn: Turn, incident: Incident, value: dict[str, Any]) -> Message | None:
        del value
        return await cancel(turn, incident, "")

    async def submitted(turn: Turn, meta: dict[str, Any], entered: dict[str, str]) -> View | Errors | None:
        action = Cancel(by=turn.user, reason=slack_text.typed(entered.get("reason", "")))
        return after(await turn.say(action, str(meta.get("incident", ""))), "Cancel the incident", "reason")

    on_incident(app, kit, "incident.cancel", clicked)
    on_submit(app, kit, "incident.cancel", submitted)
