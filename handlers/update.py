"""Saying what is new: to the channel, the ticket and Discord."""

from __future__ import annotations

from typing import Any

from slack_bolt.app.async_app import AsyncApp

from handlers import heard
from handlers.kit import Kit
from handlers.turn import Errors, Turn, after, on_incident, on_submit
from handlers.views import forms
from handlers.views.blocks import Message, View
from phases.actions import PostUpdate
from phases.incident import Incident


async def update(turn: Turn, incident: Incident, text: str) -> Message | None:
    if not text:
        turn.open(forms.update(incident))
        return None
    return await turn.told(PostUpdate(by=turn.user, text=text), incident.id, f"{incident.id}: your update is posted.")


def register(app: AsyncApp, kit: Kit) -> None:
    async def clicked(turn: Turn, incident: Incident, value: dict[str, Any]) -> Message | None:
        del value
        return await update(turn, incident, "")

    async def submitted(turn: Turn, meta: dict[str, Any], entered: dict[str, str]) -> View | Errors | None:
        action = PostUpdate(by=turn.user, text=heard.typed(entered.get("text", "")))
        return after(await turn.say(action, str(meta.get("incident", ""))), "Post update", "text")

    on_incident(app, kit, "incident.update", clicked)
    on_submit(app, kit, "incident.update", submitted)
