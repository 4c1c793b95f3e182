"""The pull request of a hotfix that runs: merged by a click of those who may deploy, or said to be merged where nobody can check it."""

from __future__ import annotations

from typing import Any

from slack_bolt.app.async_app import AsyncApp

from handlers.decide import not_allowed
from handlers.kit import Kit
from handlers.turn import Turn, on_incident
from handlers.views import says
from handlers.views.blocks import Message
from phases.actions import HotfixIsIn, MergeHotfix
from phases.incident import Incident


def register(app: AsyncApp, kit: Kit) -> None:
    async def merge(turn: Turn, incident: Incident, value: dict[str, Any]) -> Message | None:
        if (refused := await not_allowed(turn, turn.kit.service(incident), "merge its hotfixes")) is not None:
            return says.note(refused.text)
        return await turn.told(MergeHotfix(by=turn.user, round=int(value.get("round") or 0)), incident.id)

    async def merged(turn: Turn, incident: Incident, value: dict[str, Any]) -> Message | None:
        return await turn.told(HotfixIsIn(by=turn.user, round=int(value.get("round") or 0)), incident.id)

    on_incident(app, kit, "incident.merge_hotfix", merge)
    on_incident(app, kit, "incident.hotfix_merged", merged)
