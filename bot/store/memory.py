"""The knowledge loop's store: what is left of every incident, by service, file and Sentry issue. JSON, one field an incident.

Memories are written by the commit that makes them true (`commit.lua`); here they are read.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from bot.store.commit import from_ms, to_ms
from bot.store.incident_store import Store
from bot.store.redis import AnswerLost, NotRecorded, Script, answering, run_script
from phases.memory.recall import RECALLED
from phases.ports.ports import PortError
from phases.record.memories import Counted, PastIncident, Question, Recalled

log = logging.getLogger(__name__)

PAST: TypeAdapter[tuple[PastIncident, ...]] = TypeAdapter(tuple[PastIncident, ...])
WIDTH = len(Counted._fields)

# KEYS: the prefix. ARGV: service, since in ms, the incident that asks, how many, the file's index, the issues' indexes ...
# Answers: how many of the service since then, the service's newest, and of all services those with the file, and those with an issue.
RECALL = Script(
    """
local prefix, service, since, asking, many = KEYS[1], ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local function recall(name) return prefix .. ':recall:' .. name end
local own = service .. '|' .. asking
local seen = {}
local function read(found, names)
  local room = many
  for _, name in ipairs(names) do
    if room <= 0 then break end
    for _, member in ipairs(redis.call('ZREVRANGE', recall(name), 0, many)) do
      if room <= 0 then break end
      if not seen[member] and member ~= own then
        seen[member] = true
        local of, id = string.match(member, '^(.*)|([^|]*)$')
        local kept = of and redis.call('HGET', prefix .. ':memory:' .. of, id)
        if kept then found[#found + 1] = kept; room = room - 1 end
      end
    end
  end
  return found
end
local count = redis.call('ZCOUNT', recall('service:' .. service), since, '+inf')
local asked = redis.call('ZSCORE', recall('service:' .. service), own)
if asked and tonumber(asked) >= tonumber(since) then count = count - 1 end
local newest = read({}, {'service:' .. service})
seen = {}
return {count, newest, read(read({}, {ARGV[5]}), {unpack(ARGV, 6)})}
"""
)

# KEYS: the prefix. Answers all that trends count, as one JSON array of arrays: ten thousand answers of their own take long to read.
COUNTED = Script(
    """
return '[' .. table.concat(redis.call('HVALS', KEYS[1] .. ':recall:counted'), ',') .. ']'
"""
)


class RedisMemory:
    """`phases.ports.ports.Memory`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def recall(self, asked: Question) -> Recalled:
        """One round trip."""
        names = [f"file:{asked.file}", *(f"issue:{issue}" for issue in asked.issues)]
        arguments = (asked.service, to_ms(asked.since), asked.before, RECALLED, *names)
        try:
            count, newest, alike = await run_script(
                self._store.redis, RECALL, [self._store.keys.prefix], *arguments
            )
        except (NotRecorded, AnswerLost) as error:
            raise PortError("redis", error.text.rstrip("."), retryable=True) from error
        return Recalled(in_span=count, newest=_newest(_read(newest)), alike=_newest(_read(alike)))

    async def newest(self, service: str | None, many: int) -> tuple[PastIncident, ...]:
        """The newest of a service, or of all; newest first. Raises `PortError`."""
        name = "all" if service is None else f"of:{service}"
        return await self._of(lambda: self._store.redis.zrevrange(self._recall(name), 0, many - 1))

    async def since(self, at: datetime) -> list[Counted]:
        """What trends count of all that was detected since then. Raises `PortError`."""
        try:
            rows: str = await run_script(self._store.redis, COUNTED, [self._store.keys.prefix])
        except (NotRecorded, AnswerLost) as error:
            raise PortError("redis", error.text.rstrip("."), retryable=True) from error
        begin = to_ms(at)
        return [_counted(row) for row in json.loads(rows) if row[2] >= begin]

    def _recall(self, name: str) -> str:
        return f"{self._store.keys.prefix}:recall:{name}"

    async def _of(self, find: Callable[[], Awaitable[Any]]) -> tuple[PastIncident, ...]:
        by_service: dict[str, list[str]] = {}
        with answering():
            for member in cast("list[str]", await find()):
                service, _, id = member.rpartition("|")
                by_service.setdefault(service, []).append(id)
            pipe = self._store.redis.pipeline(transaction=False)
            for service, ids in by_service.items():
                pipe.hmget(f"{self._store.keys.prefix}:memory:{service}", ids)
            found = [one for each in await pipe.execute() for one in each if one is not None]
        return _newest(_read(found))


def _counted(row: list[Any]) -> Counted:
    """A row of another version is longer or shorter: what it lacks is not known."""
    row = [*row[:WIDTH], *[None] * (WIDTH - len(row))]
    row[2], row[7] = from_ms(row[2]), tuple(row[7])
    return Counted(*row)


def _read(kept: Sequence[Any]) -> tuple[PastIncident, ...]:
    """All at once; one by one only where one of them cannot be read, which is left out and logged."""
    try:
        return PAST.validate_json(f"[{','.join(kept)}]")
    except ValidationError:
        found: list[PastIncident] = []
        for one in kept:
            try:
                found.append(PastIncident.model_validate_json(one))
            except ValidationError as error:
                log.error("a memory cannot be read: %s fields do not fit", error.error_count())
        return tuple(found)


def _newest(found: Sequence[PastIncident]) -> tuple[PastIncident, ...]:
    return tuple(sorted(found, key=lambda one: one.at, reverse=True))
