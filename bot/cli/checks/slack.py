"""Slack: token, scopes, Socket Mode, and the channels that the settings name."""

from __future__ import annotations

import asyncio
import secrets
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime

from bot.cli.checks import Finding, asked, broken, works
from bot.clients.advice import REINSTALL, SLACK_TOKEN, advice
from bot.clients.slack.channels import Found
from bot.clients.slack.client import Slack
from bot.config.catalogue import Catalogue
from bot.config.settings import Settings
from bot.configured_channels import missing
from handlers.views.blocks import Message
from phases.ports.ports import PortError

SCOPES = {
    "commands": "/incident and the shortcuts",
    "chat:write": "every message",
    "chat:write.public": "announcements and the Declare button where it is no member",
    "channels:manage": "incident channels",
    "channels:join": "joining INCIDENTS_CHANNEL",
    "channels:read": "finding a channel by its name",
    "channels:history": "phrases, and posting once after a lost answer",
    "groups:write": "channels of private incidents",
    "groups:read": "private channels it was put into",
    "groups:history": "posting once in a private channel",
    "pins:write": "pinning the status",
    "bookmarks:write": "bookmarks of an incident's channel",
    "reactions:read": "messages pinned to the timeline with :pushpin:",
    "users:read": "who is a member and may deploy",
    "usergroups:read": "who the owners are",
    "im:write": "private incidents without a channel",
    "im:history": "posting once there",
}
"""Scope → what does not work without it: the manifest's, with docs/permissions.md's reasons."""
LIST_SECONDS = 120.0
"""For a list of which Slack gives so many pages a minute."""


async def slack(settings: Settings, catalogue: Catalogue, stack: AsyncExitStack) -> list[Finding]:
    del catalogue
    client = Slack(settings.slack_bot_token.get_secret_value(), settings.slack_api_url)
    await client.start()
    stack.push_async_callback(client.aclose)
    try:
        me, granted = await client.who()
    except PortError as error:
        return [broken("Slack token", f"{error.text}.", advice(error, SLACK_TOKEN))]
    found = [
        works("Slack token", f"{me.get('user', '?')} in {me.get('team', '?')}"),
        _scopes(granted),
    ]
    found.append(await _way_in(settings))
    bot = str(me.get("user") or "firebreak")
    return [*found, *await _announcement(client, settings), *await _watched(client, settings, bot)]


def _scopes(granted: frozenset[str]) -> Finding:
    lacking = [scope for scope in SCOPES if scope not in granted]
    if not lacking:
        return works("Slack scopes", f"all {len(SCOPES)} of manifest.yml")
    said = "; ".join(f"{scope} is missing ({SCOPES[scope]})" for scope in lacking)
    return broken("Slack scopes", f"{said}.", REINSTALL)


async def _way_in(settings: Settings) -> Finding:
    """How Slack's words come in. Opening a Socket Mode address does not connect."""
    if settings.slack_app_token is None:
        says = f"HTTP: Slack must reach /slack/events on port {settings.port}. The secret shows itself with the first command"
        return Finding("unproven", "Slack's way in", says)
    app = Slack(settings.slack_app_token.get_secret_value(), settings.slack_api_url)
    mend = "SLACK_APP_TOKEN: Basic Information, App-Level Tokens, with connections:write; and Socket Mode on"
    await app.start()
    try:
        answer = await asked("Slack's way in", app.call("apps.connections.open"), mend)
    finally:
        await app.aclose()
    return answer if isinstance(answer, Finding) else works("Slack's way in", "Socket Mode")


async def _announcement(client: Slack, settings: Settings) -> list[Finding]:
    """A message with metadata is posted, read back and deleted: so it is found again after a lost answer."""
    if settings.incidents_channel is None:
        return []
    what, written = "INCIDENTS_CHANNEL", settings.incidents_channel
    found = await _look(what, client, written)
    if isinstance(found, Finding):
        return [found]
    if found is None or found.archived:
        mend = "create it, or set INCIDENTS_CHANNEL to the name or id of another one; into a private one, invite the bot"
        return [broken(what, f"{missing(what, written, found)}.", mend)]
    back = await asked(what, _there_and_back(client, found.id), REINSTALL)
    if isinstance(back, Finding):
        return [back]
    if not back:
        return [
            broken(what, f"a message in #{found.name} came back without its metadata.", REINSTALL)
        ]
    return [
        works(what, f"#{found.name}: a message with metadata was posted, read back and deleted")
    ]


async def _look(what: str, client: Slack, written: str) -> Found | Finding | None:
    """As the bot looks; where Slack asks for patience, on from there when it says so."""
    ends = time.monotonic() + LIST_SECONDS
    while True:
        try:
            return await client.channels.find(written)
        except PortError as error:
            if error.retry_after is None or time.monotonic() + error.retry_after > ends:
                return broken(
                    what,
                    f"{error.text}.",
                    "run it again in a minute" if error.retryable else REINSTALL,
                )
            await asyncio.sleep(error.retry_after)


async def _there_and_back(client: Slack, channel: str) -> bool:
    await client.join(channel)
    effect, now = f"doctor-{secrets.token_hex(8)}", datetime.now(UTC)
    text = "`firebreak doctor` looks whether I can post here. This message deletes itself."
    post = {"incident": "doctor", "effect": effect, "since": now}
    ts = await client.post(channel, Message(text), **post, maybe_posted=False)
    try:
        return await client.posted(channel, effect, now, None) == ts
    finally:
        await client.call("chat.delete", channel=channel, ts=ts)


async def _watched(client: Slack, settings: Settings, bot: str) -> list[Finding]:
    """Slack tells of what is said where the bot is a member, in private channels, too."""
    what = "WATCHED_CHANNELS"
    found: list[Finding] = []
    for written in settings.watched:
        channel = await _look(what, client, written)
        if isinstance(channel, Finding):
            found.append(channel)
        elif channel is None or channel.archived:
            mend = "correct WATCHED_CHANNELS; into a private channel, invite the bot"
            found.append(broken(what, f"{missing(what, written, channel)}.", mend))
        elif not channel.member:
            says = f"#{channel.name}: the bot is not in it, and hears nothing there."
            found.append(broken(what, says, f"in #{channel.name}: /invite @{bot}"))
        else:
            found.append(works(what, f"#{channel.name}"))
    return found
