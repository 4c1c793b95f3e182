"""Whether Redis would throw keys away when it is full. Every key of the bot is needed: an incident, a claim, a deploy's record."""

from __future__ import annotations

import logging
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

log = logging.getLogger("firebreak")

MEND = "set maxmemory-policy noeviction: every key of the bot is needed"


class ThrowsAway(Exception):
    """Redis would lose incidents without a word. The text says how to mend it."""


def thrown_away(info: dict[str, Any]) -> str | None:
    """The policy by which keys would go (https://redis.io/docs/latest/develop/reference/eviction/); None where none would.

    `info` as redis-py parses INFO.
    """
    policy = str(info.get("maxmemory_policy") or "noeviction")
    return policy if int(info.get("maxmemory") or 0) and policy != "noeviction" else None


async def must_keep(redis: Redis) -> None:
    """At the start. Raises `ThrowsAway` where any key may go; where only those may that end by themselves, it is said in the log.

    A Redis that cannot be asked now is not refused: the bot waits for it.
    """
    try:
        info: dict[str, Any] = await redis.info("memory")
    except (RedisError, OSError):
        return
    policy = thrown_away(info)
    if policy is None:
        return
    if not policy.startswith("volatile-"):
        raise ThrowsAway(
            f"Redis throws any key away when it is full (maxmemory-policy {policy}). Please {MEND}."
        )
    log.critical(
        "Redis throws keys away when it is full (maxmemory-policy %s): what was delivered twice may count twice then. Please %s.",
        policy,
        MEND,
    )
