"""A local Discord channel behind one webhook, with a bot in it that may read and pin.

https://docs.discord.com/developers/resources/webhook
https://docs.discord.com/developers/resources/message
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.faults import Fault, Faults
from sandbox.wire import Json

CONTENT_LIMIT = 2000
PINS = 250
"""The most pins of a channel.

https://docs.discord.com/developers/topics/opcodes-and-status-codes#json, 30003
"""
BOT_TOKEN = "sandbox-discord-bot"
WEBHOOK, CHANNEL, SERVER = "1", "1", "1"

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(slots=True)
class Post:
    id: str
    content: str
    at: datetime
    author: str = "incidents"
    edited_at: datetime | None = None
    edits: int = 0
    pinned: bool = False


class Discord:
    """The channel: its posts, oldest first."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.posts: list[Post] = []
        self._made = 0
        self.may_see = self.may_read = self.may_pin = True
        """Permissions of the bot: VIEW_CHANNEL, READ_MESSAGE_HISTORY, PIN_MESSAGES."""
        self.pins_elsewhere = 0
        """Pins of others."""
        self.on_change: Callable[[], None] = lambda: None
        self._now = now

    def post(self, content: str, author: str = "incidents") -> Post:
        self._made += 1
        post = Post(str(1_000_000_000_000_000_000 + self._made), content, self._now(), author)
        self.posts.append(post)
        self.on_change()
        return post

    def edit(self, id: str, content: str) -> Post | None:
        post = self.find(id)
        if post is not None:
            post.content, post.edited_at, post.edits = content, self._now(), post.edits + 1
            self.on_change()
        return post

    def find(self, id: str) -> Post | None:
        return next((post for post in self.posts if post.id == id), None)

    def pin(self, post: Post, pinned: bool) -> None:
        if post.pinned is not pinned:
            post.pinned = pinned
            self.on_change()

    @property
    def pins(self) -> list[Post]:
        return [post for post in self.posts if post.pinned]


@dataclass(frozen=True, slots=True)
class DiscordApi:
    """The webhook `/api/webhooks/1/sandbox`, and what a bot does in its channel.

    Calls to the faults: `discord.post`, `.edit`, `.messages`, `.pin` and `.unpin`.
    """

    discord: Discord
    faults: Faults

    def routes(self) -> list[Route]:
        webhook, channel = "/api/webhooks/1/sandbox", "/api/channels/{channel}/messages"
        return [
            Route(webhook, self._faulty("post", self.post), methods=["POST"]),
            Route(webhook, self.webhook, methods=["GET"]),
            Route(
                f"{webhook}/messages/{{message}}",
                self._faulty("edit", self.edit),
                methods=["PATCH"],
            ),
            Route("/api/webhooks/{rest:path}", self.unknown, methods=["GET", "POST", "PATCH"]),
            Route("/api/users/@me", self.me, methods=["GET"]),
            Route(channel, self._of_bot(self._faulty("messages", self.messages)), methods=["GET"]),
            Route(f"{channel}/pins", self._of_bot(self.pins), methods=["GET"]),
            Route(
                f"{channel}/pins/{{message}}",
                self._of_bot(self._faulty("pin", self.pin)),
                methods=["PUT"],
            ),
            Route(
                f"{channel}/pins/{{message}}",
                self._of_bot(self._faulty("unpin", self.unpin)),
                methods=["DELETE"],
            ),
        ]

    async def post(self, request: Request) -> Response:
        content = await _content(request)
        if isinstance(content, Response):
            return content
        author = (await request.json()).get("username") or "incidents"
        post = self.discord.post(content, author)
        if request.query_params.get("wait") == "true":
            return JSONResponse(_message(post))
        # Without `wait` the answer is empty: "Execute Webhook", query parameters.
        return Response(status_code=204)

    async def edit(self, request: Request) -> Response:
        content = await _content(request)
        if isinstance(content, Response):
            return content
        post = self.discord.edit(request.path_params["message"], content)
        return JSONResponse(_message(post)) if post else _refused(404, 10008, "Unknown Message")

    async def webhook(self, _: Request) -> Response:
        """https://docs.discord.com/developers/resources/webhook#get-webhook-with-token"""
        place = {"guild_id": SERVER, "channel_id": CHANNEL}
        return JSONResponse(
            {"id": WEBHOOK, "type": 1, "name": "incidents", "token": "sandbox", **place}
        )

    async def unknown(self, _: Request) -> Response:
        return _refused(404, 10015, "Unknown Webhook")

    async def me(self, request: Request) -> Response:
        """https://docs.discord.com/developers/resources/user#get-current-user"""
        if not _is_bot(request):
            return _refused(401, 0, "401: Unauthorized")
        return JSONResponse(
            {**_user("2", "Firebreak", "0"), "mfa_enabled": False, "locale": "en-US"}
        )

    async def messages(self, request: Request) -> Response:
        """The newest first, without their words.

        A bot without the privileged intent MESSAGE_CONTENT is not shown what others wrote.
        https://docs.discord.com/developers/resources/message#get-channel-messages
        """
        limit = int(request.query_params.get("limit", "50"))
        if not 1 <= limit <= 100:
            return _refused(400, 50035, "Invalid Form Body")
        newest = self.discord.posts[::-1][:limit] if self.discord.may_read else []
        return JSONResponse([_without_words(post) for post in newest])

    async def pins(self, _: Request) -> Response:
        """https://docs.discord.com/developers/resources/message#get-channel-pins"""
        pinned = self.discord.pins if self.discord.may_read else []
        items = [
            {"pinned_at": post.at.isoformat(), "message": _without_words(post)} for post in pinned
        ]
        return JSONResponse({"items": items, "has_more": False})

    async def pin(self, request: Request) -> Response:
        """https://docs.discord.com/developers/resources/message#pin-message"""
        return self._set_pin(request, pinned=True)

    async def unpin(self, request: Request) -> Response:
        """https://docs.discord.com/developers/resources/message#unpin-message"""
        return self._set_pin(request, pinned=False)

    def _set_pin(self, request: Request, *, pinned: bool) -> Response:
        if not self.discord.may_pin:
            return _refused(403, 50013, "Missing Permissions")
        post = self.discord.find(request.path_params["message"])
        if post is None:
            return _refused(404, 10008, "Unknown Message")
        full = len(self.discord.pins) + self.discord.pins_elsewhere >= PINS
        if pinned and not post.pinned and full:
            return _refused(400, 30003, f"Maximum number of pins reached ({PINS})")
        self.discord.pin(post, pinned)
        return Response(status_code=204)

    def _faulty(self, call: str, endpoint: Endpoint) -> Endpoint:
        async def handle(request: Request) -> Response:
            return await self.faults.around(
                f"discord.{call}", request, lambda: endpoint(request), _fault_response
            )

        return handle

    def _of_bot(self, endpoint: Endpoint) -> Endpoint:
        """An endpoint for a bot that may see the channel."""

        async def handle(request: Request) -> Response:
            if not _is_bot(request):
                return _refused(401, 0, "401: Unauthorized")
            if request.path_params["channel"] != CHANNEL:
                return _refused(404, 10003, "Unknown Channel")
            if not self.discord.may_see:
                return _refused(403, 50001, "Missing Access")
            return await endpoint(request)

        return handle


def discord_app(discord: Discord, faults: Faults) -> Starlette:
    return Starlette(routes=DiscordApi(discord, faults).routes())


async def _content(request: Request) -> str | Response:
    try:
        content = (await request.json()).get("content")
    except (ValueError, AttributeError):
        return _refused(400, 50109, "The request body contains invalid JSON.")
    if not isinstance(content, str) or not content.strip():
        return _refused(400, 50006, "Cannot send an empty message")
    if len(content) > CONTENT_LIMIT:
        return _refused(400, 50035, "Invalid Form Body")
    return content


def _user(id: str, name: str, discriminator: str) -> Json:
    """https://docs.discord.com/developers/resources/user#user-object"""
    nothing = {
        "avatar": None,
        "global_name": None,
        "primary_guild": None,
        "flags": 0,
        "public_flags": 0,
    }
    return {"id": id, "username": name, "discriminator": discriminator, "bot": True, **nothing}


def _message(post: Post) -> Json:
    """https://docs.discord.com/developers/resources/message#message-object"""
    empty: dict[str, list[Any]] = {
        name: [] for name in ("mentions", "mention_roles", "attachments", "embeds", "components")
    }
    return {
        **empty,
        "id": post.id,
        "type": 0,
        "flags": 0,
        "tts": False,
        "mention_everyone": False,
        "channel_id": CHANNEL,
        "author": _user(WEBHOOK, post.author, "0000"),
        "content": post.content,
        "pinned": post.pinned,
        "timestamp": post.at.isoformat(),
        "edited_timestamp": post.edited_at.isoformat() if post.edited_at else None,
        "webhook_id": WEBHOOK,
    }


def _refused(status: int, code: int, message: str) -> Response:
    return JSONResponse({"message": message, "code": code}, status)


def _without_words(post: Post) -> Json:
    return {**_message(post), "content": ""}


def _is_bot(request: Request) -> bool:
    return request.headers.get("authorization") == f"Bot {BOT_TOKEN}"


def _fault_response(fault: Fault) -> Response:
    if fault.status == 429:
        # https://docs.discord.com/developers/topics/rate-limits: seconds, in the body.
        wait = float(fault.retry_after or 1)
        body = {"message": "You are being rate limited.", "retry_after": wait, "global": False}
        return JSONResponse(body, 429)
    return _refused(fault.status or 400, 0, fault.error or "Internal Server Error")
