"""Slack: token, scopes, Socket Mode, and the channels that the settings name."""

import asyncio
import secrets
import time
from contextlib import aclosing
from datetime import UTC, datetime

from bot.cli.checks import Finding, asked, broken, check, unproven, works
from bot.clients.advice import REINSTALL, SLACK_TOKEN
from bot.clients.slack.channels import Found
from bot.clients.slack.client import MessageKey, Slack
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
"""The most for a list of which Slack gives only so many pages a minute."""


async def slack(settings: Settings, client: Slack) -> list[Finding]:
    answer = await asked("Slack token", client.token_scopes(), SLACK_TOKEN)
    if isinstance(answer, Finding):
        return [answer]
    me, granted = answer
    bot = str(me.get("user") or "firebreak")
    return [
        works("Slack token", f"{me.get('user', '?')} in {me.get('team', '?')}"),
        _scopes(granted),
        await _way_in(settings),
        *await _announcement(client, settings),
        *[await _watched(client, name, bot) for name in settings.watched],
    ]


def _scopes(granted: frozenset[str]) -> Finding:
    lacking = [scope for scope in SCOPES if scope not in granted]
    if not lacking:
        return works("Slack scopes", f"all {len(SCOPES)} of manifest.yml")
    says = "; ".join(f"{scope} is missing ({SCOPES[scope]})" for scope in lacking)
    return broken("Slack scopes", f"{says}.", REINSTALL)


async def _way_in(settings: Settings) -> Finding:
    """Check how commands and events come in. Opening a Socket Mode address does not connect."""
    what = "Slack's way in"
    if settings.slack_app_token is None:
        says = (
            f"HTTP: Slack must reach /slack/events on port {settings.port}. "
            "The secret shows itself with the first command"
        )
        return unproven(what, says)
    mend = (
        "SLACK_APP_TOKEN: Basic Information, App-Level Tokens, with connections:write; "
        "and Socket Mode on"
    )
    token = settings.slack_app_token.get_secret_value()
    async with aclosing(Slack(token, settings.slack_api_url)) as app:
        await app.start()
        opened = app.call("apps.connections.open")
        return await check(what, opened, lambda _: works(what, "Socket Mode"), mend)


async def _announcement(client: Slack, settings: Settings) -> list[Finding]:
    """Post a message with metadata, read it back, and delete it.

    By its metadata a message is found again after a lost answer.
    """
    what, name = "INCIDENTS_CHANNEL", settings.incidents_channel
    if name is None:
        return []
    channel = await _find_channel(what, client, name)
    if isinstance(channel, Finding):
        return [channel]
    if channel is None or channel.archived:
        mend = (
            "create it, or set INCIDENTS_CHANNEL to the name or id of another one; "
            "into a private one, invite the bot"
        )
        return [broken(what, f"{missing(what, name, channel)}.", mend)]
    shown = f"#{channel.name}"

    def judge(read_back: bool) -> Finding:
        if not read_back:
            return broken(what, f"a message in {shown} came back without its metadata.", REINSTALL)
        return works(what, f"{shown}: a message with metadata was posted, read back and deleted")

    return [await check(what, _there_and_back(client, channel.id), judge, REINSTALL)]


async def _find_channel(what: str, client: Slack, name: str) -> Found | Finding | None:
    """Find the channel as the bot does; where Slack asks to wait, go on when it says so."""
    ends = time.monotonic() + LIST_SECONDS
    while True:
        try:
            return await client.channels.find(name)
        except PortError as error:
            if error.retry_after is None or time.monotonic() + error.retry_after > ends:
                mend = "run it again in a minute" if error.retryable else REINSTALL
                return broken(what, f"{error.text}.", mend)
            await asyncio.sleep(error.retry_after)


async def _there_and_back(client: Slack, channel: str) -> bool:
    await client.join(channel)
    key = MessageKey("doctor", f"doctor-{secrets.token_hex(8)}", since=datetime.now(UTC))
    text = "`firebreak doctor` looks whether I can post here. This message deletes itself."
    ts = await client.post(channel, Message(text), key)
    try:
        return await client.posted(channel, key) == ts
    finally:
        await client.call("chat.delete", channel=channel, ts=ts)


async def _watched(client: Slack, name: str, bot: str) -> Finding:
    """Check that the bot is a member: Slack sends what is written only where it is one."""
    what = "WATCHED_CHANNELS"
    channel = await _find_channel(what, client, name)
    if isinstance(channel, Finding):
        return channel
    if channel is None or channel.archived:
        mend = "correct WATCHED_CHANNELS; into a private channel, invite the bot"
        return broken(what, f"{missing(what, name, channel)}.", mend)
    if not channel.member:
        says = f"#{channel.name}: the bot is not in it, and hears nothing there."
        return broken(what, says, f"in #{channel.name}: /invite @{bot}")
    return works(what, f"#{channel.name}")
