"""JSON and lost answers, as all emulated systems have them on the wire."""

from __future__ import annotations

import marshal
from typing import Any, TypeVar

from starlette.requests import Request

T = TypeVar("T")
Json = dict[str, Any]
"""A JSON object."""


def copied(value: T) -> T:
    """Return a deep copy of a JSON value, in a twentieth of the time of `copy.deepcopy`."""
    written: Any = value  # whatever else it is, `marshal` refuses it
    return marshal.loads(marshal.dumps(written))


async def lose_answer(request: Request) -> None:
    """Close the connection without an answer, as if the network broke after the request.

    ASGI has no word for this. uvicorn's `receive` is a method of the transport's owner.
    """
    cycle: Any = getattr(request.receive, "__self__", None)
    cycle.transport.abort()
    while (await request.receive())["type"] != "http.disconnect":
        pass
