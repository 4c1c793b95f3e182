"""Two incidents that are one, an incident that is not over after all, and a channel that a person archived."""

from __future__ import annotations

from typing import Any

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck

from handlers import deliveries
from handlers.dispatcher import Delivery, Recorded
from handlers.slack.context import Context
from handlers.slack.interaction import GONE, Interaction, reply
from handlers.slack.listening import on_click, on_incident
from handlers.views import merge_and_reopen, notes
from handlers.views.blocks import Message
from phases.messages.commands import MergeDuplicate, Reopen
from phases.messages.results import ChannelArchived
from phases.record.incident import Incident
from phases.steps.change import Refused


async def merge(interaction: Interaction, first: Incident, second: str) -> Message:
    """Asks which one goes on: nothing is merged by a slip."""
    if not second:
        return notes.note(
            f"Which one is the same as {first.id}? Say its id: `/incident merge INC-…`"
        )
    other = await interaction.find(second)
    if other is None:
        return notes.note(GONE.format(id=second))
    if other.id == first.id:
        return notes.note(f"{first.id} cannot be its own duplicate.")
    return merge_and_reopen.which_goes_on(first, other)


async def reopen(
    interaction: Interaction, incident: Incident, beside: str | None = None
) -> Message | None:
    answer = await interaction.dispatch(Reopen(by=interaction.user, beside=beside), incident.id)
    if isinstance(answer, Refused) and answer.code == "taken" and answer.owner:
        owner = await interaction.ctx.dispatcher.load(answer.owner)
        if owner is not None and await interaction.sees(owner):
            return merge_and_reopen.reopen_beside(incident, owner)
    again = f"{incident.id} is open again."
    if incident.channel_archived:
        again += " Its channel was archived, and no bot can open that again: a new one is being made, you will be invited."
    elif incident.channel is not None:
        again += f" It goes on in <#{incident.channel.id}>."
    return reply(answer, again)


def register(app: AsyncApp, ctx: Context) -> None:
    async def join_up(interaction: Interaction, keep: str, gone: str) -> Message | None:
        for id in (keep, gone):
            if await interaction.find(id) is None:
                return notes.note(GONE.format(id=id))
        answer = await interaction.dispatch(
            MergeDuplicate(by=interaction.user, duplicate=gone), keep
        )
        where = ""
        if isinstance(answer, Recorded) and answer.incident.channel is not None:
            where = f" It goes on in <#{answer.incident.channel.id}>."
        return reply(answer, f"{gone} is a duplicate of {keep} now.{where}")

    async def merged(interaction: Interaction, value: dict[str, Any]) -> Message | None:
        return await join_up(interaction, str(value.get("keep", "")), str(value.get("end", "")))

    async def merged_into(interaction: Interaction, value: dict[str, Any]) -> Message | None:
        return await join_up(interaction, str(value.get("of", "")), str(value.get("incident", "")))

    async def reopened(
        interaction: Interaction, incident: Incident, value: dict[str, Any]
    ) -> Message | None:
        beside = await interaction.find(str(value.get("of") or ""))
        return await reopen(interaction, incident, beside.id if beside else None)

    on_click(app, ctx, "incident.merge", merged, replace=True)
    on_click(app, ctx, "incident.merge_other", merged, replace=True)
    on_click(app, ctx, "incident.merge_into", merged_into, replace=True)
    on_incident(app, ctx, "incident.reopen", reopened)

    async def archived(body: dict[str, Any]) -> None:
        event = body["event"]
        channel = str(event.get("channel", ""))
        action = ChannelArchived(channel=channel, by=str(event.get("user") or "") or None)
        for incident in await ctx.dispatcher.find(channel=channel, open_only=False):
            if incident.channel is not None and incident.channel.thread_ts is None:
                trigger = Delivery(deliveries.event(body))
                await ctx.dispatcher.dispatch(action, incident.id, trigger)

    @app.event("channel_archive")
    async def heard(ack: AsyncAck, body: dict[str, Any], event: dict[str, Any]) -> None:
        """https://docs.slack.dev/reference/events/channel_archive"""
        if event.get("user") != ctx.me.user:
            ctx.tasks.start(archived(body), "a channel was archived")
        await ack()
