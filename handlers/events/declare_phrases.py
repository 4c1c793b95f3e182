""" "prod is down", "users are reporting …", "Sentry is firing": a Declare button in the thread. Never opens by itself.

Workflow: Auto-invocation triggers. One offer a channel in 10 minutes, never on bots' messages, not in incident channels.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_sdk.errors import SlackClientError

from handlers import deliveries
from handlers.slack import message_text, slack_text
from handlers.slack.channel_names import reference
from handlers.slack.context import Context
from handlers.views import notes

DELIVERY_SECONDS = 900  # rules: delivery claims are kept 15 minutes
OFFER_SECONDS = 600  # contract: one offer a channel in 10 minutes
KNOWN_SECONDS = 3600.0
"""So long a channel's name is not asked for again."""
_WHERE = r"(?:-[\w-]+| ?\([\w ,/-]+\)| (?:environment|env|cluster|site|website|app|apis?|db|databases?|servers?|systems?))"
"""Which part of production."""
PHRASES = re.compile(
    rf"\bprod(?:uction)?{_WHERE}?(?:'s| is| are| has| went| seems| looks| appears)?"
    r"(?: to be| gone| going| completely| totally| fully| entirely| currently| still| all)* "
    r"(?:down(?! (?:to\b|by\b|\d))|broken|on fire|burning|dead|failing)\b"
    r"|(?<!\bno )\b(?:users|customers|people|clients) (?:are |keep |have been )?(?:reporting|complaining)\b"
    r"|\bsentry(?:'s| is| has| keeps)?(?: been)? (?:on fire|firing|alerting|exploding|going (?:crazy|mad|wild|nuts|off))\b",
    re.IGNORECASE,
)

_STRUCK = re.compile(r"(?<!\w)~[^~\n]+~(?!\w)")
_MARKS = re.compile(r"(?<!\w)[*_`]+|[*_`]+(?!\w)")
"""Around words that are bold, slanted or code."""


def sounds_like_fire(text: str) -> bool:
    """Whether a message holds one of the phrases; quoted lines are somebody else's words."""
    said = "\n".join(
        line for line in text.splitlines() if not line.lstrip().startswith((">", "&gt;"))
    )
    words = _MARKS.sub("", _STRUCK.sub(" ", slack_text.spelled(said)))
    return PHRASES.search(" ".join(words.split())) is not None


def register(app: AsyncApp, ctx: Context) -> None:
    known: dict[str, tuple[float, Mapping[str, Any]]] = {}
    watched = tuple(reference(written) for written in ctx.watched)

    async def offer(body: dict[str, Any]) -> None:
        event = body["event"]
        channel, ts = str(event["channel"]), str(event["ts"])
        if not await listened(event):
            return
        for claim in deliveries.event(body):
            if not await ctx.once.first(claim, DELIVERY_SECONDS):
                return
        if any(
            i.channel and not i.channel.thread_ts
            for i in await ctx.dispatcher.find(channel=channel, open_only=False)
        ):
            return  # in an incident's own channel everybody knows
        if not await ctx.once.first(f"offer:{channel}", OFFER_SECONDS):
            return
        message = notes.offer(message_text.message_text(event), {"channel": channel})
        thread = str(event.get("thread_ts") or ts)
        await ctx.client.chat_postMessage(channel=channel, thread_ts=thread, **message.payload())

    @app.event("message")
    async def heard_message(ack: AsyncAck, body: dict[str, Any], event: dict[str, Any]) -> None:
        """https://docs.slack.dev/reference/events/message"""
        if message_text.by_person(event) and sounds_like_fire(message_text.own_words(event)):
            ctx.tasks.start(offer(body), "offer to declare")
        await ack()

    @app.event("channel_rename")
    async def renamed(ack: AsyncAck, event: dict[str, Any]) -> None:
        """https://docs.slack.dev/reference/events/channel_rename; its name is asked when it matters."""
        known.pop(str((event.get("channel") or {}).get("id", "")), None)
        await ack()

    async def listened(event: dict[str, Any]) -> bool:
        """Contract, WATCHED_CHANNELS: ids or names; none given: public channels."""
        channel, kind = str(event["channel"]), event.get("channel_type")
        if watched and any(one.id == channel for one in watched):
            return True
        if not watched and kind:
            return kind == "channel"
        about = await told_of(channel)
        if not watched:
            return not any(about.get(key) for key in ("is_private", "is_group", "is_im", "is_mpim"))
        return any(one.means(about) for one in watched)

    async def told_of(channel: str) -> Mapping[str, Any]:
        """Ask for its name, again after a while: a private channel's new name is no event that we get."""
        at, about = known.get(channel, (0.0, {}))
        if about and time.monotonic() - at < KNOWN_SECONDS:
            return about
        try:
            answer: Any = await ctx.client.conversations_info(channel=channel)
        except (SlackClientError, TimeoutError, OSError):
            if not about:
                raise
            return about  # as it was known
        known[channel] = (time.monotonic(), dict(answer.get("channel") or {}))
        return known[channel][1]
