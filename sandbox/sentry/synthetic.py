"""Events that no SDK sent: what tests and traps put into the local Sentry."""

from __future__ import annotations

import os
import uuid
from dataclasses import replace
from typing import TypedDict

from sandbox.sentry.events import Event, user_tag
from sandbox.wire import Json


class ErrorFields(TypedDict, total=False):
    """Fields of an event; those that are left out are the shop's usual ones."""

    function: str
    module: str
    filename: str | None
    lineno: int
    transaction: str
    release: str | None
    environment: str | None
    level: str
    handled: bool
    ip: str | None
    tags: dict[str, str]
    flags: dict[str, bool]
    platform: str
    frames: list[Json]
    """The whole stack, the oldest call first, instead of one frame of the shop."""


USUAL = ErrorFields(
    function="current_visitor",
    module="shop.session",
    lineno=21,
    transaction="/",
    release="shop@1.2.0",
    environment="production",
    level="error",
    handled=False,
)


def error_event(error: str, at: float, user: str | None, fields: ErrorFields) -> Json:
    """Return an event as an SDK sends it. `error` is `<type>: <value>`, `at` is in Unix seconds."""
    chosen: Json = {**USUAL, **fields}
    kind, _, value = error.partition(": ")
    sender = {"id": user} if user else {}
    if ip := chosen.get("ip"):
        sender["ip_address"] = ip
    frame = {
        "function": chosen["function"],
        "module": chosen["module"],
        "filename": chosen.get("filename") or chosen["module"].replace(".", "/") + ".py",
        "lineno": chosen["lineno"],
        "in_app": True,
        "pre_context": ["    account = store.account(user_id)"],
        "context_line": f"    raise {kind}({value})",
        "post_context": ["    return account"],
    }
    exception = {
        "type": kind,
        "value": value,
        "mechanism": {"type": "generic", "handled": chosen["handled"]},
        "stacktrace": {"frames": chosen.get("frames", [frame])},
    }
    evaluated = [{"flag": f, "result": on} for f, on in (chosen.get("flags") or {}).items()]
    return {
        "contexts": {"flags": {"values": evaluated}} if evaluated else {},
        "event_id": uuid.uuid4().hex,
        "timestamp": at,
        "platform": chosen.get("platform", "python"),
        "level": chosen["level"],
        "transaction": chosen["transaction"],
        "release": chosen["release"],
        "environment": chosen["environment"],
        "user": sender or None,
        "tags": dict(chosen.get("tags") or {}),
        "exception": {"values": [exception]},
    }


def another(like: Event, at: float, user: str | None) -> Event:
    """Return one more event of the same kind, of somebody else: a day has tens of thousands."""
    id = os.urandom(16).hex()
    sender = {key: entry for key, entry in like.user.items() if key != "id"}
    sender = {"id": user, **sender} if user else sender
    tags = {key: entry for key, entry in like.tags.items() if key != "user"}
    if named := user_tag(sender):
        tags["user"] = named
    payload = {**like.payload, "event_id": id, "timestamp": at, "user": sender or None}
    return replace(like, id=id, timestamp=at, user=sender, tags=tags, payload=payload)
