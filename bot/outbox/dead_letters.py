"""What was set aside because this version could not read it: taken up again by one that can, at once or when it is installed.

An effect or a timer of another version, or of an incident whose record is another version's. Nothing of it is lost, and
nobody tries in circles; `firebreak_effects_aside` counts it and `firebreak doctor` lists it meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from bot.store.incident_store import Store
from bot.store.redis import NotThisVersion, Script, store_errors
from phases.messages.actions import ACTION
from phases.messages.effects import EFFECT

log = logging.getLogger(__name__)

VERSION = "version"
"""`why` of what another version can read. What failed for another reason would only fail again."""
LOOKED_AT = 1000

TAKE_UP = Script("outbox_take_up")


async def take_up(store: Store) -> int:
    """Puts back what this version can read. Returns how much. Raises `bot.store.redis.StoreError`."""
    taken = 0
    with store_errors():
        entries: Any = await store.redis.xrange(store.keys.aside, count=LOOKED_AT)
    for entry, fields in entries:
        if _ours(fields) and await _has_its_record(store, fields["incident"]):
            taken += int(await store.run(TAKE_UP, entry=entry))
    if taken:
        log.warning(
            "%s effects and timers that another version could not read are taken up again", taken
        )
    return taken


def _ours(fields: Mapping[str, str]) -> bool:
    """Whether this version can read it, and it was set aside for no other reason."""
    if fields.get("why") != VERSION or not fields.get("incident"):
        return False
    adapter: Any = ACTION if "timer" in fields else EFFECT
    try:
        adapter.validate_json(fields.get("effect", ""))
    except ValidationError:
        return False
    return True


async def _has_its_record(store: Store, incident: str) -> bool:
    try:
        return (await store.load(incident)).incident is not None
    except NotThisVersion:
        return False
