"""Reading what people pinned to the timeline: the message as it stands now, and whether a full member still pins it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from bot.clients.slack.client import METADATA
from bot.clients.slack.errors import SlackRefused
from bot.performers.context import EffectContext, JobLike, Performer
from handlers.slack import slack_text
from handlers.slack.message_text import message_text
from phases.coordination.pinned_messages import PUSHPIN
from phases.messages.effects import ReadMessage
from phases.messages.results import MessageRead

ASKED = 10
"""So many of those who pinned a message are looked up until one is a full member."""
GONE = frozenset({"channel_not_found", "message_not_found", "thread_not_found", "not_in_channel"})


def reading(ctx: EffectContext) -> dict[str, Performer]:
    async def read_message(effect: ReadMessage, job: JobLike) -> MessageRead:
        incident = await ctx.incident(job)
        channel, thread = ctx.channel(incident)
        at = datetime.fromtimestamp(float(effect.ts), UTC)
        nothing = MessageRead(ts=effect.ts, seen=effect.seen, at=at)
        try:
            message = await ctx.slack.message(channel, effect.ts)
        except SlackRefused as refused:
            if refused.error not in GONE:
                raise
            message = None
        if message is None or message.get("subtype") == "tombstone":
            return nothing
        if thread is not None and message.get("thread_ts") != thread:
            return nothing  # it runs in a thread, and this is said beside it
        if not await _pinned(message, effect):
            return nothing
        return MessageRead(
            ts=effect.ts,
            seen=effect.seen,
            at=at,
            text=_text(message)[:2000],
            by=None if message.get("bot_id") else message.get("user"),
            url=await ctx.slack.permalink(channel, effect.ts),
        )

    async def _pinned(message: dict[str, Any], effect: ReadMessage) -> bool:
        """Whether a full member pins it (rules: Who may). A message that does not say who reacted is as Slack told it."""
        reactions = message.get("reactions")
        if reactions is None:
            return effect.pinned
        people = [
            who for one in reactions if one.get("name") == PUSHPIN for who in one.get("users", [])
        ]
        for who in people[:ASKED]:
            if (await ctx.people.person(str(who), None)).member:
                return True
        return False

    return {"message.read": read_message}


def _text(message: dict[str, Any]) -> str:
    """What it says; of our own, whose charts and buttons are no words, the line for notifications."""
    ours = (message.get("metadata") or {}).get("event_type") == METADATA
    said = slack_text.plain(str(message.get("text") or "")) if ours else message_text(message)
    return said or "(no words)"
