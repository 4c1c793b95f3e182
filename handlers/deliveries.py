"""The claims that make a delivery count once (rules: Delivery claims). Pure."""

import hashlib
from collections.abc import Mapping
from typing import Any

from handlers.dispatcher import Delivery


def interaction(body: Mapping[str, Any]) -> Delivery:
    """Return a command, shortcut or block action by its trigger id; a submission by view and hash.

    Raises ValueError where the payload names neither: nothing is recorded then.
    """
    if body.get("type") == "view_submission":
        view = body.get("view") or {}
        if view.get("id") and view.get("hash"):
            return Delivery((f"view:{view['id']}:{view['hash']}",))
    elif body.get("trigger_id"):
        return Delivery((f"trigger:{body['trigger_id']}",))
    raise ValueError("the payload has neither a trigger id nor a view with a hash")


def event(body: Mapping[str, Any]) -> tuple[str, str]:
    """Return both claims of an event: deliveries of one message can have different ids."""
    inner = body.get("event") or {}
    at = inner.get("event_ts") or inner.get("ts") or ""
    who = inner.get("user") or ""
    channel = inner.get("channel") or (inner.get("item") or {}).get("channel") or ""
    return (
        f"event:{body.get('event_id', '')}",
        f"event:{channel}:{at}:{inner.get('type', '')}:{who}",
    )


def of_body(kind: str, raw: bytes) -> Delivery:
    """Return a webhook that has no id of its own by its raw body."""
    return Delivery((f"{kind}:{hashlib.sha256(raw).hexdigest()}",))


def github(id: str, incident: str) -> Delivery:
    """Return a GitHub webhook by its `X-GitHub-Delivery`, once for each incident it goes to."""
    return Delivery((f"github:{id}:{incident}",))


def linear(id: str) -> Delivery:
    """Return a Linear webhook by its `Linear-Delivery`."""
    return Delivery((f"linear:{id}",))


def sub_delivery(delivery: Delivery, of: str) -> Delivery:
    """Return a part of a delivery that counts once by itself."""
    return Delivery(tuple(f"{claim}:{of}" for claim in delivery.claims))


def echo(user: str, channel: str, text: str) -> str:
    """Return the claim of a person's words in a channel (rules: within 60 s one incident)."""
    words = "\n".join((user, channel, " ".join(text.split()).casefold()))
    return f"echo:{hashlib.sha256(words.encode('utf-8', 'surrogatepass')).hexdigest()[:40]}"
