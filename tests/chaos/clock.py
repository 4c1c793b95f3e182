"""A clock of Redis that can be set by hand.

Every script and every TIME of the bot sees it, and everything else is real. Redis has no command
that sets its clock, so each script calls `now_of_redis()` in place of TIME: the real time and the
seconds in `OFFSET`. Redis measures the life of keys by its own clock. `step` moves those ends, as a
set clock would.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

from bot.connection import client as connection

OFFSET = "{fb}:chaos:offset"
"""Seconds."""
SET = f"""
local function now_of_redis()
  local time = redis.call('TIME')
  return {{tostring(tonumber(time[1]) + tonumber(redis.call('GET', '{OFFSET}') or '0')), time[2]}}
end
"""
ASKED = "redis.call('TIME')"
TIME = SET + "local time = now_of_redis() return {tonumber(time[1]), tonumber(time[2])}"

# KEYS: none. ARGV: seconds. Keys that expire live shorter, or longer, by as much as the clock was
# set.
STEP = f"""
redis.call('INCRBY', '{OFFSET}', ARGV[1])
local step, cursor = tonumber(ARGV[1]) * 1000, '0'
repeat
  local found = redis.call('SCAN', cursor, 'COUNT', 1000)
  cursor = found[1]
  for _, key in ipairs(found[2]) do
    local lives = redis.call('PTTL', key)
    if lives > 0 then redis.call('PEXPIRE', key, string.format('%.0f', lives - step)) end
  end
until cursor == '0'
return redis.call('GET', '{OFFSET}')
"""


def by_hand() -> None:
    """From here on every new script and every TIME sees the set clock.

    Call it before `bot.store` is imported.
    """
    source = connection.source
    connection.source = lambda name: SET + source(name).replace(ASKED, "now_of_redis()")

    def time(self: Any, **_: Any) -> Any:
        return self.eval(TIME, 0)

    Redis.time = time  # pyright: ignore
    Pipeline.time = time  # pyright: ignore
    packed = connection._packed  # pyright: ignore[reportPrivateUsage]
    connection._packed = lambda commands: packed(
        [("EVAL", TIME, 0) if command == ("TIME",) else command for command in commands]
    )


@dataclass(frozen=True, slots=True)
class Stepped:
    looks: int
    verdicts: dict[str, int]
    seconds: float
    """Until nothing was pending any more."""
    stuck: int
    faults: list[str]


STEPS = {
    "an hour asleep": (3600, "asleep"),
    "the clock set an hour back, where it was wrong": (-3600, "mended"),
    "the clock set an hour back, where it was right": (-3600, "wrong"),
    "the clock set an hour forward, where it was wrong": (3600, "mended"),
    "the clock set an hour forward, where it was right": (3600, "wrong"),
}


async def stepped(seconds: int, who: str) -> Stepped:
    """`tests.chaos.stepped` in a process of its own."""
    command = (sys.executable, "-m", "tests.chaos.stepped", str(seconds), who)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"{command[2]} ended with {process.returncode}")
    return Stepped(**json.loads(output.decode().splitlines()[-1]))


async def step(redis: Redis, seconds: int) -> None:
    """Sets the clock of Redis forward, or back."""
    await redis.eval(STEP, 0, seconds)
