"""Who has App Home open, in Redis: any replica may keep it current, one at a time does; a restart forgets nobody."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from bot.store.incident_store import Store
from bot.store.redis import Script, run_script
from handlers.ports import Looking

TURN_SECONDS = 6.0
"""So long nobody else draws after the last word of whoever does: three looks."""

# KEYS: viewers (until when), what they see, whose turn it is, counter of marks. All times are the server's.
# ARGV: user, ms, at most.
OPEN = Script(
    """
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZADD', KEYS[1], string.format('%.0f', now + tonumber(ARGV[2])), ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -1 - tonumber(ARGV[3]))
for _, key in ipairs({KEYS[1], KEYS[2]}) do redis.call('PEXPIRE', key, math.max(1, tonumber(ARGV[2]))) end
return 1
"""
)

# ARGV: who asks, ms of a turn. Nothing where nobody looks, or it is another one's turn; else the counter, and each viewer with what they see.
LOOK = Script(
    """
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
local users = redis.call('ZRANGE', KEYS[1], 0, -1)
if #users == 0 then return {} end
local turn = redis.call('GET', KEYS[3])
if turn and turn ~= ARGV[1] then return {} end
redis.call('SET', KEYS[3], ARGV[1], 'PX', ARGV[2])
local found = {redis.call('GET', KEYS[4]) or ''}
for _, user in ipairs(users) do
  table.insert(found, user)
  table.insert(found, redis.call('HGET', KEYS[2], user) or '')
end
return found
"""
)

# ARGV: user, what they see now (empty: they are no viewer), who drew it, ms of a turn. A turn that is still ours goes on.
DRAWN = Script(
    """
if ARGV[2] == '' then
  redis.call('ZREM', KEYS[1], ARGV[1])
  redis.call('HDEL', KEYS[2], ARGV[1])
elseif redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
  redis.call('PEXPIRE', KEYS[2], redis.call('PTTL', KEYS[1]))
end
if redis.call('GET', KEYS[3]) == ARGV[3] then redis.call('PEXPIRE', KEYS[3], ARGV[4]) end
return 1
"""
)


class StoreViewers:
    """Keeps `handlers.ports.Viewers`. Raises `bot.store.redis.StoreError` where Redis cannot be used."""

    def __init__(self, store: Store) -> None:
        prefix = store.keys.prefix
        self._redis = store.redis
        self._keys = [
            f"{prefix}:homes",
            f"{prefix}:homes:shown",
            f"{prefix}:homes:turn",
            store.keys.dirty_counter,
        ]
        self._me = uuid4().hex

    async def opened(self, user: str, seconds: float, at_most: int) -> None:
        await self._run(OPEN, user, round(seconds * 1000), at_most)

    async def looking(self) -> Looking | None:
        found: list[Any] = await self._run(LOOK, self._me, round(TURN_SECONDS * 1000))
        if not found:
            return None
        return Looking(mark=str(found[0]), shown=dict(zip(found[1::2], found[2::2], strict=True)))

    async def drawn(self, user: str, shown: str) -> None:
        await self._run(DRAWN, user, shown, self._me, round(TURN_SECONDS * 1000))

    async def _run(self, script: Script, *arguments: str | int) -> Any:
        return await run_script(self._redis, script, self._keys, *arguments)
