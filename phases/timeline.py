"""The timeline: written by itself, and by people who pin a message to it with `:pushpin:` (rules: Timeline).

A list that only grows. What people may change or take back has a `ref`: its words stand beside the list, so that they can be
replaced and erased, and the list keeps that something stood there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime

from phases.actions import MessageRead, MessageTouched
from phases.change import Change, Draft
from phases.effects import ReadMessage
from phases.incident import Entry, Incident, PinnedMessage
from phases.rounds import mentioned, worked
from phases.service import Service

PUSHPIN = "pushpin"
PEOPLES = ("pin", "update")
"""Kinds of entries that hold what people said."""
PINNED = 50
"""Pinned messages whose edits are followed; of more, the newest."""


# --- what is shown of the list -----------------------------------------------------------------------------------


def stub(entry: Entry) -> Entry:
    """An entry as it stands in the list: where its words can be taken back, without them."""
    if entry.ref is None:
        return entry
    return Entry(at=entry.at, kind=entry.kind, text="", ref=entry.ref)


def shown(entries: Sequence[Entry], words: Mapping[str, Entry]) -> list[Entry]:
    """By time, each `ref` once with its newest words; nothing that was taken back.

    An entry that has a `ref` and words of its own (joined from elsewhere) stands as it is.
    """
    hidden: set[str] = set()
    newest: dict[str, int] = {}
    for at, entry in enumerate(entries):
        if entry.hides is not None:
            hidden.add(entry.hides)
        if entry.ref is not None:
            hidden.discard(entry.ref)
            newest[entry.ref] = at
    left: list[Entry] = []
    for at, entry in enumerate(entries):
        if entry.hides is not None or (entry.ref is not None and (entry.ref in hidden or newest[entry.ref] != at)):
            continue
        full = words.get(entry.ref, entry) if entry.ref is not None else entry
        if full.ref is None or full.text:
            left.append(full)
    return sorted(left, key=lambda entry: entry.at)


def line(entry: Entry) -> str:
    """What it says, and who said it where those are a person's words."""
    by = mentioned(entry.by) if entry.by else "a bot"
    return f"{by}: {entry.text}" if entry.kind in PEOPLES and by not in entry.text else entry.text


# --- what people pin ---------------------------------------------------------------------------------------------


def message_ref(ts: str) -> str:
    return f"message:{ts}"


def message_touched(incident: Incident, action: MessageTouched, service: Service, now: datetime) -> Change:
    """A pin was set or taken off, or a pinned message changed: what is true of it now is read, whatever came in which order."""
    del service
    draft = Draft(incident, now)
    known = incident.pins.get(action.ts)
    if known is None and not action.pinned:
        return draft.done()
    if known is not None and known.seen >= action.seen:
        return draft.done()  # told twice, or late
    _keep(draft, action.ts, PinnedMessage(seen=action.seen, mark=known.mark if known else ""))
    return draft.want(ReadMessage(ts=action.ts, seen=action.seen, pinned=action.pinned)).done()


def message_read(incident: Incident, action: MessageRead, service: Service, now: datetime) -> Change:
    """One entry a message, whoever pinned it; gone when nobody pins it any more, or when it is deleted."""
    del service
    draft = worked(Draft(incident, now), "message.read", f'"{action.ts}"')
    known = incident.pins.get(action.ts)
    if known is not None and known.seen > action.seen:
        return draft.done()  # something newer was told of, and is being read
    before = known.mark if known else ""
    mark = hashlib.sha256(action.text.encode("utf-8", "surrogatepass")).hexdigest()[:8] if action.text else ""
    if mark == before:
        return draft.done()
    _keep(draft, action.ts, PinnedMessage(seen=action.seen, mark=mark))
    ref = message_ref(action.ts)
    if not mark:
        return draft.enter(Entry(at=now, kind="withdrawn", text="", hides=ref)).done()
    entry = Entry(at=action.at, kind="pin", text=action.text[:2000], by=action.by, url=action.url, ref=ref)
    return draft.enter(entry).done()


def _keep(draft: Draft, ts: str, pin: PinnedMessage) -> None:
    others = {one: kept for one, kept in draft.incident.pins.items() if one != ts}
    draft.set(pins=dict([*others.items(), (ts, pin)][-PINNED:]))
