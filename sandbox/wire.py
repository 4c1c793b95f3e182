"""JSON and lost answers, as all emulated systems have them on the wire."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

Json = dict[str, Any]
"""A JSON object."""


async def lose_answer(request: Request) -> None:
    """Close the connection without an answer, as if the network broke after the request.

    ASGI has no word for this. uvicorn's `receive` is a method of the transport's owner.
    """
    cycle: Any = getattr(request.receive, "__self__", None)
    cycle.transport.abort()
    while (await request.receive())["type"] != "http.disconnect":
        pass
