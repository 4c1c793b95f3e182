"""What an acknowledged click survives on this Redis, in one sentence: what its own INFO and settings say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis

from bot.cli.checks import Finding, broken, works
from bot.store.redis import StoreError, store_errors

NAME = "An acknowledged click"
MEND_REPLICAS = "REDIS_WAIT_REPLICAS: start that many replicas, or wait for fewer"
MEND_AOF = "set appendonly yes, or use one that is kept by other means"
MEND_EVERYSEC = "set appendfsync always, or REDIS_WAIT_REPLICAS=1 with a replica on another machine"


async def fsync_of(redis: Redis) -> str | None:
    """`always`, `everysec` or `no`; None where the server does not tell (managed ones refuse CONFIG)."""
    try:
        with store_errors():
            answer: Any = await redis.config_get("appendfsync")
    except StoreError:
        return None
    return str(answer["appendfsync"]) if "appendfsync" in answer else None


def promise(info: Mapping[str, Any], fsync: str | None, wait_replicas: int) -> Finding:
    """`info` as redis-py parses INFO."""
    kept = bool(int(info.get("aof_enabled") or 0))
    replicas = int(info.get("connected_slaves") or 0)
    if wait_replicas > replicas:
        says = (
            f"is refused: commits wait for {wait_replicas} replicas, and {replicas} are connected"
        )
        return broken(NAME, says, MEND_REPLICAS)
    if wait_replicas:
        how = "its primary is lost: a fail-over to a replica that has it loses nothing (REDIS_WAIT_REPLICAS)"
        return works(NAME, f"survives when {how}")
    if not kept:
        return Finding(
            "unproven",
            NAME,
            "is lost with the process of Redis: it keeps no append-only file",
            MEND_AOF,
        )
    if fsync == "always":
        return works(
            NAME,
            "survives a crash of Redis and of its machine: each write is on disk before its answer",
        )
    if fsync is None:
        return works(
            NAME,
            "survives a crash of Redis (append-only file); how often it is synced, it does not tell",
        )
    says = (
        "survives a crash of Redis; with its machine up to a second is lost"
        if fsync == "everysec"
        else ""
    )
    return Finding(
        "unproven",
        NAME,
        says or "survives a crash of Redis; with its machine some seconds are lost",
        MEND_EVERYSEC,
    )
