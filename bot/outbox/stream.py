"""The outbox in Redis: a stream with a consumer group, a waiting room for what is tried again, and what was set aside."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from bot.store.commit import from_ms
from bot.store.errors import ANSWERS, said
from bot.store.incident_store import Store
from bot.store.redis import GROUP, NotRecorded, Script, answering, run_script

NOW = """
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local function whole(number) return string.format('%.0f', number) end
"""
FIELDS = """
local function fields_of(entry)
  local found = redis.call('XRANGE', KEYS[1], entry, entry)
  local fields = {}
  if #found > 0 then
    for i = 1, #found[1][2], 2 do fields[found[1][2][i]] = found[1][2][i + 1] end
  end
  return fields, #found > 0
end
local function flat(fields)
  local list = {}
  for name, value in pairs(fields) do list[#list + 1] = name; list[#list + 1] = value end
  return list
end
local function end_of(entry)
  redis.call('XACK', KEYS[1], ARGV[1], entry)
  redis.call('XDEL', KEYS[1], entry)
end
"""

# KEYS: stream, waiting set, waiting fields. ARGV: group, entry, delay ms, limit ms, crashed 0/1.
RETRY = Script(
    NOW
    + FIELDS
    + """
local entry, delay, limit = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
if #redis.call('XPENDING', KEYS[1], ARGV[1], entry, entry, 1) == 0 then return 'gone' end
local fields, there = fields_of(entry)
if not there then end_of(entry); return 'gone' end
fields.first = whole(math.min(tonumber(fields.first or now), now)) -- later than now: the clock was set back
if now + delay - tonumber(fields.first) > limit then return 'over' end
fields.attempt = tostring(tonumber(fields.attempt or '0') + 1)
fields.crashes = tostring(tonumber(fields.crashes or '0') + tonumber(ARGV[5]))
redis.call('ZADD', KEYS[2], whole(now + delay), fields.id)
redis.call('HSET', KEYS[3], fields.id, cjson.encode(fields))
end_of(entry)
return 'waiting'
"""
)

# The same keys. Moves what is due back into the stream; answers with the ms until the next one, or -1.
PROMOTE = Script(
    NOW
    + FIELDS
    + """
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', whole(now), 'LIMIT', 0, 100)) do
  local fields = redis.call('HGET', KEYS[3], id)
  if fields then redis.call('XADD', KEYS[1], '*', unpack(flat(cjson.decode(fields)))) end
  redis.call('ZREM', KEYS[2], id)
  redis.call('HDEL', KEYS[3], id)
end
local first = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
if #first == 0 then return -1 end
return math.max(0, tonumber(first[2]) - now)
"""
)

# KEYS: stream, aside. ARGV: group, entry, reason, why ("version": another version may take it up, bot/outbox/dead_letters.py).
SET_ASIDE = Script(
    FIELDS
    + """
if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1) == 0 then return 0 end
local fields, there = fields_of(ARGV[2])
if there then
  fields.reason, fields.why = ARGV[3], ARGV[4]
  redis.call('XADD', KEYS[2], '*', unpack(flat(fields)))
end
end_of(ARGV[2])
return 1
"""
)

# KEYS: stream. ARGV: group, consumer. What a stopping worker still holds is anybody's again, at once.
HAND_BACK = Script(
    FIELDS
    + """
local count = 0
for _, held in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 10000, ARGV[2])) do
  local fields, there = fields_of(held[1])
  if there then
    fields.attempt = tostring(tonumber(fields.attempt or '0') + 1)
    redis.call('XADD', KEYS[1], '*', unpack(flat(fields)))
    count = count + 1
  end
  end_of(held[1])
end
redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
return count
"""
)

# KEYS: stream. ARGV: group, idle ms. One script: a consumer that wakes up in between would lose what it reads.
FORGET_CONSUMERS = Script(
    """
for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local info = {}
  for i = 1, #consumer, 2 do info[consumer[i]] = consumer[i + 1] end
  if info.pending == 0 and info.idle > tonumber(ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], info.name)
  end
end
return 1
"""
)


@dataclass(frozen=True, slots=True)
class Held:
    """An outbox entry that this worker holds. Fields are strings, as `commit.lua` wrote them."""

    entry: str
    fields: dict[str, str]
    deliveries: int = 1

    @property
    def attempt(self) -> int:
        """1 for the first try; what was given back, reclaimed or tried again counts up."""
        return int(self.fields.get("attempt", "0")) + self.deliveries

    @property
    def crashes(self) -> int:
        return int(self.fields.get("crashes", "0"))

    def again(self) -> Held:
        """The same for another try by the worker that holds it."""
        tried = str(int(self.fields.get("attempt", "0")) + 1)
        return replace(self, fields={**self.fields, "attempt": tried})


@dataclass(frozen=True, slots=True)
class SetAside:
    """What could not be decoded, for `firebreak doctor`."""

    at: datetime
    incident: str
    effect_id: str
    reason: str


class Queue:
    """The worker's commands. Raises `bot.store.redis.NotRecorded` or `AnswerLost` when Redis cannot be used."""

    def __init__(self, store: Store, consumer: str) -> None:
        self._redis = store.redis
        self._keys = store.keys
        self._consumer = consumer
        self._waiting = [self._keys.outbox, self._keys.waiting, self._keys.waiting_fields]

    async def ensure_group(self) -> None:
        try:
            await self._redis.xgroup_create(self._keys.outbox, GROUP, id="0", mkstream=True)
        except (RedisError, OSError) as error:
            if not str(error).startswith("BUSYGROUP"):
                raise NotRecorded(said(error), refused=isinstance(error, ANSWERS)) from error

    async def read(self, blocking: Redis, count: int, block_ms: int) -> list[Held]:
        """New entries; waits up to `block_ms` for the first. `blocking` is a client that nobody else uses."""
        try:
            answer: Any = await blocking.xreadgroup(
                GROUP, self._consumer, {self._keys.outbox: ">"}, count=count, block=block_ms
            )
        except (RedisError, OSError) as error:
            if not str(error).startswith("NOGROUP"):
                raise NotRecorded(said(error), refused=isinstance(error, ANSWERS)) from error
            await self.ensure_group()
            return []
        return [Held(entry, fields) for _, entries in answer or [] for entry, fields in entries]

    async def reclaim(self, idle_ms: int) -> list[Held]:
        """What nobody renewed for `idle_ms`: its worker is dead or stuck. Ours from now on."""
        with answering(NotRecorded):
            # What is told last, the entries that were deleted meanwhile, is told from 7.0 on; 6.2 lists them as None.
            answer: Any = await self._redis.xautoclaim(
                self._keys.outbox, GROUP, self._consumer, min_idle_time=idle_ms, count=100
            )
            found: list[Held] = []
            for entry, fields in answer[1]:
                if entry is None:
                    continue
                pending: Any = await self._redis.xpending_range(
                    self._keys.outbox, GROUP, entry, entry, 1
                )
                if pending and fields is not None:
                    found.append(Held(entry, fields, pending[0]["times_delivered"]))
            return found

    async def renew(self, entries: list[str]) -> list[str]:
        """Resets the idle time of what is still ours, and names it, without counting a delivery; what another reclaimed is its own."""
        with answering(NotRecorded):
            ours: Any = await self._redis.xpending_range(
                self._keys.outbox, GROUP, "-", "+", 10_000, consumername=self._consumer
            )
            held = [one["message_id"] for one in ours if one["message_id"] in set(entries)]
            if held:
                await self._redis.xclaim(
                    self._keys.outbox, GROUP, self._consumer, 0, held, justid=True
                )
        return held

    async def retry(self, entry: str, delay: float, *, limit: float, crashed: bool = False) -> str:
        """Puts an entry into the waiting room for `delay` seconds: `waiting`; or `over`, beyond `limit` since its first try; or `gone`."""
        arguments = (GROUP, entry, round(delay * 1000), round(limit * 1000), int(crashed))
        return str(await run_script(self._redis, RETRY, self._waiting, *arguments))

    async def promote(self) -> float | None:
        """Puts what is due back into the stream. Seconds until the next one, or None."""
        ms = int(await run_script(self._redis, PROMOTE, self._waiting))
        return None if ms < 0 else ms / 1000

    async def set_aside(self, entry: str, reason: str, *, why: str = "") -> None:
        await run_script(
            self._redis, SET_ASIDE, [self._keys.outbox, self._keys.aside], GROUP, entry, reason, why
        )

    async def ack(self, entry: str) -> None:
        """Ends an entry that has no result to record."""
        with answering(NotRecorded):
            await self._redis.xack(self._keys.outbox, GROUP, entry)
            await self._redis.xdel(self._keys.outbox, entry)

    async def hand_back(self) -> int:
        """Everything this worker holds becomes free at once. Returns how many."""
        return int(
            await run_script(self._redis, HAND_BACK, [self._keys.outbox], GROUP, self._consumer)
        )

    async def forget_consumers(self, idle_seconds: float) -> None:
        """Removes the names of workers that are gone and hold nothing."""
        await run_script(
            self._redis, FORGET_CONSUMERS, [self._keys.outbox], GROUP, round(idle_seconds * 1000)
        )


async def set_aside(store: Store) -> list[SetAside]:
    """What could not be decoded, newest first, at most 100."""
    with answering(NotRecorded):
        entries: Any = await store.redis.xrevrange(store.keys.aside, count=100)
    return [
        SetAside(
            at=from_ms(int(entry.split("-")[0])),
            incident=fields.get("incident", ""),
            effect_id=fields.get("id", ""),
            reason=fields.get("reason", ""),
        )
        for entry, fields in entries
    ]


async def set_aside_count(store: Store) -> int:
    with answering(NotRecorded):
        return int(await store.redis.xlen(store.keys.aside))


async def put_aside(
    store: Store, *, incident: str, name: str, reason: str, text: str, at_ms: int = 0, why: str = ""
) -> None:
    """Keeps a timer that this version of the bot cannot read, or whose incident it cannot read."""
    fields = {
        "incident": incident,
        "id": name,
        "effect": text,
        "reason": reason,
        "timer": name,
        "at": str(at_ms),
    }
    with answering(NotRecorded):
        await store.redis.xadd(store.keys.aside, {**fields, "why": why})  # type: ignore[arg-type]
