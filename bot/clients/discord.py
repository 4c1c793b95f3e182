"""Discord: one status post an incident through a webhook, edited in place.

With a bot token the post is pinned, and found again after a lost answer.
Webhooks: https://docs.discord.com/developers/resources/webhook. Pins and reading:
https://docs.discord.com/developers/resources/message
(`PUT /channels/{channel.id}/messages/pins/{message.id}`; the older
`/channels/{channel.id}/pins/{message.id}` is deprecated. It needs the permission PIN_MESSAGES:
since February 2026 MANAGE_MESSAGES is not enough).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import httpx
from pydantic import ValidationError

from bot.clients.clocks import CLOCKS_APART
from bot.clients.http.client import Http, with_query
from bot.clients.http.errors import HttpError, Limited, json_of, retry_after
from bot.clients.http.shape import Shape
from phases.ports.ports import PortError
from phases.text.wording import short

SYSTEM = "Discord"
CONTENT_LIMIT = 2000
MESSAGES_READ = 100
"""Messages that are looked through for a post whose answer was lost:
https://docs.discord.com/developers/resources/message#get-channel-messages"""
USER_AGENT = "DiscordBot (firebreak, 1)"  # https://docs.discord.com/developers/reference#user-agent
NEEDS = "View Channel, Read Message History and Pin Messages"
POST_DELETED = "the status post in Discord was deleted"

_UNVERSIONED = re.compile(r"(https://(?:\w+\.)?discord(?:app)?\.com/api)/webhooks/")
# https://docs.discord.com/developers/topics/opcodes-and-status-codes#json
_UNKNOWN_MESSAGE = 10008
_PINS_FULL = 30003
_UNKNOWN_CHANNEL = 10003


class _Author(Shape):
    username: str = ""


class _Message(Shape):
    """The parts of a message that are read.

    Its content is not: without a privileged intent a bot is not shown it.
    """

    id: str
    timestamp: datetime
    webhook_id: str | None = None
    author: _Author = _Author()


class _Hook(Shape):
    """https://docs.discord.com/developers/resources/webhook#webhook-object"""

    id: str
    name: str | None = None
    channel_id: str | None = None


class _Answer(Shape):
    """The parts that are read of a message, a refusal or a rate limit."""

    id: str | None = None
    channel_id: str | None = None
    code: int | None = None
    message: str | None = None
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Posted:
    """A post, and the channel that it is in, where that is known."""

    id: str
    channel: str | None = None


class Webhook(Http):
    """The webhook's own address, through which posts are made and edited."""

    def refusal(self, answer: httpx.Response, scope: str | None) -> PortError | None:
        if answer.request.method == "GET" or answer.status_code not in (400, 401, 404, 429):
            return super().refusal(answer, scope)
        refusal = _refusal_in(answer)
        return _slow_down(answer, refusal) or _post_refused(answer, refusal)


class BotApi(Http):
    """The API as the bot may use it: reading a channel, and its pins."""

    def refusal(self, answer: httpx.Response, scope: str | None) -> PortError | None:
        if answer.request.method == "GET" or answer.status_code not in (400, 401, 403, 404, 429):
            return super().refusal(answer, scope)
        if answer.request.method == "DELETE" and answer.status_code == 404:
            return None
        if answer.status_code == 403 and json_of(answer) is None:
            return super().refusal(answer, scope)  # a page of a wall, which knows no permissions
        refusal = _refusal_in(answer)
        return _slow_down(answer, refusal) or _pin_refused(answer, refusal)


class Discord:
    """One post an incident, edited in place, pinned where we may.

    The webhook's URL and the bot's token are secrets and are never said. Methods raise `PortError`.
    """

    def __init__(self, webhook_url: str, bot_token: str | None = None) -> None:
        # A URL as Discord shows it has no version. It means an old one, whose rate limits count in
        # milliseconds.
        parts = urlsplit(_UNVERSIONED.sub(r"\1/v10/webhooks/", webhook_url))
        base = urlunsplit(parts._replace(query="", fragment=""))
        self._http = Webhook(SYSTEM, base, {})
        self._query = dict(parse_qsl(parts.query))
        """`thread_id`, where the webhook posts into a thread."""
        self._bot: BotApi | None = None
        if bot_token is not None:
            headers = {"Authorization": f"Bot {bot_token}", "User-Agent": USER_AGENT}
            self._bot = BotApi(SYSTEM, base.partition("/webhooks/")[0], headers)

    async def post(
        self, text: str, *, author: str, maybe_posted_since: datetime | None = None
    ) -> Posted:
        """Post the text. `author` is the name that it is posted under.

        Where an earlier answer may have been lost, the post is looked for first: a bot knows it by
        its author. Without a bot that may read there may be two.
        """
        if maybe_posted_since is not None and (
            lost := await self._find_lost_post(author, maybe_posted_since)
        ):
            return lost
        answer = await self._send("POST", "", text, {"wait": "true"}, username=author)
        if answer.id is None:
            raise PortError(SYSTEM, "Discord took the post and does not say its id")
        return Posted(id=answer.id, channel=answer.channel_id)

    async def edit(self, id: str, text: str) -> bool:
        """Give a post another text. Return False where somebody has deleted the post."""
        try:
            await self._send("PATCH", f"/messages/{id}", text, {})
        except HttpError as error:
            if error.text != POST_DELETED:
                raise
            return False
        return True

    async def pin(self, id: str, channel: str | None, *, pinned: bool) -> None:
        """Pin a post, or take its pin off; nothing without a bot token. Both may come twice."""
        if self._bot is None:
            return
        place = channel or await self._channel()
        method, path = ("PUT" if pinned else "DELETE"), f"/channels/{place}/messages/pins/{id}"
        await self._bot.request(method, path)

    async def check(self) -> str:
        """Return the webhook's name (`firebreak doctor`). Nothing is posted."""
        return (await self._hook()).name or "without a name"

    async def check_bot(self) -> str:
        """Return the bot's name, once it has read the webhook's channel and its pins.

        Nothing is written.
        """
        if self._bot is None:
            raise PortError(SYSTEM, "DISCORD_BOT_TOKEN is not set")
        me = self._bot.json(await self._bot.get("/users/@me"))
        place = await self._channel()
        await self._messages(self._bot, place, 1)
        await self._bot.get(f"/channels/{place}/messages/pins", {"limit": 1}, scope=NEEDS)
        return str((me if isinstance(me, dict) else {}).get("username") or "without a name")

    async def aclose(self) -> None:
        await self._http.aclose()
        if self._bot is not None:
            await self._bot.aclose()

    async def _hook(self) -> _Hook:
        """https://docs.discord.com/developers/resources/webhook#get-webhook-with-token"""
        return self._http.read(_Hook, await self._http.get(""))

    async def _channel(self) -> str:
        """Return the id of the thread or channel that the webhook posts into."""
        return self._query.get("thread_id") or (await self._hook()).channel_id or ""

    async def _find_lost_post(self, author: str, since: datetime) -> Posted | None:
        """Return a post of ours whose answer was lost. A bot that may not read finds none."""
        if self._bot is None:
            return None
        hook = await self._hook()
        place = self._query.get("thread_id") or hook.channel_id
        try:
            newest = await self._messages(self._bot, str(place), MESSAGES_READ)
        except PortError as error:
            if error.retryable:
                raise
            return None
        posts = [
            message
            for message in newest
            if message.webhook_id == hook.id
            and message.author.username == author
            and message.timestamp >= since - CLOCKS_APART
        ]
        if not posts:
            return None
        return Posted(id=min(posts, key=lambda m: m.timestamp).id, channel=place)

    async def _messages(self, bot: Http, channel: str, limit: int) -> Sequence[_Message]:
        answer = await bot.get(f"/channels/{channel}/messages", {"limit": limit}, scope=NEEDS)
        return bot.read(list[_Message], answer)

    async def _send(
        self, method: str, path: str, text: str, params: dict[str, str], **more: str
    ) -> _Answer:
        # `allowed_mentions` without `parse`: whatever the text holds, nobody is pinged.
        body: dict[str, Any] = {
            "content": short(text, CONTENT_LIMIT),
            "allowed_mentions": {"parse": []},
            **more,
        }
        answer = await self._http.request(method, with_query(path, self._query | params), json=body)
        return _Answer() if answer.status_code == 204 else self._http.read(_Answer, answer)


def _refusal_in(answer: httpx.Response) -> _Answer:
    try:
        return _Answer.model_validate(json_of(answer))
    except ValidationError:
        return _Answer()


def _slow_down(answer: httpx.Response, refusal: _Answer) -> HttpError | None:
    if answer.status_code != 429:
        return None
    # The body has seconds with parts, and the header is rounded.
    # https://docs.discord.com/developers/topics/rate-limits
    wait = refusal.retry_after if refusal.retry_after is not None else retry_after(answer.headers)
    text = "Discord asks us to slow down"
    return Limited(SYSTEM, text, retry_after=wait, status=429)


def _pin_refused(answer: httpx.Response, refusal: _Answer) -> HttpError:
    reason = f" ({refusal.message[:200]})" if refusal.message else ""
    if answer.status_code == 401:
        text = "Discord does not accept DISCORD_BOT_TOKEN"
        text += ": make a new one in the Developer Portal, Bot"
    elif answer.status_code == 403:
        text = f"Discord does not let the bot pin{reason}: in that channel it needs {NEEDS}"
    elif refusal.code == _PINS_FULL:
        text = "the Discord channel has as many pins as it can hold: take old ones off"
    elif refusal.code == _UNKNOWN_MESSAGE:
        text = POST_DELETED
    else:
        text = f"Discord refused the pin{reason}"
    return HttpError(SYSTEM, text, status=answer.status_code)


def _post_refused(answer: httpx.Response, refusal: _Answer) -> HttpError:
    status = answer.status_code
    reason = f" ({refusal.message[:200]})" if refusal.message else ""
    if refusal.code == _UNKNOWN_MESSAGE:
        text = POST_DELETED
    elif refusal.code == _UNKNOWN_CHANNEL:
        text = f"Discord does not know the channel or thread that DISCORD_WEBHOOK_URL names{reason}"
    elif status in (401, 404) and refusal.code is None:
        text = f"there is no Discord at the address of DISCORD_WEBHOOK_URL ({status})"
    elif status in (401, 404):
        text = f"Discord does not know the webhook{reason}"
        text += ": make a new one and set DISCORD_WEBHOOK_URL"
    else:
        text = f"Discord refused the post{reason}"
    return HttpError(SYSTEM, text, status=status)
