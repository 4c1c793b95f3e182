"""`firebreak forget <slack-id>`: replace a person by nobody, everywhere in Redis.

Every key of the bot is looked through: records, timelines, memories, drafts, waiting work.
A second run changes nothing. Text elsewhere (Slack, tickets, post-mortems in Git) stays.
"""

import asyncio
import re
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Any, TextIO

from bot.cli.store_access import run
from bot.connection.client import Script, StoreError, keys_under, store_errors
from bot.store.incident_store import Store
from phases.text.cleaning import FORGOTTEN, PERSON, SOMEBODY

PASSES_MOST = 3
"""The most passes: a running bot may write meanwhile, so keys are read until none has changed."""
SHORTEST_ID = 6
"""A shorter text is refused: it may be a word, and would be replaced wherever that stands."""
REWRITE_SECONDS = 60.0
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
    """Return exit code 0, also where the person stands nowhere.

    1 where Redis cannot be used, 2 for a wrong id or wrong settings.
    """
    is_id = re.fullmatch(PERSON, person) and len(person) >= SHORTEST_ID
    if not is_id or person == FORGOTTEN:
        print(
            f"{person!r} is no Slack id of a person: "
            "it looks like U024BE7LH (Profile, Copy member ID).",
            file=sys.stderr,
        )
        return 2

    return run(lambda store: forget(store, person, names))


async def forget(store: Store, person: str, names: Sequence[str], out: TextIO = sys.stdout) -> int:
    changed: Counter[str] = Counter()
    for _ in range(PASSES_MOST):
        changed_now = await _sweep_keys(store, person, names)
        changed += changed_now
        if not changed_now:
            break
    else:
        print(
            f"A running bot goes on writing {person}: run this again once that person is quiet.",
            file=sys.stderr,
        )
    if not changed:
        print(f"{person} stands nowhere: nothing was changed.", file=out)
        return 0
    for place, count in sorted(changed.items()):
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
    try:
        await _rewrite_log(store)
    except StoreError as error:
        print(f"Redis did not write its log anew; send it BGREWRITEAOF. {error.text}.", file=out)
    return 0


async def _sweep_keys(store: Store, person: str, names: Sequence[str]) -> Counter[str]:
    """Look through every key once; return how many values were changed, by place."""
    prefix = store.keys.prefix
    patterns = _patterns(person, names)
    changed: Counter[str] = Counter()
    for key in await keys_under(store.redis, prefix):
        if count := int(await store.run(FORGET, key=key, patterns=patterns)):
            place = key.removeprefix(f"{prefix}:").partition(":")[0]
            changed[_PLACES.get(place, "other")] += count
    return changed


def _patterns(person: str, names: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return the replacements as forget.lua takes them: Lua pattern, replacement, plain text.

    Without the plain text in it a value need not be matched against the pattern.
    """
    patterns = [
        (f"<@{person}|[^<>]*>", f"<@{FORGOTTEN}>", person),
        (f"%f[%w]{person}%f[%W]", FORGOTTEN, person),
        (f"(\\\\[nrt]){person}%f[%W]", f"%1{FORGOTTEN}", person),  # behind a line break in JSON
    ]
    for name in names:
        literal = re.sub(r"([^\w\s])", r"%\1", name.strip(), flags=re.ASCII)
        if literal:
            patterns.append((f"%f[%w]{literal}%f[%W]", SOMEBODY, name.strip()))
    return patterns


async def _rewrite_log(store: Store) -> None:
    """Have Redis write its append-only file anew: until then the old words stand on its disk."""
    redis = store.redis
    with store_errors():
        info: dict[str, Any] = await redis.info("persistence")
        if not int(info.get("aof_enabled") or 0):
            return
        await redis.bgrewriteaof()
        ends = asyncio.get_running_loop().time() + REWRITE_SECONDS
        while asyncio.get_running_loop().time() < ends:
            await asyncio.sleep(0.1)
            info = await redis.info("persistence")
            if not int(info["aof_rewrite_in_progress"]) and not int(info["aof_rewrite_scheduled"]):
                return
