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
from bot.store.redis import Script
from phases.record.wording import FORGOTTEN, SOMEBODY

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

FORGET = Script("forget")
"""Run once for each key."""


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
    found: Counter[str] = Counter()
    keys = [key async for key in store.redis.scan_iter(match=f"{_literally(prefix)}:*", count=500)]
    for key in dict.fromkeys(keys):
        changed: int = await store.run(FORGET, key=key, patterns=patterns)
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
