"""A local Discord channel behind one webhook, and a bot in it that may read and pin.

https://docs.discord.com/developers/resources/webhook, https://docs.discord.com/developers/resources/message
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.faults import Fault, Faults
from sandbox.slack.api import lose_answer

CONTENT_LIMIT = 2000
PINS = 250
"""A channel's most: https://docs.discord.com/developers/topics/opcodes-and-status-codes#json, 30003"""
BOT_TOKEN = "sandbox-discord-bot"
WEBHOOK, CHANNEL, SERVER = "1", "1", "1"


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
    """The state: the channel's posts, oldest first."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.posts: list[Post] = []
        self.may_see = self.may_read = self.may_pin = True
        """The bot's permissions in the channel: VIEW_CHANNEL, READ_MESSAGE_HISTORY, PIN_MESSAGES."""
        self.pins_elsewhere = 0
        """Pins of others."""
        self.on_change: Callable[[], None] = lambda: None
        self._now = now

    def post(self, content: str, author: str = "incidents") -> Post:
        post = Post(str(1_000_000_000_000_000_000 + len(self.posts) + 1), content, self._now(), author)
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


def discord_app(discord: Discord, faults: Faults) -> Starlette:
    """`/api/webhooks/1/sandbox` and its messages, and what a bot does: calls `discord.post`, `.edit`, `.messages`, `.pin`, `.unpin`."""

    async def execute(request: Request) -> Response:
        fault = faults.take("discord.post")
        if fault is not None and (instead := await _before(fault)) is not None:
            return instead
        content = await _content(request)
        if isinstance(content, Response):
            return content
        author = (await request.json()).get("username") or "incidents"
        post = discord.post(content, author)
        if fault is not None and fault.lose_answer:
            await lose_answer(request)
        # Without `wait` the answer is empty: "Execute Webhook", query parameters.
        return JSONResponse(_message(post)) if request.query_params.get("wait") == "true" else Response(status_code=204)

    async def edit(request: Request) -> Response:
        fault = faults.take("discord.edit")
        if fault is not None and (instead := await _before(fault)) is not None:
            return instead
        content = await _content(request)
        if isinstance(content, Response):
            return content
        post = discord.edit(request.path_params["message"], content)
        if post is None:
            return _refused(404, 10008, "Unknown Message")
        if fault is not None and fault.lose_answer:
            await lose_answer(request)
        return JSONResponse(_message(post))

    async def show(request: Request) -> Response:
        """https://docs.discord.com/developers/resources/webhook#get-webhook-with-token"""
        shown = {"type": 1, "name": "incidents", "guild_id": SERVER, "channel_id": CHANNEL, "token": "sandbox"}
        return JSONResponse({"id": WEBHOOK, **shown})

    def barred(request: Request) -> Response | None:
        """Who asks is no bot that may see the channel."""
        if request.headers.get("authorization") != f"Bot {BOT_TOKEN}":
            return _refused(401, 0, "401: Unauthorized")
        if request.path_params.get("channel", CHANNEL) != CHANNEL:
            return _refused(404, 10003, "Unknown Channel")
        return None if discord.may_see else _refused(403, 50001, "Missing Access")

    async def me(request: Request) -> Response:
        """https://docs.discord.com/developers/resources/user#get-current-user"""
        if request.headers.get("authorization") != f"Bot {BOT_TOKEN}":
            return _refused(401, 0, "401: Unauthorized")
        return JSONResponse({**_user("2", "Firebreak", "0"), "mfa_enabled": False, "locale": "en-US"})

    async def messages(request: Request) -> Response:
        """https://docs.discord.com/developers/resources/message#get-channel-messages: the newest first, without their words."""
        if (no := barred(request)) is not None:
            return no
        fault = faults.take("discord.messages")
        if fault is not None and (instead := await _before(fault)) is not None:
            return instead
        limit = int(request.query_params.get("limit", "50"))
        if not 1 <= limit <= 100:
            return _refused(400, 50035, "Invalid Form Body")
        newest = discord.posts[::-1][:limit] if discord.may_read else []
        # Without the privileged intent MESSAGE_CONTENT a bot is not shown what others wrote.
        return JSONResponse([{**_message(post), "content": ""} for post in newest])

    async def pins(request: Request) -> Response:
        """https://docs.discord.com/developers/resources/message#get-channel-pins"""
        if (no := barred(request)) is not None:
            return no
        shown = discord.pins if discord.may_read else []
        items = [{"pinned_at": post.at.isoformat(), "message": {**_message(post), "content": ""}} for post in shown]
        return JSONResponse({"items": items, "has_more": False})

    async def pin(request: Request) -> Response:
        """https://docs.discord.com/developers/resources/message#pin-message, …#unpin-message"""
        if (no := barred(request)) is not None:
            return no
        wanted = request.method == "PUT"
        fault = faults.take("discord.pin" if wanted else "discord.unpin")
        if fault is not None and (instead := await _before(fault)) is not None:
            return instead
        if not discord.may_pin:
            return _refused(403, 50013, "Missing Permissions")
        post = discord.find(request.path_params["message"])
        if post is None:
            return _refused(404, 10008, "Unknown Message")
        if wanted and not post.pinned and len(discord.pins) + discord.pins_elsewhere >= PINS:
            return _refused(400, 30003, f"Maximum number of pins reached ({PINS})")
        discord.pin(post, wanted)
        if fault is not None and fault.lose_answer:
            await lose_answer(request)
        return Response(status_code=204)

    async def unknown(request: Request) -> Response:
        return _refused(404, 10015, "Unknown Webhook")

    return Starlette(
        routes=[
            Route("/api/webhooks/1/sandbox", execute, methods=["POST"]),
            Route("/api/webhooks/1/sandbox", show, methods=["GET"]),
            Route("/api/webhooks/1/sandbox/messages/{message}", edit, methods=["PATCH"]),
            Route("/api/webhooks/{rest:path}", unknown, methods=["GET", "POST", "PATCH"]),
            Route("/api/users/@me", me, methods=["GET"]),
            Route("/api/channels/{channel}/messages", messages, methods=["GET"]),
            Route("/api/channels/{channel}/messages/pins", pins, methods=["GET"]),
            Route("/api/channels/{channel}/messages/pins/{message}", pin, methods=["PUT", "DELETE"]),
        ]
    )


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


def _user(id: str, name: str, discriminator: str) -> dict[str, Any]:
    """https://docs.discord.com/developers/resources/user#user-object"""
    nothing = {"avatar": None, "global_name": None, "primary_guild": None, "flags": 0, "public_flags": 0}
    return {"id": id, "username": name, "discriminator": discriminator, "bot": True, **nothing}


def _message(post: Post) -> dict[str, Any]:
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


async def _before(fault: Fault) -> Response | None:
    if fault.delay:
        await asyncio.sleep(fault.delay)
    if fault.status == 429:
        # https://docs.discord.com/developers/topics/rate-limits: seconds, in the body and in the header.
        wait = float(fault.retry_after or 1)
        body = {"message": "You are being rate limited.", "retry_after": wait, "global": False}
        return JSONResponse(body, 429)
    if fault.status is not None or fault.error is not None:
        return _refused(fault.status or 400, 0, fault.error or "Internal Server Error")
    return None
