"""Dirty marks in Redis: what must be rendered again, who renders it, and what was sent last."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from redis.exceptions import RedisError

from bot.connection import NotRecorded, Script, ask, run_script
from bot.store import Store

LEASE_SECONDS = 10.0
RANKS = 8
"""A mark's score is its counter and, in eighths, how urgent it is (bot/request.py `urgency`): the whole part says what is newer."""
REMEMBERED_SECONDS = 7 * 24 * 3600

# KEYS: lease. ARGV: token, ms (0: free it). Only its holder may change a lease.
HOLD = Script(
    """#!lua
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if tonumber(ARGV[2]) <= 0 then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], 'cooling', 'PX', ARGV[2]) end
return 1
"""
)

# KEYS: marks, lease. ARGV: member, its counter as it was read, token. Clears a mark unless there is a newer one.
CLEAR = Script(
    """#!lua
if redis.call('GET', KEYS[2]) ~= ARGV[3] then return 0 end
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not score or tonumber(score) ~= tonumber(ARGV[2]) then return 0 end
redis.call('ZREM', KEYS[1], ARGV[1])
return 1
"""
)

# KEYS: marks, the hash of an earlier version, counter. Marks that it left, or that one of its replicas still sets.
ADOPT = Script(
    """#!lua
local old = redis.call('HKEYS', KEYS[2])
for _, member in ipairs(old) do redis.call('ZADD', KEYS[1], string.format('%.0f', redis.call('INCR', KEYS[3])), member) end
if #old > 0 then redis.call('DEL', KEYS[2]) end
return #old
"""
)


class Marks:
    """Raises `bot.connection.StoreError` when Redis cannot be used. A member is `<incident>|<name>`."""

    def __init__(self, store: Store) -> None:
        self._redis = store.redis
        self._keys = store.keys

    async def since(self, counter: float, at_most: int) -> tuple[list[tuple[str, float]], int]:
        """Marks that are newer than `counter`, the oldest of them first, each with its own; and the newest that was ever given."""
        between = (f"({counter}", "+inf", "BYSCORE", "LIMIT", 0, at_most, "WITHSCORES")
        new, newest = _answered(
            await ask(self._redis, ("ZRANGE", self._keys.marks, *between), ("GET", self._keys.dirty_counter))
        )
        return [(member, float(score)) for member, score in zip(new[::2], new[1::2], strict=True)], int(newest or 0)

    async def adopt(self) -> None:
        """Takes over what an earlier version of the bot marked in its own way."""
        await run_script(self._redis, ADOPT, [self._keys.marks, self._keys.dirty, self._keys.dirty_counter])

    async def current(self, member: str) -> float | None:
        return await _asked(self._redis.zscore(self._keys.marks, member))

    async def lease(self, member: str) -> str | None:
        """A token for the only edit of this message, or None where one is under way (or was a moment ago)."""
        token = uuid4().hex
        taken = await _asked(self._redis.set(self._keys.lease(member), token, nx=True, px=round(LEASE_SECONDS * 1000)))
        return token if taken else None

    async def release(self, member: str, token: str, *, cool_seconds: float = 0) -> None:
        """Gives the lease back, or keeps everybody off this message for a moment."""
        await run_script(self._redis, HOLD, [self._keys.lease(member)], token, round(cool_seconds * 1000))

    async def clear(self, member: str, counter: float, token: str) -> bool:
        """Whether the mark was cleared; not when there is a newer one, or the lease ran out."""
        keys = [self._keys.marks, self._keys.lease(member)]
        return bool(await run_script(self._redis, CLEAR, keys, member, repr(counter), token))

    async def sent(self, member: str) -> str | None:
        """The fingerprint of what this message shows, as far as it is known."""
        return await _asked(self._redis.get(self._keys.rendered(member)))

    async def remember(self, member: str, fingerprint: str | None) -> None:
        key = self._keys.rendered(member)
        if fingerprint is None:
            await _asked(self._redis.delete(key))
        else:
            await _asked(self._redis.set(key, fingerprint, ex=REMEMBERED_SECONDS))


def _answered(answers: list[Any]) -> list[Any]:
    for answer in answers:
        if isinstance(answer, Exception):
            raise NotRecorded("Redis cannot be used.") from answer
    return answers


async def _asked(answer: Any) -> Any:
    try:
        return await answer
    except (RedisError, OSError) as error:
        raise NotRecorded("Redis cannot be used.") from error
