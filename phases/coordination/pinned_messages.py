"""The timeline: written by itself, and by people who pin a message to it with `:pushpin:` (rules: Timeline).

A list that only grows. What people may change or take back has a `ref`: its words stand beside the list, so that they can be
replaced and erased, and the list keeps that something stood there.
"""

from __future__ import annotations

import hashlib

from phases.messages.commands import MessageTouched
from phases.messages.effects import ReadMessage
from phases.messages.results import MessageRead
from phases.record.incident import Entry, PinnedMessage
from phases.steps.announce import worked
from phases.steps.change import Draft

PUSHPIN = "pushpin"
PINNED = 50
"""Pinned messages whose edits are followed; of more, the newest."""


# --- what is shown of the list -----------------------------------------------------------------------------------


# --- what people pin ---------------------------------------------------------------------------------------------


def message_ref(ts: str) -> str:
    return f"message:{ts}"


def message_touched(draft: Draft, action: MessageTouched) -> None:
    """A pin was set or taken off, or a pinned message changed: what is true of it now is read, whatever came in which order."""
    incident = draft.incident
    known = incident.pins.get(action.ts)
    if known is None and not action.pinned:
        return
    if known is not None and known.seen >= action.seen:
        return  # told twice, or late
    _keep(draft, action.ts, PinnedMessage(seen=action.seen, mark=known.mark if known else ""))
    draft.want(ReadMessage(ts=action.ts, seen=action.seen, pinned=action.pinned))


def message_read(draft: Draft, action: MessageRead) -> None:
    """One entry a message, whoever pinned it; gone when nobody pins it any more, or when it is deleted."""
    incident = draft.incident
    worked(draft, "message.read", f'"{action.ts}"')
    known = incident.pins.get(action.ts)
    if known is not None and known.seen > action.seen:
        return  # something newer was told of, and is being read
    before = known.mark if known else ""
    mark = (
        hashlib.sha256(action.text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        if action.text
        else ""
    )
    if mark == before:
        return
    _keep(draft, action.ts, PinnedMessage(seen=action.seen, mark=mark))
    ref = message_ref(action.ts)
    if not mark:
        draft.enter(Entry(at=draft.now, kind="withdrawn", text="", hides=ref))
        return
    entry = Entry(
        at=action.at, kind="pin", text=action.text[:2000], by=action.by, url=action.url, ref=ref
    )
    draft.enter(entry)


def _keep(draft: Draft, ts: str, pin: PinnedMessage) -> None:
    others = {one: kept for one, kept in draft.incident.pins.items() if one != ts}
    draft.set(pins=dict([*others.items(), (ts, pin)][-PINNED:]))
