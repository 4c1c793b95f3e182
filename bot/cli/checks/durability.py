"""The durability of an acknowledged click on this Redis, by its own INFO and settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis

from bot.cli.checks import Finding, broken, unproven, works
from bot.connection.client import StoreError, store_errors

NAME = "An acknowledged click"
MEND_REPLICAS = "REDIS_WAIT_REPLICAS: start that many replicas, or wait for fewer"
MEND_AOF = "set appendonly yes, or use one that is kept by other means"
MEND_EVERYSEC = "set appendfsync always, or REDIS_WAIT_REPLICAS=1 with a replica on another machine"


async def fsync_of(redis: Redis) -> str | None:
    """Return `always`, `everysec` or `no`; None where CONFIG is refused, as managed ones do."""
    try:
        with store_errors():
            answer: Any = await redis.config_get("appendfsync")
    except StoreError:
        return None
    return str(answer["appendfsync"]) if "appendfsync" in answer else None


def promise(info: Mapping[str, Any], fsync: str | None, wait_replicas: int) -> Finding:
    """Return what a click survives. `info` is as redis-py parses INFO."""
    replicas = int(info.get("connected_slaves") or 0)
    if wait_replicas > replicas:
        says = (
            f"is refused: commits wait for {wait_replicas} replicas, and {replicas} are connected"
        )
        return broken(NAME, says, MEND_REPLICAS)
    if wait_replicas:
        says = (
            "survives when its primary is lost: "
            "a fail-over to a replica that has it loses nothing (REDIS_WAIT_REPLICAS)"
        )
        return works(NAME, says)
    if not int(info.get("aof_enabled") or 0):
        says = "is lost with the process of Redis: it keeps no append-only file"
        return unproven(NAME, says, MEND_AOF)
    match fsync:
        case "always":
            says = (
                "survives a crash of Redis and of its machine: "
                "each write is on disk before its answer"
            )
            return works(NAME, says)
        case None:
            says = (
                "survives a crash of Redis (append-only file); "
                "how often it is synced, it does not tell"
            )
            return works(NAME, says)
        case _:
            lost = "up to a second is" if fsync == "everysec" else "some seconds are"
            says = f"survives a crash of Redis; with its machine {lost} lost"
            return unproven(NAME, says, MEND_EVERYSEC)
