"""Looking: how one incident stands, which are open, what happened, what can be typed. Nothing is changed."""

from __future__ import annotations

from typing import Any

from slack_bolt.app.async_app import AsyncApp

from handlers import views
from handlers.slack.context import Context
from handlers.slack.interaction import Interaction
from handlers.slack.listening import on_click
from handlers.views import notes
from handlers.views.blocks import Message
from handlers.views.timeline import timeline as show_timeline
from phases.postmortem.proofs import proofs
from phases.record.incident import Incident


async def status(interaction: Interaction, incident: Incident) -> Message:
    """The pinned message, with the six proofs under it."""
    shown = views.status(incident, interaction.ctx.now(), interaction.ctx.service(incident))
    return notes.with_proofs(shown, proofs(incident))


async def listing(interaction: Interaction) -> Message:
    return views.listing(await interaction.seen(await interaction.ctx.dispatcher.find()))


async def timeline(
    interaction: Interaction, incident: Incident, until: int | None = None
) -> Message:
    return show_timeline(
        incident, await interaction.ctx.dispatcher.timeline(incident.id), until=until
    )


def register(app: AsyncApp, ctx: Context) -> None:
    async def another_page(interaction: Interaction, value: dict[str, Any]) -> Message | None:
        incident = await interaction.find(str(value.get("incident", "")))
        if incident is None:
            return notes.note("That incident is not there any more.")
        return await timeline(interaction, incident, int(value.get("until") or 0))

    for action_id in ("incident.timeline", "incident.timeline_newer"):
        on_click(app, ctx, action_id, another_page, replace=True)
