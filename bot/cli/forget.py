"""`firebreak forget <slack-id>`: puts nobody in the place of a person, everywhere in Redis; twice changes nothing.

Every key of the bot is looked through, whatever it holds: records, timelines, memories, drafts, what waits to be done. What was
written elsewhere (Slack, tickets, post-mortems in Git) stays there.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any, TextIO

from redis.exceptions import RedisError

from bot.cli.store_access import opened, run
from bot.store.errors import said
from bot.store.incident_store import Store
from bot.store.redis import Script, run_script
from phases.record.text import FORGOTTEN, SOMEBODY

PASSES = 3
"""A running bot may write while it is looked through: until nothing is found, at most so often."""
REWRITE_SECONDS = 60.0
_ID = re.compile(r"[UW][A-Z0-9]{5,20}")
_PLACES = {
    "incident": "records",
    "timeline": "timelines",
    "words": "timelines",
    "memory": "memories",
    "drafts": "drafts",
    "outbox": "what waits to be done",
    "timers": "what waits to be done",
}

# KEYS: one key. ARGV: prefix of records, how many pairs, then pattern, replacement, plain text to look for first; each.
# Answers how many values were changed. A record gets a new version, so that nobody who has read the old one can write it back.
FORGET = Script(
    """
local key, records, pairs_ = KEYS[1], ARGV[1], tonumber(ARGV[2])
local function without(text)
  local found = text
  for i = 0, pairs_ - 1 do
    if string.find(found, ARGV[5 + i * 3], 1, true) then found = string.gsub(found, ARGV[3 + i * 3], ARGV[4 + i * 3]) end
  end
  return found
end
local kind = redis.call('TYPE', key).ok
local changed = 0
if kind == 'string' then
  local old = redis.call('GET', key)
  local new = without(old)
  if new ~= old then changed = 1; redis.call('SET', key, new, 'KEEPTTL') end
elseif kind == 'hash' then
  local all = redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    local field, new = without(all[i]), without(all[i + 1])
    if field ~= all[i] then
      changed = changed + 1
      redis.call('HDEL', key, all[i])
      local name, number = field, 1
      while redis.call('HEXISTS', key, name) == 1 do number = number + 1; name = field .. number end
      redis.call('HSET', key, name, new)
    elseif new ~= all[i + 1] then
      changed = changed + 1
      redis.call('HSET', key, field, new)
    end
  end
  if changed > 0 and string.sub(key, 1, #records) == records then redis.call('HINCRBY', key, 'version', 1) end
elseif kind == 'list' then
  for i, old in ipairs(redis.call('LRANGE', key, 0, -1)) do
    local new = without(old)
    if new ~= old then changed = changed + 1; redis.call('LSET', key, i - 1, new) end
  end
elseif kind == 'set' then
  for _, old in ipairs(redis.call('SMEMBERS', key)) do
    local new = without(old)
    if new ~= old then changed = changed + 1; redis.call('SREM', key, old); redis.call('SADD', key, new) end
  end
elseif kind == 'zset' then
  local all = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
  for i = 1, #all, 2 do
    local new = without(all[i])
    if new ~= all[i] then changed = changed + 1; redis.call('ZREM', key, all[i]); redis.call('ZADD', key, all[i + 1], new) end
  end
elseif kind == 'stream' then
  -- An entry cannot be changed: it is added again and dropped. What it wants done may be done twice, which is safe where the second
  -- try knows that it is the second (`Held.attempt`).
  for _, entry in ipairs(redis.call('XRANGE', key, '-', '+')) do
    local fields, other = {}, false
    for i, old in ipairs(entry[2]) do
      fields[i] = without(old)
      other = other or fields[i] ~= old
    end
    if other then
      changed = changed + 1
      local wanted, tried = false, 0
      for i = 1, #fields, 2 do
        if fields[i] == 'effect' then wanted = true end
        if fields[i] == 'attempt' then tried = i + 1 end
      end
      if tried > 0 then
        fields[tried] = tostring(tonumber(fields[tried]) + 1)
      elseif wanted then
        fields[#fields + 1] = 'attempt'; fields[#fields + 1] = '1'
      end
      redis.call('XADD', key, '*', unpack(fields))
      for _, group in ipairs(redis.call('XINFO', 'GROUPS', key)) do
        for at, name in ipairs(group) do if name == 'name' then redis.call('XACK', key, group[at + 1], entry[1]) end end
      end
      redis.call('XDEL', key, entry[1])
    end
  end
end
local renamed = without(key)
if renamed ~= key and redis.call('EXISTS', key) == 1 then
  changed = changed + 1
  if redis.call('RENAMENX', key, renamed) == 0 then redis.call('DEL', key) end
end
return changed
"""
)


def forget_main(person: str, names: Sequence[str]) -> int:
    """Exit code 0, also where nothing was found; 1 where Redis cannot be used; 2 for a wrong id or wrong settings."""
    if not _ID.fullmatch(person) or person == FORGOTTEN:
        print(
            f"{person!r} is no Slack id of a person: it looks like U024BE7LH (Profile, Copy member ID).",
            file=sys.stderr,
        )
        return 2

    async def command() -> int:
        async with opened(must_exist=True) as store:
            return await forget(store, person, names)

    return run(command)


async def forget(store: Store, person: str, names: Sequence[str], out: TextIO = sys.stdout) -> int:
    found: Counter[str] = Counter()
    for _ in range(PASSES):
        this = await _through(store, person, names)
        found += this
        if not this:
            break
    else:
        print(
            f"A running bot goes on writing {person}: run this again once that person is quiet.",
            file=sys.stderr,
        )
    if not found:
        print(f"{person} stands nowhere: nothing was changed.", file=out)
        return 0
    for place, count in sorted(found.items()):
        print(f"{place}: {count} changed", file=out)
    print(
        f"{person} is forgotten here; Slack, tickets and post-mortems keep what they have.",
        file=out,
    )
    if not names:
        print(
            'A name that was typed in plain words is not found by an id: add --name "Ann Lee".',
            file=out,
        )
    await _rewritten(store, out)
    return 0


async def _through(store: Store, person: str, names: Sequence[str]) -> Counter[str]:
    prefix = store.keys.prefix
    patterns = _patterns(person, names)
    arguments = [f"{prefix}:incident:", len(patterns), *(part for one in patterns for part in one)]
    found: Counter[str] = Counter()
    keys = [key async for key in store.redis.scan_iter(match=f"{_literally(prefix)}:*", count=500)]
    for key in dict.fromkeys(keys):
        changed: int = await run_script(store.redis, FORGET, [key], *arguments)
        if changed:
            place = key.removeprefix(f"{prefix}:").partition(":")[0]
            found[_PLACES.get(place, "other")] += changed
    return found


def _patterns(person: str, names: Sequence[str]) -> list[tuple[str, str, str]]:
    """Lua pattern, what stands in its place, and a plain text without which the pattern need not be tried."""
    found = [
        (f"<@{person}|[^<>]*>", f"<@{FORGOTTEN}>", person),
        (f"%f[%w]{person}%f[%W]", FORGOTTEN, person),
        (f"(\\\\[nrt]){person}%f[%W]", f"%1{FORGOTTEN}", person),  # behind a line break in JSON
    ]
    for name in names:
        literal = re.sub(r"([^\w\s])", r"%\1", name.strip(), flags=re.ASCII)
        if literal:
            found.append((f"%f[%w]{literal}%f[%W]", SOMEBODY, name.strip()))
    return found


def _literally(prefix: str) -> str:
    return re.sub(r"([\[\]*?\\])", r"\\\1", prefix)


async def _rewritten(store: Store, out: TextIO) -> None:
    """The log of writes on disk still has the old words until it is written anew."""
    redis = store.redis
    try:
        info: dict[str, Any] = await redis.info("persistence")
        if not int(info.get("aof_enabled") or 0):
            return
        await redis.bgrewriteaof()
        ends = asyncio.get_running_loop().time() + REWRITE_SECONDS
        while True:
            await asyncio.sleep(0.1)
            info = await redis.info("persistence")
            if not int(info["aof_rewrite_in_progress"]) and not int(info["aof_rewrite_scheduled"]):
                break
            if asyncio.get_running_loop().time() > ends:
                break
    except (RedisError, OSError) as error:
        print(f"Redis did not write its log anew; send it BGREWRITEAOF. {said(error)}", file=out)
