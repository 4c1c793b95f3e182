"""The dead letters: effects and timers that this version cannot read, kept for one that can.

They are of another version, or of an incident whose record is another version's. They are taken up
again at once or when that version is installed; nobody tries in circles. Meanwhile
`firebreak_effects_aside` counts them and `firebreak doctor` lists them.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from bot.connection.client import NotThisVersion, Script, store_errors
from bot.store.commit import from_ms
from bot.store.incident_store import Store
from phases.messages.actions import ACTION
from phases.messages.effects import EFFECT

log = logging.getLogger(__name__)

VERSION = "version"
"""`why` of a letter that another version can read."""
READ_AT_MOST = 1000
SHOWN = 100
TAKE_UP = Script("outbox_take_up")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A letter as `firebreak doctor` shows it."""

    at: datetime
    incident: str
    effect_id: str
    reason: str


async def take_up(store: Store) -> int:
    """Put back what this version can read; return how many. Raises `StoreError`."""
    with store_errors():
        letters: Any = await store.redis.xrange(store.keys.aside, count=READ_AT_MOST)
    taken = 0
    for entry, fields in letters:
        if _readable(fields) and await _has_record(store, fields["incident"]):
            taken += int(await store.run(TAKE_UP, entry=entry))
    if taken:
        log.warning(
            "%s effects and timers that another version could not read are taken up again", taken
        )
    return taken


def _readable(fields: Mapping[str, str]) -> bool:
    """Return whether this version can read the letter; a letter for another reason stays."""
    if fields.get("why") != VERSION or not fields.get("incident"):
        return False
    adapter: Any = ACTION if "timer" in fields else EFFECT
    try:
        adapter.validate_json(fields.get("effect", ""))
    except ValidationError:
        return False
    return True


async def _has_record(store: Store, incident: str) -> bool:
    try:
        return (await store.load(incident)).incident is not None
    except NotThisVersion:
        return False


async def dead_letters(store: Store) -> list[DeadLetter]:
    """Return the newest letters, newest first."""
    with store_errors():
        letters: Any = await store.redis.xrevrange(store.keys.aside, count=SHOWN)
    return [
        DeadLetter(
            at=from_ms(int(entry.split("-")[0])),
            incident=fields.get("incident", ""),
            effect_id=fields.get("id", ""),
            reason=fields.get("reason", ""),
        )
        for entry, fields in letters
    ]


async def dead_letter_count(store: Store) -> int:
    with store_errors():
        return int(await store.redis.xlen(store.keys.aside))


async def add_timer_letter(
    store: Store, *, incident: str, name: str, reason: str, action: str, at_ms: int = 0
) -> None:
    """Keep a timer that another version can read. `action` is its JSON."""
    fields = {
        "incident": incident,
        "id": name,
        "effect": action,
        "reason": reason,
        "timer": name,
        "at": str(at_ms),
        "why": VERSION,
    }
    with store_errors():
        await store.redis.xadd(store.keys.aside, fields)  # type: ignore[arg-type]
