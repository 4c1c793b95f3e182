"""Phase 4, the timeline: it writes itself, and people pin messages to it with `:pushpin:`.

It is a list that only grows (rules: Timeline). What people may change or take back has a `ref`: its
words stand beside the list, so that they can be replaced and erased.
"""

import hashlib

from phases.messages.commands import MessageTouched
from phases.messages.effects import ReadMessage
from phases.messages.results import MessageRead
from phases.record.incident import Entry, PinnedMessage
from phases.shared.announce import clear_failures
from phases.shared.change import Draft

PUSHPIN = "pushpin"
PINS_FOLLOWED = 50
"""As many pinned messages are followed; of more, the newest."""


def message_ref(ts: str) -> str:
    return f"message:{ts}"


def message_touched(draft: Draft, action: MessageTouched) -> None:
    """Read the message anew: a pin was set or taken off, or its words changed.

    What is true of it now is read, in whatever order the news came.
    """
    incident = draft.incident
    known = incident.pins.get(action.ts)
    if known is None and not action.pinned:
        return
    if known is not None and known.seen >= action.event_ts:
        return  # told twice, or late
    _keep_pin(
        draft, action.ts, PinnedMessage(seen=action.event_ts, mark=known.mark if known else "")
    )
    draft.want(ReadMessage(ts=action.ts, seen=action.event_ts, pinned=action.pinned))


def message_read(draft: Draft, action: MessageRead) -> None:
    """Keep one entry a message, whoever pinned it.

    It goes when nobody pins it any more, or when the message is deleted.
    """
    incident = draft.incident
    clear_failures(draft, "message.read", action.ts)
    known = incident.pins.get(action.ts)
    if known is not None and known.seen > action.event_ts:
        return  # something newer was told of, and is being read
    before = known.mark if known else ""
    digest = hashlib.sha256(action.text.encode("utf-8", "surrogatepass")).hexdigest()
    mark = digest[:8] if action.text else ""
    if mark == before:
        return
    _keep_pin(draft, action.ts, PinnedMessage(seen=action.event_ts, mark=mark))
    ref = message_ref(action.ts)
    if not mark:
        draft.enter(Entry(at=draft.now, kind="withdrawn", text="", hides=ref))
        return
    entry = Entry(
        at=action.at, kind="pin", text=action.text[:2000], by=action.by, url=action.url, ref=ref
    )
    draft.enter(entry)


def _keep_pin(draft: Draft, ts: str, pin: PinnedMessage) -> None:
    others = {other: known for other, known in draft.incident.pins.items() if other != ts}
    draft.set(pins=dict([*others.items(), (ts, pin)][-PINS_FOLLOWED:]))
