"""What a deploy leaves open: a hotfix's pull request is merged by a click of those who may deploy, or said to be merged where nobody can
check it; after a rollback somebody says that its cause is fixed."""

from __future__ import annotations

from typing import Any

from slack_bolt.app.async_app import AsyncApp

from handlers.incident.decide import not_allowed
from handlers.slack.context import Context
from handlers.slack.interaction import Interaction
from handlers.slack.listening import on_incident
from handlers.views import notes
from handlers.views.blocks import Message
from phases.messages.commands import CauseFixed, HotfixIsIn, MergeHotfix
from phases.record.incident import Incident


def register(app: AsyncApp, ctx: Context) -> None:
    async def merge(
        interaction: Interaction, incident: Incident, value: dict[str, Any]
    ) -> Message | None:
        if (
            refused := await not_allowed(
                interaction, interaction.ctx.service(incident), "merge its hotfixes"
            )
        ) is not None:
            return notes.note(refused.text)
        return await interaction.told(
            MergeHotfix(by=interaction.user, round=int(value.get("round") or 0)), incident.id
        )

    async def merged(
        interaction: Interaction, incident: Incident, value: dict[str, Any]
    ) -> Message | None:
        return await interaction.told(
            HotfixIsIn(by=interaction.user, round=int(value.get("round") or 0)), incident.id
        )

    async def fixed(
        interaction: Interaction, incident: Incident, value: dict[str, Any]
    ) -> Message | None:
        del value
        if (
            refused := await not_allowed(
                interaction, interaction.ctx.service(incident), "say that its deploys are free"
            )
        ) is not None:
            return notes.note(refused.text)
        return await interaction.told(CauseFixed(by=interaction.user), incident.id)

    on_incident(app, ctx, "incident.cause_fixed", fixed)
    on_incident(app, ctx, "incident.merge_hotfix", merge)
    on_incident(app, ctx, "incident.hotfix_merged", merged)
