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
from bot.store.redis import NotRecorded, NotThisVersion, Script, answering, run_script
from phases.messages.actions import ACTION
from phases.messages.effects import EFFECT

log = logging.getLogger(__name__)

VERSION = "version"
"""`why` of what another version can read. What failed for another reason would only fail again."""
LOOKED_AT = 1000

# KEYS: outbox, aside, timers, timer actions. ARGV: entry. In one step, so that two replicas do not both take it up.
TAKE_UP = Script(
    """
local found = redis.call('XRANGE', KEYS[2], ARGV[1], ARGV[1])
if #found == 0 then return 0 end
local fields = {}
for i = 1, #found[1][2], 2 do fields[found[1][2][i]] = found[1][2][i + 1] end
if fields.timer then
  local member = fields.incident .. '|' .. fields.timer
  if not redis.call('ZSCORE', KEYS[3], member) then
    redis.call('ZADD', KEYS[3], fields.at, member)
    redis.call('HSET', KEYS[4], member, fields.effect)
  end
else
  fields.attempt = tostring(tonumber(fields.attempt or '0') + 1)
  fields.reason, fields.why, fields.first = nil, nil, nil
  local flat = {}
  for name, value in pairs(fields) do flat[#flat + 1] = name; flat[#flat + 1] = value end
  redis.call('XADD', KEYS[1], '*', unpack(flat))
end
redis.call('XDEL', KEYS[2], ARGV[1])
return 1
"""
)


async def take_up(store: Store) -> int:
    """Puts back what this version can read. Returns how much. Raises `bot.store.redis.StoreError`."""
    keys, taken = store.keys, 0
    with answering(NotRecorded):
        entries: Any = await store.redis.xrange(keys.aside, count=LOOKED_AT)
    for entry, fields in entries:
        if _ours(fields) and await _has_its_record(store, fields["incident"]):
            where = [keys.outbox, keys.aside, keys.timers, keys.timer_actions]
            taken += int(await run_script(store.redis, TAKE_UP, where, entry))
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
