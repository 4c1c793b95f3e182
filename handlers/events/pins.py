"""Pushpins on messages of an incident's channel: the messages go into the timeline."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from handlers import deliveries
from handlers.dispatcher import Delivery, StoreUnavailable, Unknown
from handlers.slack.context import Context
from handlers.slack.interaction import STRANGER
from handlers.slack.listening import listens
from phases.coordination.pinned_messages import PUSHPIN
from phases.messages.commands import MessageTouched
from phases.record.incident import Incident

log = logging.getLogger(__name__)

NEWEST_OPEN = 20
"""So many of the open incidents may not know their channel yet: as many as Slack lets through in a
minute (docs/scaling.md)."""


@listens("event", "reaction_added")
async def reaction_added(ctx: Context, body: dict[str, Any]) -> None:
    """https://docs.slack.dev/reference/events/reaction_added"""
    event = body["event"]
    channel, ts = _pinned(event)
    incidents = await _incidents_of(ctx, channel) if ts else []
    if ts and not incidents:
        if await _a_channel_is_on_its_way(ctx):
            raise StoreUnavailable("An incident does not know its channel yet")
        incidents = await _incidents_of(ctx, channel)  # it may have been recorded meanwhile
    if not incidents:
        return
    person = await ctx.people.person(str(event.get("user", "")), None)
    if person.member:
        action = MessageTouched(ts=ts, event_ts=str(event["event_ts"]), pinned=True)
        await _dispatch(ctx, incidents, body, action)
        return
    log.info(
        "refused: not a full member of this workspace",
        extra={"person": person.id, "doing": PUSHPIN},
    )
    refusal = ctx.client.chat_postEphemeral(channel=channel, user=person.id, text=STRANGER)
    ctx.tasks.start(refusal, "refuse a stranger's pin")


@listens("event", "reaction_removed")
async def reaction_removed(ctx: Context, body: dict[str, Any]) -> None:
    """https://docs.slack.dev/reference/events/reaction_removed"""
    event = body["event"]
    channel, ts = _pinned(event)
    if ts:
        incidents = [i for i in await _incidents_of(ctx, channel) if ts in i.pins]
        action = MessageTouched(ts=ts, event_ts=str(event["event_ts"]))
        await _dispatch(ctx, incidents, body, action)


@listens("event", "message.message_changed", "message.message_deleted")
async def message_edited(ctx: Context, body: dict[str, Any]) -> None:
    """A bot's message stays in the timeline as it was pinned.

    https://docs.slack.dev/reference/events/message/message_changed
    """
    event = body["event"]
    message = event.get("message") or event.get("previous_message") or {}
    ts = str(event.get("deleted_ts") or message.get("ts") or "")
    if ts and not (message.get("bot_id") and "message" in event):
        channel = str(event.get("channel", ""))
        incidents = [i for i in await _incidents_of(ctx, channel) if ts in i.pins]
        at = str(event.get("event_ts") or event.get("ts"))
        await _dispatch(ctx, incidents, body, MessageTouched(ts=ts, event_ts=at))


def _pinned(event: Mapping[str, Any]) -> tuple[str, str]:
    """Return channel and `ts` of the message that was pinned; empty for every other reaction."""
    item = event.get("item") or {}
    if event.get("reaction") != PUSHPIN or item.get("type") != "message":
        return "", ""
    return str(item.get("channel", "")), str(item.get("ts", ""))


async def _incidents_of(ctx: Context, channel: str) -> Sequence[Incident]:
    """Return the incident whose own channel this is, or the open ones that run in its threads."""
    incidents = await ctx.dispatcher.find(channel=channel, open_only=False)
    own = [incident for incident in incidents if incident.own_channel is not None]
    if own:
        return [next((incident for incident in own if incident.open), own[0])]
    return [incident for incident in incidents if incident.open]


async def _a_channel_is_on_its_way(ctx: Context) -> bool:
    """Return whether this may be a channel that was made and is not recorded yet.

    People see it at once. Slack sends the event again, a minute later at the latest.
    """
    newest = (await ctx.dispatcher.short_records("open"))[:NEWEST_OPEN]
    incidents = await ctx.dispatcher.records(short_record.id for short_record in newest)
    return any(incident.channel is None for incident in incidents)


async def _dispatch(
    ctx: Context, incidents: Sequence[Incident], body: Mapping[str, Any], action: MessageTouched
) -> None:
    """Raises `StoreUnavailable` where it may not be recorded: Slack then sends the event again."""
    delivery = Delivery(deliveries.event(body))
    for incident in incidents:
        part = deliveries.sub_delivery(delivery, incident.id)
        answer = await ctx.dispatcher.dispatch(action, incident.id, part)
        if isinstance(answer, Unknown):
            raise StoreUnavailable(answer.text)
