"""Merging two incidents, reopening one, and a channel that was archived."""

from __future__ import annotations

from typing import Any

from handlers import deliveries
from handlers.dispatcher import Delivery, Recorded
from handlers.slack.context import Context
from handlers.slack.interaction import GONE, Interaction, reply
from handlers.slack.listening import listens, on_click, on_incident
from handlers.views import merge_and_reopen, notes
from handlers.views.blocks import Message
from phases.messages.commands import MergeDuplicate, Reopen
from phases.messages.results import ChannelArchived
from phases.record.incident import Incident
from phases.shared.change import Refused


async def merge(interaction: Interaction, first: Incident, second: str) -> Message:
    """Ask which one goes on: nothing is merged by a slip."""
    if not second:
        return notes.note(
            f"Which incident is the same as {first.id}? Give its id: `/incident merge INC-…`"
        )
    other = await interaction.find(second)
    if other is None:
        return notes.note(GONE.format(id=second))
    if other.id == first.id:
        return notes.note(f"{first.id} cannot be its own duplicate.")
    return merge_and_reopen.which_goes_on(first, other)


@on_click("incident.merge", "incident.merge_other", replace=True)
async def merge_clicked(interaction: Interaction, value: dict[str, Any]) -> Message | None:
    return await _merge(interaction, str(value.get("keep", "")), str(value.get("end", "")))


@on_click("incident.merge_into", replace=True)
async def merge_into_clicked(interaction: Interaction, value: dict[str, Any]) -> Message | None:
    return await _merge(interaction, str(value.get("of", "")), str(value.get("incident", "")))


async def _merge(interaction: Interaction, kept: str, duplicate: str) -> Message | None:
    for id in (kept, duplicate):
        if await interaction.find(id) is None:
            return notes.note(GONE.format(id=id))
    action = MergeDuplicate(by=interaction.user, duplicate=duplicate)
    answer = await interaction.dispatch(action, kept)
    where = ""
    if isinstance(answer, Recorded) and answer.incident.channel is not None:
        where = f" It goes on in <#{answer.incident.channel.id}>."
    return reply(answer, f"{duplicate} is a duplicate of {kept} now.{where}")


async def reopen(
    interaction: Interaction, incident: Incident, beside: str | None = None
) -> Message | None:
    answer = await interaction.dispatch(Reopen(by=interaction.user, beside=beside), incident.id)
    if isinstance(answer, Refused) and answer.code == "taken" and answer.owner:
        owner = await interaction.ctx.dispatcher.load(answer.owner)
        if owner is not None and await interaction.may_see(owner):
            return merge_and_reopen.reopen_beside(incident, owner)
    done = f"{incident.id} is open again."
    if incident.channel_archived:
        done += (
            " Its channel was archived, and no bot can unarchive it: "
            "a new one is being created, and you will be invited."
        )
    elif incident.channel is not None:
        done += f" It goes on in <#{incident.channel.id}>."
    return reply(answer, done)


@on_incident("incident.reopen")
async def reopen_clicked(
    interaction: Interaction, incident: Incident, value: dict[str, Any]
) -> Message | None:
    beside = await interaction.find(str(value.get("of") or ""))
    return await reopen(interaction, incident, beside.id if beside else None)


@listens("event", "channel_archive")
async def channel_archived(ctx: Context, body: dict[str, Any]) -> None:
    """https://docs.slack.dev/reference/events/channel_archive"""
    if body["event"].get("user") != ctx.me:
        ctx.tasks.start(_archived(ctx, body), "a channel was archived")


async def _archived(ctx: Context, body: dict[str, Any]) -> None:
    event = body["event"]
    channel = str(event.get("channel", ""))
    action = ChannelArchived(channel=channel, by=str(event.get("user") or "") or None)
    for incident in await ctx.dispatcher.find(channel=channel, open_only=False):
        if incident.channel is not None and incident.channel.thread_ts is None:
            delivery = Delivery(deliveries.event(body))
            await ctx.dispatcher.dispatch(action, incident.id, delivery)
