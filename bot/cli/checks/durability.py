"""The durability of an acknowledged click on this Redis, by its own INFO and settings."""

from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis

from bot.cli.checks import Finding, broken, unproven, works
from bot.connection.client import StoreError, store_errors

NAME = "An acknowledged click"
MEND_REPLICAS = "REDIS_WAIT_REPLICAS: start that many replicas, or wait for fewer"
MEND_AOF = (
    "set appendonly yes, or REDIS_WAIT_REPLICAS=1 with a replica; "
    "of a service that keeps it by other means, read what it promises"
)
LOOK_FSYNC = "look by hand: appendfsync should be always, or a service should promise the same"
LOOK_CRASH = (
    "look by hand: appendonly should be yes and appendfsync always, or a service should promise "
    "the same; REDIS_WAIT_REPLICAS=1 with a replica holds without"
)
LOOK_EVICTION = "look by hand: maxmemory-policy should be noeviction"
MEND_EVERYSEC = "set appendfsync always, or REDIS_WAIT_REPLICAS=1 with a replica on another machine"


COPIED = (
    "survives when its primary is lost: "
    "a fail-over to a replica that has it loses nothing (REDIS_WAIT_REPLICAS)"
)


def without_info(why: str, wait_replicas: int) -> list[Finding]:
    """Return what nobody told, because INFO is refused, and what a person has to look at instead.

    That the replicas have a commit was tried (`bot.self_test`), and needs no INFO.
    """
    crash = works(NAME, COPIED)
    if not wait_replicas:
        says = f"what a crash leaves of it is not told (INFO): {why}."
        crash = unproven(NAME, says, LOOK_CRASH)
    evicts = f"whether it throws keys away when it is full is not told (INFO): {why}."
    return [crash, unproven("Memory of Redis", evicts, LOOK_EVICTION)]


async def fsync_of(redis: Redis) -> str | None:
    """Return `always`, `everysec` or `no`; None where CONFIG is refused, as managed ones do."""
    try:
        with store_errors():
            answer: Any = await redis.config_get("appendfsync")
    except StoreError:
        return None
    return str(answer["appendfsync"]) if "appendfsync" in answer else None


def survives(info: Mapping[str, Any], fsync: str | None, wait_replicas: int) -> Finding:
    """Return what a click survives. `info` is as redis-py parses INFO."""
    replicas = int(info.get("connected_slaves") or 0)
    if wait_replicas > replicas:
        says = (
            f"is refused: commits wait for {wait_replicas} replicas, and {replicas} are connected"
        )
        return broken(NAME, says, MEND_REPLICAS)
    if wait_replicas:
        return works(NAME, COPIED)
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
                "how often it is synced, it does not tell (CONFIG)"
            )
            return unproven(NAME, says, LOOK_FSYNC)
        case _:
            lost = "up to a second is" if fsync == "everysec" else "some seconds are"
            says = f"survives a crash of Redis; with its machine {lost} lost"
            return unproven(NAME, says, MEND_EVERYSEC)
