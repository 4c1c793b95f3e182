"""Phrases such as "prod is down" and "Sentry is firing": a Declare button in the thread.

Workflow: Auto-invocation triggers. Nothing opens by itself. There is one offer a channel in 10
minutes, none on the messages of bots, and none in the channels of incidents.
"""

import re
from typing import Any

from handlers.slack import message_text
from handlers.slack.channel_names import reference
from handlers.slack.context import Context
from handlers.slack.listening import first_delivery, listens
from handlers.views import notes
from phases.record.incident import Incident
from phases.text.letters import spelled

OFFER_SECONDS = 600  # contract: one offer a channel in 10 minutes
INCIDENTS_NAMED = 3
"""Incidents that the offer names at most: a reader sees at a glance whether it is one of them."""
_WHERE = (
    r"(?:-[\w-]+| ?\([\w ,/-]+\)"
    r"| (?:environment|env|cluster|site|website|app|apis?|db|databases?|servers?|systems?))"
)
"""A part of production."""
PHRASES = re.compile(
    rf"\bprod(?:uction)?{_WHERE}?(?:'s| is| are| has| went| seems| looks| appears)?"
    r"(?: to be| gone| going| completely| totally| fully| entirely| currently| still| all)* "
    r"(?:down(?! (?:to\b|by\b|\d))|broken|on fire|burning|dead|failing)\b"
    r"|(?<!\bno )\b(?:users|customers|people|clients) (?:are |keep |have been )?"
    r"(?:reporting|complaining)\b"
    r"|\bsentry(?:'s| is| has| keeps)?(?: been)? "
    r"(?:on fire|firing|alerting|exploding|going (?:crazy|mad|wild|nuts|off))\b",
    re.IGNORECASE,
)

_STRUCK = re.compile(r"(?<!\w)~[^~\n]+~(?!\w)")
_MARKS = re.compile(r"(?<!\w)[*_`]+|[*_`]+(?!\w)")
"""Marks around words that are bold, slanted or code."""


def sounds_like_fire(text: str) -> bool:
    """Return whether a message holds one of the phrases. Quoted lines are somebody else's words."""
    own = (line for line in text.splitlines() if not line.lstrip().startswith((">", "&gt;")))
    words = _MARKS.sub("", _STRUCK.sub(" ", spelled("\n".join(own))))
    return PHRASES.search(" ".join(words.split())) is not None


@listens("event", "message")
async def message_posted(ctx: Context, body: dict[str, Any]) -> None:
    """https://docs.slack.dev/reference/events/message"""
    event = body["event"]
    if message_text.by_person(event) and sounds_like_fire(message_text.own_words(event)):
        ctx.tasks.start(_offer(ctx, body), "offer to declare")


async def _offer(ctx: Context, body: dict[str, Any]) -> None:
    event = body["event"]
    channel, ts = str(event["channel"]), str(event["ts"])
    if not await _is_watched(ctx, event) or not await first_delivery(ctx, body):
        return
    incidents = await ctx.dispatcher.find(channel=channel, open_only=False)
    if any(incident.own_channel is not None for incident in incidents):
        return  # in an incident's own channel everybody knows
    if not await ctx.once.first(f"offer:{channel}", OFFER_SECONDS):
        return
    ask = {"channel": channel, "link": ctx.me.link(channel, event)}
    # Another company reads along in a shared channel.
    # https://docs.slack.dev/apis/slack-connect/using-slack-connect-with-apps
    burning = [] if body.get("is_ext_shared_channel") else await _burning(ctx)
    message = notes.offer(message_text.message_text(event), ask, burning)
    thread = str(event.get("thread_ts") or ts)
    await ctx.client.chat_postMessage(channel=channel, thread_ts=thread, **message.payload())


async def _burning(ctx: Context) -> list[Incident]:
    """Return the newest public incidents from which users have not recovered."""
    newest = [
        short_record.id
        for short_record in await ctx.dispatcher.short_records("open")
        if not short_record.private
    ]
    burning = [
        incident
        for incident in await ctx.dispatcher.records(newest[: notes.LISTED])
        if incident.open and incident.recovered_at is None and not incident.drill
    ]
    return burning[:INCIDENTS_NAMED]


async def _is_watched(ctx: Context, event: dict[str, Any]) -> bool:
    """Return whether WATCHED_CHANNELS names the channel; without the setting, whether it is public.

    The channel is asked for each time, as it may have been renamed, or its kind is not told.
    """
    channel, kind = str(event["channel"]), event.get("channel_type")
    watched = [reference(written) for written in ctx.watched]
    if any(setting.id == channel for setting in watched):
        return True
    if not watched and kind:
        return kind == "channel"
    answer: Any = await ctx.client.conversations_info(channel=channel)
    info = answer.get("channel") or {}
    if not watched:
        return not any(info.get(key) for key in ("is_private", "is_group", "is_im", "is_mpim"))
    return any(setting.means(info) for setting in watched)
