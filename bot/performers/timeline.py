"""Reads a pinned message for the timeline: its words now, and if it is still pinned."""

from datetime import UTC, datetime
from typing import Any

from bot.clients.slack.client import METADATA
from bot.clients.slack.errors import SlackRefused
from bot.performers.context import EffectContext, performs
from bot.store.job import Job
from handlers.slack import slack_text
from handlers.slack.message_text import message_text
from phases.coordination.pinned_messages import PUSHPIN
from phases.messages.effects import ReadMessage
from phases.messages.results import MessageRead

PEOPLE_ASKED = 10
"""People with a pin on the message who are looked up, until one of them is a full member."""
GONE_ERRORS = frozenset(
    {"channel_not_found", "message_not_found", "thread_not_found", "not_in_channel"}
)


@performs(ReadMessage)
async def read_message(effect: ReadMessage, job: Job, context: EffectContext) -> MessageRead:
    incident = await context.incident(job)
    channel, thread = context.channel(incident)
    at = datetime.fromtimestamp(float(effect.ts), UTC)
    nothing = MessageRead(ts=effect.ts, event_ts=effect.seen, at=at)
    try:
        message = await context.slack.message(channel, effect.ts)
    except SlackRefused as refused:
        if refused.error not in GONE_ERRORS:
            raise
        return nothing
    if message is None or message.get("subtype") == "tombstone":
        return nothing
    if thread is not None and message.get("thread_ts") != thread:
        return nothing  # the incident runs in a thread, and the message stands beside it
    if not await _pinned(message, effect, context):
        return nothing
    return MessageRead(
        ts=effect.ts,
        event_ts=effect.seen,
        at=at,
        text=_message_text(message)[:2000],
        by=None if message.get("bot_id") else message.get("user"),
        url=await context.slack.permalink(channel, effect.ts),
    )


async def _pinned(message: dict[str, Any], effect: ReadMessage, context: EffectContext) -> bool:
    """Return whether a full member pins it (rules: Who may).

    Where the message does not list its reactions, Slack's event decides.
    """
    reactions = message.get("reactions")
    if reactions is None:
        return effect.pinned
    people = [
        str(person)
        for reaction in reactions
        if reaction.get("name") == PUSHPIN
        for person in reaction.get("users", [])
    ]
    for person in people[:PEOPLE_ASKED]:
        if (await context.people.person(person, None)).member:
            return True
    return False


def _message_text(message: dict[str, Any]) -> str:
    """Return its words; of our own messages the notification, because charts have no words."""
    ours = (message.get("metadata") or {}).get("event_type") == METADATA
    words = slack_text.plain(str(message.get("text") or "")) if ours else message_text(message)
    return words or "(no words)"
