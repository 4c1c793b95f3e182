"""How many edits Slack is sent, over all replicas together: in bursts while it takes them, evenly once it did not.

`chat.update` is Tier 3 (https://docs.slack.dev/reference/methods/chat.update): "50+ per minute", of which Slack says that it is at least so
many and that "sporadic bursts are welcome" (https://docs.slack.dev/apis/web-api/rate-limits). So there is a bucket that fills with 48 a
minute: after quiet minutes a hundred messages can be brought up to date at once, and over a long time the tier holds. Where Slack answers 429,
everybody waits as long as it says, and for an hour no minute has more than 50 edits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.store.incident_store import Store
from bot.store.redis import NotRecorded, Script, answering, run_script

A_MINUTE = 48
BURST = 200
LEAVE: Mapping[str, int] = {
    "decision": 0,
    "status": 5,
    "progress": 120,
    "tree": 120,
    "announcement": 120,
}
"""So many edits a kind leaves in the bucket for what matters more: decisions and statuses of a hundred incidents at any time."""
STRICT: Mapping[str, int] = {
    "decision": 50,
    "status": 47,
    "progress": 20,
    "tree": 25,
    "announcement": 25,
}
"""In a strict minute a kind may be edited while fewer than so many edits were made in it."""
OTHER = "announcement"
"""Kinds that are not named count as this one."""
STRICT_SECONDS = 3600
WINDOW_SECONDS = 61.0
"""A minute, and what the way to Slack may take."""

# KEYS: log, pause, bucket, strict, what the message shows (forgotten with the go). ARGV: id, to leave, strict limit, a minute, burst, window ms. 0: go; else the ms after which to ask again.
SPEND = Script(
    """
local pause = redis.call('PTTL', KEYS[2])
if pause > 0 then return pause end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local leave, limit, rate, burst, window = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]) / 60000, tonumber(ARGV[5]), tonumber(ARGV[6])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - window))
if redis.call('EXISTS', KEYS[4]) == 1 then
  local used = redis.call('ZCARD', KEYS[1])
  if used >= limit then
    local leaves = redis.call('ZRANGE', KEYS[1], used - limit, used - limit, 'WITHSCORES')
    return math.max(1, tonumber(leaves[2]) + window - now)
  end
else
  local had = redis.call('HMGET', KEYS[3], 'left', 'at')
  local left = burst
  if had[1] then left = math.min(burst, tonumber(had[1]) + math.max(0, now - tonumber(had[2])) * rate) end
  if left < leave + 1 then return math.max(1, math.ceil((leave + 1 - left) / rate)) end
  redis.call('HSET', KEYS[3], 'left', string.format('%.6f', left - 1), 'at', string.format('%.0f', now))
  redis.call('PEXPIRE', KEYS[3], math.ceil(burst / rate))
end
redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
redis.call('PEXPIRE', KEYS[1], window)
if KEYS[5] then redis.call('DEL', KEYS[5]) end
return 0
"""
)

# KEYS: as above. ARGV: id, ms to wait, ms to be strict, a minute, burst. What Slack refused does not count as an edit.
REFUSED = Script(
    """
redis.call('ZREM', KEYS[1], ARGV[1])
local wait = tonumber(ARGV[2])
if redis.call('PTTL', KEYS[2]) < wait then redis.call('SET', KEYS[2], '429', 'PX', wait) end
redis.call('SET', KEYS[4], '429', 'PX', ARGV[3])
local time = redis.call('TIME')
redis.call('HSET', KEYS[3], 'left', '0', 'at', string.format('%.0f', tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)))
redis.call('PEXPIRE', KEYS[3], math.ceil(60000 * tonumber(ARGV[5]) / tonumber(ARGV[4])))
return 0
"""
)


class Budget:
    """Raises `bot.store.redis.StoreError` when Redis cannot be used."""

    def __init__(self, store: Store) -> None:
        keys = store.keys
        self._redis = store.redis
        self._keys = [keys.budget, keys.pause, keys.bucket, keys.strict]
        self._rendered = keys.rendered

    async def spend(self, kind: str, id: str, *, changes: str | None = None) -> float:
        """Takes one edit, if this kind may have it now: 0, or the seconds after which to ask again. `id`: of this very edit.

        `changes`: the live message that is edited. With the 0 it is forgotten what it shows: until Slack says so, nobody knows.
        """
        leave, strict = (of.get(kind, of[OTHER]) for of in (LEAVE, STRICT))
        window = round(WINDOW_SECONDS * 1000)
        keys = [*self._keys, self._rendered(changes)] if changes is not None else self._keys
        return (
            int(
                await run_script(
                    self._redis, SPEND, keys, id, leave, strict, A_MINUTE, BURST, window
                )
            )
            / 1000
        )

    async def refused(self, seconds: float, id: str) -> None:
        """Slack asked for patience: no edit by any replica for so long, and no bursts for an hour."""
        wait, strict = max(1, round(seconds * 1000)), STRICT_SECONDS * 1000
        await run_script(self._redis, REFUSED, self._keys, id, wait, strict, A_MINUTE, BURST)

    async def strict(self) -> bool:
        """Whether Slack refused a burst within the last hour."""
        return bool(await _asked(self._redis.exists(self._keys[3])))


async def _asked(answer: Any) -> Any:
    with answering(NotRecorded):
        return await answer
