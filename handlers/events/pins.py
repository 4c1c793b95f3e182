"""`:pushpin:` on a message of an incident's channel: it goes into the timeline, follows its edits, and can be taken back."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck

from handlers import deliveries
from handlers.dispatcher import Delivery, StoreUnavailable, Unknown
from handlers.slack.context import Context
from handlers.slack.interaction import STRANGER
from phases.coordination.pinned_messages import PUSHPIN
from phases.messages.commands import MessageTouched
from phases.record.incident import Incident

log = logging.getLogger(__name__)

CHANGED = ("message_changed", "message_deleted")


def register(app: AsyncApp, ctx: Context) -> None:
    """Before the phrases, which take every message that is left."""

    @app.event("reaction_added")
    async def added(ack: AsyncAck, body: dict[str, Any], event: dict[str, Any]) -> None:
        """https://docs.slack.dev/reference/events/reaction_added"""
        channel, ts = _pinned(event)
        if ts and (incidents := await _here(ctx, channel)):
            person = await ctx.people.person(str(event.get("user", "")), None)
            if person.member:
                await _touched(
                    ctx,
                    incidents,
                    body,
                    MessageTouched(ts=ts, seen=str(event["event_ts"]), pinned=True),
                )
            else:
                log.info(
                    "refused: no full member of this workspace",
                    extra={"person": person.id, "doing": PUSHPIN},
                )
                refusal = ctx.client.chat_postEphemeral(
                    channel=channel, user=person.id, text=STRANGER
                )
                ctx.tasks.start(refusal, "refuse a stranger's pin")
        await ack()

    @app.event("reaction_removed")
    async def removed(ack: AsyncAck, body: dict[str, Any], event: dict[str, Any]) -> None:
        """https://docs.slack.dev/reference/events/reaction_removed"""
        channel, ts = _pinned(event)
        if ts:
            incidents = [one for one in await _here(ctx, channel) if ts in one.pins]
            await _touched(ctx, incidents, body, MessageTouched(ts=ts, seen=str(event["event_ts"])))
        await ack()

    @app.event({"type": "message", "subtype": CHANGED})
    async def changed(ack: AsyncAck, body: dict[str, Any], event: dict[str, Any]) -> None:
        """https://docs.slack.dev/reference/events/message/message_changed; what a bot says is kept as it was pinned."""
        message = event.get("message") or event.get("previous_message") or {}
        ts = str(event.get("deleted_ts") or message.get("ts") or "")
        if ts and not (message.get("bot_id") and "message" in event):
            incidents = [
                one for one in await _here(ctx, str(event.get("channel", ""))) if ts in one.pins
            ]
            seen = str(event.get("event_ts") or event.get("ts"))
            await _touched(ctx, incidents, body, MessageTouched(ts=ts, seen=seen))
        await ack()


def _pinned(event: Mapping[str, Any]) -> tuple[str, str]:
    """Channel and `ts` of the message that was pinned; empty for every other reaction."""
    item = event.get("item") or {}
    if event.get("reaction") != PUSHPIN or item.get("type") != "message":
        return "", ""
    return str(item.get("channel", "")), str(item.get("ts", ""))


async def _here(ctx: Context, channel: str) -> list[Incident]:
    """The incidents of this channel: its own, or the open ones that run in its threads."""
    found = await ctx.dispatcher.find(channel=channel, open_only=False)
    own = [one for one in found if one.channel is not None and one.channel.thread_ts is None]
    if own:
        return [next((one for one in own if one.open), own[0])]
    return [one for one in found if one.open]


async def _touched(
    ctx: Context, incidents: list[Incident], body: Mapping[str, Any], action: MessageTouched
) -> None:
    """Raises `StoreUnavailable` where it may not be recorded: Slack tells of it again."""
    trigger = Delivery(deliveries.event(body))
    for incident in incidents:
        each = deliveries.part(trigger, incident.id)
        if isinstance(answer := await ctx.dispatcher.dispatch(action, incident.id, each), Unknown):
            raise StoreUnavailable(answer.text)
