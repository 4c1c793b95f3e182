"""A local Discord channel behind one webhook: https://docs.discord.com/developers/resources/webhook"""

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


@dataclass(slots=True)
class Post:
    id: str
    content: str
    at: datetime
    edited_at: datetime | None = None
    edits: int = 0


class Discord:
    """The state: the channel's posts, oldest first."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.posts: list[Post] = []
        self.on_change: Callable[[], None] = lambda: None
        self._now = now

    def post(self, content: str) -> Post:
        post = Post(str(1_000_000_000_000_000_000 + len(self.posts) + 1), content, self._now())
        self.posts.append(post)
        self.on_change()
        return post

    def edit(self, id: str, content: str) -> Post | None:
        post = next((post for post in self.posts if post.id == id), None)
        if post is not None:
            post.content, post.edited_at, post.edits = content, self._now(), post.edits + 1
            self.on_change()
        return post


def discord_app(discord: Discord, faults: Faults) -> Starlette:
    """`/api/webhooks/1/sandbox`, and its messages; calls `discord.post` and `discord.edit`."""

    async def execute(request: Request) -> Response:
        fault = faults.take("discord.post")
        if fault is not None and (instead := await _before(fault)) is not None:
            return instead
        content = await _content(request)
        if isinstance(content, Response):
            return content
        post = discord.post(content)
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
        return JSONResponse({"id": "1", "type": 1, "name": "incidents", "channel_id": "1", "token": "sandbox"})

    async def unknown(request: Request) -> Response:
        return _refused(404, 10015, "Unknown Webhook")

    return Starlette(
        routes=[
            Route("/api/webhooks/1/sandbox", execute, methods=["POST"]),
            Route("/api/webhooks/1/sandbox", show, methods=["GET"]),
            Route("/api/webhooks/1/sandbox/messages/{message}", edit, methods=["PATCH"]),
            Route("/api/webhooks/{rest:path}", unknown, methods=["GET", "POST", "PATCH"]),
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


def _message(post: Post) -> dict[str, Any]:
    return {
        "id": post.id,
        "content": post.content,
        "timestamp": post.at.isoformat(),
        "edited_timestamp": post.edited_at.isoformat() if post.edited_at else None,
        "webhook_id": "1",
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
