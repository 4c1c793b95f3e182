"""The fields of a declaration that a message, or a link alone, already fills.

Nothing of it is decided: it stands in the form, where a person looks at it and presses *Declare*.
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from slack_sdk.errors import SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from handlers.incident.issue_links import Adopted, adopt, service_named
from handlers.slack import slack_text
from handlers.slack.context import Context
from handlers.slack.message_text import message_text
from handlers.views.forms import Prefill
from phases.ports.ports import Catalogue
from phases.record.incident import Severity
from phases.record.service import Service
from phases.text.letters import spelled
from phases.text.wording import short

READ_SECONDS = 0.8
"""Of the 3 s for which a form can be opened."""

_LINK = re.compile(r"https?://\S+", re.IGNORECASE)
_LEVEL = re.compile(r"(?<![\w.-])(?:sev(?:erity)?[-_ :=#]{0,2}|P)([0-5])(?![\w-]|[.,:]\d)", re.I)
_WORD = re.compile(
    r"\b(?:severity|priority|urgency)\b[\W_]{1,6}"
    r"(critical|emergency|highest|high|major|error|medium|moderate|warning|warn|minor|lowest|low"
    r"|informational|info|notice|none)\b",
    re.IGNORECASE,
)
_LEVELS = {
    **dict.fromkeys(("critical", "emergency", "highest"), Severity.SEV1),
    **dict.fromkeys(("high", "major", "error"), Severity.SEV2),
    **dict.fromkeys(("medium", "moderate", "warning", "warn", "minor"), Severity.SEV3),
    **dict.fromkeys(("lowest", "low", "informational", "info", "notice", "none"), Severity.SEV4),
}
"""Words of alerts: https://prometheus.io/docs/practices/alerting/ and PagerDuty's severities,
https://developer.pagerduty.com/docs/pd-cef, beside Opsgenie's and Datadog's P1 to P5."""
_LABELS = ("service", "service_name", "app", "application", "job")
"""Labels that name a service, the surest first."""
_LABEL = re.compile(
    rf"\b({'|'.join(_LABELS)})\b[ \t*_`\"']*[:=][ \t*_`\"']*([\w.-]{{1,100}})", re.IGNORECASE
)
# https://docs.slack.dev/reference/methods/chat.getPermalink
_MESSAGE = re.compile(
    r"https?://(?P<host>[\w.:-]+)/archives/(?P<channel>[CGD][A-Z0-9]{2,20})"
    r"/p(?P<seconds>\d{10})(?P<micros>\d{6})(?:\?\S*)?"
)


def severity_named(text: str) -> Severity | None:
    """Return the severity that a text names; None where it names none, or several."""
    words = _LINK.sub(" ", spelled(text))
    levels = {min(max(int(number), 1), 4) for number in _LEVEL.findall(words)}
    if not levels:
        levels = {_LEVELS[word.casefold()].value for word in _WORD.findall(words)}
    return Severity(levels.pop()) if len(levels) == 1 else None


def only_links(text: str) -> bool:
    return bool(text.strip()) and not _LINK.sub("", text).strip(" \t\n<>()[],.;")


def labelled_service(text: str, catalogue: Catalogue) -> Service | None:
    """Return the service of a label, as alerts write it: `service = checkout`."""
    labels = [(label.casefold(), name) for label, name in _LABEL.findall(spelled(text))]
    for label in _LABELS:
        known = (catalogue.get(name) for of, name in labels if of == label)
        named = {service.name: service for service in known if service is not None}
        if named:
            return next(iter(named.values())) if len(named) == 1 else None
    return None


async def prefilled(ctx: Context, text: str, adopted: Adopted | None = None) -> Prefill:
    """Return what the text says. Sentry is asked where words alone name no service or title."""
    title, catalogue = slack_text.title(text), ctx.catalogue
    # An alert's headline names the service; below it there may be neighbours, too.
    service = (
        service_named(title, catalogue)
        or labelled_service(text, catalogue)
        or service_named(text, catalogue)
    )
    bare = only_links(title)
    if adopted is None and (service is None or bare):
        adopted = await adopt(text, catalogue, ctx.tracker, titles=bare)
    if service is None and adopted is not None:
        service = service_named(text, catalogue, adopted)
    if bare:
        more = next(
            (line for line in text.splitlines() if line.strip() and not only_links(line)), ""
        )
        title = (adopted.title if adopted is not None else "") or slack_text.title(more)
    return Prefill(
        title=title,
        description=short(text, slack_text.DESCRIPTION) if text.strip() != title else "",
        service=service,
        severity=severity_named(text),
    )


async def linked_message(ctx: Context, text: str) -> str | None:
    """Return the words of the Slack message to which the text is a link, and nothing else.

    None where it is no such link, or where the message is not for everybody to read: only those of
    this workspace's public channels are.
    """
    link = _MESSAGE.fullmatch(text.strip().strip("<>"))
    if link is None or link["host"] != urlsplit(ctx.me.url).netloc:
        return None
    try:
        async with asyncio.timeout(READ_SECONDS):
            message = await _read_message(
                ctx.client, link["channel"], f"{link['seconds']}.{link['micros']}"
            )
    except (TimeoutError, SlackClientError):
        return None
    return message_text(message) if message is not None else None


async def _read_message(client: AsyncWebClient, channel: str, ts: str) -> Mapping[str, Any] | None:
    """https://docs.slack.dev/messaging/retrieving-messages#individual_messages"""
    info: Any = await client.conversations_info(channel=channel)
    room = info.get("channel") or {}
    hidden = ("is_private", "is_group", "is_im", "is_mpim")
    if not room.get("is_channel") or any(room.get(kind) for kind in hidden):
        return None
    answer: Any = await client.conversations_history(
        channel=channel, oldest=ts, latest=ts, inclusive=True, limit=1
    )
    messages = answer.get("messages") or []
    if not any(message.get("ts") == ts for message in messages):  # it stands in a thread
        answer = await client.conversations_replies(
            channel=channel, ts=ts, oldest=ts, latest=ts, inclusive=True, limit=1
        )
        messages = answer.get("messages") or []
    return next((message for message in messages if message.get("ts") == ts), None)
