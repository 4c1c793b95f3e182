"""Whether an incident rests: what waits in Redis to be done for it."""

from __future__ import annotations

import re
from typing import Any

from tests.lives.store import Server


def unrest(server: Server, id: str, record: dict[str, Any]) -> list[str]:
    """Return each kind of thing that waits to be done for this incident."""
    named = id.encode()
    entries, aside, waiting, marks = server.ask(
        [b"XRANGE", b"{fb}:outbox", b"-", b"+"],
        [b"XRANGE", b"{fb}:outbox:aside", b"-", b"+"],
        [b"ZRANGE", b"{fb}:outbox:waiting", b"0", b"-1"],
        [b"ZRANGE", b"{fb}:dirty:marks", b"0", b"-1"],
    )
    left_over: list[str] = []
    if b"\r\n" + named + b"\r\n" in entries:
        left_over.append("an effect")
    if b"\r\n" + named + b"\r\n" in aside:
        left_over.append("an effect or timer that another version shall read")
    if named + b"." in waiting:
        left_over.append("an effect that waits")
    if any(_is_there(name, record) for name in _marked(marks, named)):
        left_over.append("a message to be edited")
    return left_over


def _marked(marks: bytes, id: bytes) -> list[str]:
    return [name.decode() for name in re.findall(re.escape(id) + rb"\|([^\r]+)", marks)]


def _is_there(name: str, record: dict[str, Any]) -> bool:
    """Some are never posted, as the tree of an investigation that found nothing to walk through:
    their marks wait until the incident is over (bot/live/editor.py NOT_POSTED_SECONDS).
    """
    over = record["status"] in ("resolved", "closed", "cancelled")
    return over or name in record["messages"]
