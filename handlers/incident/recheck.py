"""Checking again: now, on a person's wish; and a person's word where the numbers cannot tell."""

from __future__ import annotations

from typing import Any

from slack_bolt.app.async_app import AsyncApp

from handlers.slack.context import Kit
from handlers.slack.interaction import Turn
from handlers.slack.listening import on_incident
from handlers.views.blocks import Message
from phases.messages.commands import ConfirmRecovery, RecheckNow, TryAgain
from phases.record.incident import Incident


async def recheck(turn: Turn, incident: Incident) -> Message | None:
    done = f"{incident.id}: I look at Sentry and the endpoint now; the answer comes in the channel."
    return await turn.told(RecheckNow(by=turn.user), incident.id, done)


def register(app: AsyncApp, kit: Kit) -> None:
    async def now(turn: Turn, incident: Incident, value: dict[str, Any]) -> Message | None:
        del value
        return await recheck(turn, incident)

    async def recovered(turn: Turn, incident: Incident, value: dict[str, Any]) -> Message | None:
        number = int(value.get("round") or 0)
        return await turn.told(ConfirmRecovery(by=turn.user, round=number, recovered=True), incident.id)

    async def not_recovered(turn: Turn, incident: Incident, value: dict[str, Any]) -> Message | None:
        number = int(value.get("round") or 0)
        return await turn.told(ConfirmRecovery(by=turn.user, round=number, recovered=False), incident.id)

    async def again(turn: Turn, incident: Incident, value: dict[str, Any]) -> Message | None:
        """An effect that failed is done again."""
        return await turn.told(TryAgain(by=turn.user, effect_id=str(value.get("effect", ""))), incident.id)

    on_incident(app, kit, "incident.recheck", now)
    on_incident(app, kit, "incident.recovered", recovered)
    on_incident(app, kit, "incident.not_recovered", not_recovered)
    on_incident(app, kit, "incident.try_again", again)
