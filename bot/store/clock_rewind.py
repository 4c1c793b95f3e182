"""A clock of Redis that is set back: what waits in Redis is moved with it, once over all replicas, so that it comes when it was promised."""

from __future__ import annotations

from bot.store.incident_store import Store
from bot.store.redis import GROUP, Script, run_script

LEAST_SECONDS = 2.0
"""A smaller step makes nobody late. So often the time is written down, too."""
NEAR_SECONDS = 3 * 3600.0
"""What is due later than that is meant by the calendar ("on Tuesday at nine") and stays where it is. The longest promise
between people is two hours (phases/coordination/updates.py NEXT_MINUTES)."""
SEEN_SECONDS = 5.0
"""What should have ended while the step was not seen yet has ended."""

# KEYS: the prefix. ARGV: least, near, seen in ms, group. Answers the ms by which the clock was set back since it was last looked at, else 0.
# Who comes second finds the time written down and moves nothing. What is shown of a timer by then (its old moment) is "gone" to a commit.
# What Redis itself reckons by its clock moves, too: how long keys live, and how long a dead worker holds what it held.
SET_BACK = Script(
    """
local prefix = KEYS[1]
local function key(name) return prefix .. ':' .. name end
local function whole(number) return string.format('%.0f', number) end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local seen = tonumber(redis.call('GET', key('clock')) or '0')
local least, near, unseen = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
if math.abs(now - seen) < least then return 0 end
redis.call('SET', key('clock'), whole(now))
if now > seen then return 0 end
local step = seen - now
for _, name in ipairs({'timers', 'outbox:waiting', 'live:budget'}) do
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', key(name), '-inf', whole(seen + near))) do
    redis.call('ZINCRBY', key(name), whole(-step), member)
  end
end
local filled = redis.call('HGET', key('live:bucket'), 'at')
if filled then redis.call('HSET', key('live:bucket'), 'at', whole(tonumber(filled) - step)) end
local held = redis.pcall('XPENDING', key('outbox'), ARGV[4], '-', '+', 10000)
if not held.err then
  for _, one in ipairs(held) do redis.call('XCLAIM', key('outbox'), ARGV[4], one[2], 0, one[1], 'JUSTID') end
end
local cursor = '0'
repeat
  local found = redis.call('SCAN', cursor, 'MATCH', string.gsub(prefix, '[%[%]?*\\\\]', '\\\\%0') .. ':*', 'COUNT', 1000)
  cursor = found[1]
  for _, name in ipairs(found[2]) do
    local lives = redis.call('PTTL', name)
    if lives > 0 and lives > step - unseen then redis.call('PEXPIRE', name, whole(math.max(1, lives - step))) end
  end
until cursor == '0'
return step
"""
)


async def set_back(store: Store) -> float:
    """The seconds by which the clock of Redis was set back since anybody looked, where it was; then all that waits was moved.

    Raises `bot.store.redis.StoreError` when Redis cannot be used.
    """
    spans = (round(seconds * 1000) for seconds in (LEAST_SECONDS, NEAR_SECONDS, SEEN_SECONDS))
    return int(await run_script(store.redis, SET_BACK, [store.keys.prefix], *spans, GROUP)) / 1000
