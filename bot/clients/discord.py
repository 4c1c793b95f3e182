"""Discord: one status post an incident through a webhook, edited in place; with a bot token it is pinned, and found again after a lost answer.

Webhooks: https://docs.discord.com/developers/resources/webhook. Pins and reading: https://docs.discord.com/developers/resources/message
(`PUT /channels/{channel.id}/messages/pins/{message.id}`; the older `/channels/{channel.id}/pins/{message.id}` is deprecated. It needs the
permission PIN_MESSAGES: since February 2026 MANAGE_MESSAGES is not enough).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import httpx
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from bot.clients.http.client import Http, HttpError, retry_after
from bot.runtime.backoff import waited
from phases.ports.coordination import Posted
from phases.ports.ports import PortError

SYSTEM = "Discord"
CONTENT_LIMIT = 2000
NEWEST = 100
"""So many messages are looked through for a post whose answer was lost: https://docs.discord.com/developers/resources/message#get-channel-messages"""
APART = timedelta(seconds=5)
"""So much earlier than ours Discord's clock may be."""
USER_AGENT = "DiscordBot (firebreak, 1)"  # https://docs.discord.com/developers/reference#user-agent
NEEDS = "View Channel, Read Message History and Pin Messages"

_UNVERSIONED = re.compile(r"(https://(?:\w+\.)?discord(?:app)?\.com/api)/webhooks/")
# https://docs.discord.com/developers/topics/opcodes-and-status-codes#json
_UNKNOWN_MESSAGE = 10008
_PINS_FULL = 30003
_UNKNOWN_CHANNEL = 10003


class _Author(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    username: str = ""


class _Message(BaseModel):
    """What is read of a message. Its content is not: without a privileged intent a bot is not shown it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str
    timestamp: datetime
    webhook_id: str | None = None
    author: _Author = _Author()


_MESSAGES = TypeAdapter(list[_Message])


class _Hook(BaseModel):
    """https://docs.discord.com/developers/resources/webhook#webhook-object"""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str
    name: str | None = None
    channel_id: str | None = None


class _Answer(BaseModel):
    """A message, a refusal or a rate limit: what is read of each."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str | None = None
    channel_id: str | None = None
    code: int | None = None
    message: str | None = None
    retry_after: float | None = None


class Discord:
    """Keeps `phases.ports.ports.Announcer`. The webhook's URL and the bot's token are secrets and are never said."""

    def __init__(
        self, webhook_url: str, bot_token: str | None = None, *, timeout: float = 10.0
    ) -> None:
        # A URL as Discord shows it has no version and means an old one, whose rate limits count in milliseconds.
        parts = urlsplit(_UNVERSIONED.sub(r"\1/v10/webhooks/", webhook_url))
        base = urlunsplit(parts._replace(query="", fragment=""))
        self._http = Http(SYSTEM, base, {}, timeout=timeout)
        self._query = dict(parse_qsl(parts.query))
        """`thread_id`, where the webhook posts into a thread."""
        self._bot: Http | None = None
        if bot_token is not None:
            headers = {"Authorization": f"Bot {bot_token}", "User-Agent": USER_AGENT}
            self._bot = Http(SYSTEM, base.partition("/webhooks/")[0], headers, timeout=timeout)

    async def post(
        self, text: str, *, author: str, maybe_posted_since: datetime | None = None
    ) -> Posted:
        """Raises `PortError`. Where an answer was lost the post is looked for first; without a bot that may read there may be two.

        `author` is the name that it is posted under: by that a bot may know it again.
        """
        if (
            maybe_posted_since is not None
            and (found := await self._lost(author, maybe_posted_since)) is not None
        ):
            return found
        answer = await self._send("POST", "", text, {"wait": "true"}, username=author)
        if answer.id is None:
            raise PortError(
                SYSTEM, "Discord took the post and does not say its id", retryable=False
            )
        return Posted(id=answer.id, channel=answer.channel_id)

    async def edit(self, id: str, text: str) -> None:
        """Raises `PortError`."""
        await self._send("PATCH", f"/messages/{id}", text, {})

    async def pin(self, id: str, channel: str | None, *, pinned: bool) -> None:
        """Pins a post, or takes its pin off; nothing without a bot token. Both may be said twice. Raises `PortError`."""
        if self._bot is None:
            return
        place = channel or self._query.get("thread_id") or (await self._hook()).channel_id or ""
        method, path = ("PUT" if pinned else "DELETE"), f"/channels/{place}/messages/pins/{id}"
        response = await self._bot.request(method, path, accept=(400, 401, 403, 404, 429))
        gone = response.status_code == 404 and not pinned
        if not response.is_success and not gone:
            raise _not_pinned(response, _answer(response))

    async def check(self) -> str:
        """The webhook's name (`firebreak doctor`); nothing is posted. Raises `PortError`."""
        return (await self._hook()).name or "without a name"

    async def check_bot(self) -> str:
        """The bot's name, once it has read the webhook's channel and its pins. Raises `PortError`; nothing is written."""
        if self._bot is None:
            raise PortError(SYSTEM, "DISCORD_BOT_TOKEN is not set", retryable=False)
        me = self._bot.json(await self._bot.get("/users/@me"))
        place = self._query.get("thread_id") or (await self._hook()).channel_id
        await self._messages(self._bot, str(place), 1)
        await self._bot.get(f"/channels/{place}/messages/pins", {"limit": 1}, scope=NEEDS)
        return str((me if isinstance(me, dict) else {}).get("username") or "without a name")

    async def aclose(self) -> None:
        await self._http.aclose()
        if self._bot is not None:
            await self._bot.aclose()

    async def _hook(self) -> _Hook:
        """https://docs.discord.com/developers/resources/webhook#get-webhook-with-token"""
        response = await self._http.get("")
        try:
            return _Hook.model_validate(self._http.json(response))
        except ValidationError as error:
            raise _odd(response) from error

    async def _lost(self, author: str, since: datetime) -> Posted | None:
        """A post of ours whose answer was lost. A bot that may not read finds nothing."""
        if self._bot is None:
            return None
        hook = await self._hook()
        place = self._query.get("thread_id") or hook.channel_id
        try:
            newest = await self._messages(self._bot, str(place), NEWEST)
        except PortError as error:
            if error.retryable:
                raise
            return None
        ours = [m for m in newest if m.webhook_id == hook.id and m.author.username == author]
        found = [m for m in ours if m.timestamp >= since - APART]
        return Posted(id=min(found, key=lambda m: m.timestamp).id, channel=place) if found else None

    async def _messages(self, bot: Http, channel: str, limit: int) -> Sequence[_Message]:
        response = await bot.get(f"/channels/{channel}/messages", {"limit": limit}, scope=NEEDS)
        try:
            return _MESSAGES.validate_python(bot.json(response))
        except ValidationError as error:
            raise _odd(response) from error

    async def _send(
        self, method: str, path: str, text: str, extra: dict[str, str], **more: str
    ) -> _Answer:
        while True:
            try:
                return await self._sent(method, path, text, extra, **more)
            except HttpError as error:
                if error.status != 429 or not await waited(error.retry_after):
                    raise

    async def _sent(
        self, method: str, path: str, text: str, extra: dict[str, str], **more: str
    ) -> _Answer:
        content = text if len(text) <= CONTENT_LIMIT else text[: CONTENT_LIMIT - 1] + "…"
        # `allowed_mentions` without `parse`: whatever the text holds, nobody is pinged.
        body: dict[str, Any] = {"content": content, "allowed_mentions": {"parse": []}, **more}
        response = await self._http.request(
            method, path, params=self._query | extra, json=body, accept=(400, 401, 404, 429)
        )
        answer = _answer(response)
        if response.is_success:
            return answer
        raise _refused(response, answer)


def _answer(response: httpx.Response) -> _Answer:
    """Raises `PortError` where a success cannot be read."""
    if response.status_code == 204:
        return _Answer()
    try:
        return _Answer.model_validate(response.json())
    except (ValueError, ValidationError) as error:
        if response.is_success:
            raise _odd(response) from error
        return _Answer()


def _odd(response: httpx.Response) -> HttpError:
    text = "Discord answered in a shape that is not known here"
    return HttpError(SYSTEM, text, retryable=False, status=response.status_code)


def _slow_down(response: httpx.Response, answer: _Answer) -> HttpError:
    # Seconds, with parts, in the body; the header is rounded. https://docs.discord.com/developers/topics/rate-limits
    wait = answer.retry_after if answer.retry_after is not None else retry_after(response.headers)
    return HttpError(
        SYSTEM, "Discord asks us to slow down", retryable=True, retry_after=wait, status=429
    )


def _not_pinned(response: httpx.Response, answer: _Answer) -> HttpError:
    said = f" ({answer.message[:200]})" if answer.message else ""
    if response.status_code == 429:
        return _slow_down(response, answer)
    if response.status_code == 401:
        text = (
            "Discord does not accept DISCORD_BOT_TOKEN: make a new one in the Developer Portal, Bot"
        )
    elif response.status_code == 403:
        text = f"Discord does not let the bot pin{said}: in that channel it needs {NEEDS}"
    elif answer.code == _PINS_FULL:
        text = "the Discord channel has as many pins as it can hold: take old ones off"
    elif answer.code == _UNKNOWN_MESSAGE:
        text = "the status post in Discord was deleted"
    else:
        text = f"Discord refused the pin{said}"
    return HttpError(SYSTEM, text, retryable=False, status=response.status_code)


def _refused(response: httpx.Response, answer: _Answer) -> HttpError:
    said = f" ({answer.message[:200]})" if answer.message else ""
    if response.status_code == 429:
        return _slow_down(response, answer)
    if answer.code == _UNKNOWN_MESSAGE:
        text = "the status post in Discord was deleted"
    elif answer.code == _UNKNOWN_CHANNEL:
        text = f"Discord does not know the channel or thread that DISCORD_WEBHOOK_URL names{said}"
    elif response.status_code in (401, 404) and answer.code is None:
        text = f"there is no Discord at the address of DISCORD_WEBHOOK_URL ({response.status_code})"
    elif response.status_code in (401, 404):
        text = (
            f"Discord does not know the webhook{said}: make a new one and set DISCORD_WEBHOOK_URL"
        )
    else:
        text = f"Discord refused the post{said}"
    return HttpError(SYSTEM, text, retryable=False, status=response.status_code)
