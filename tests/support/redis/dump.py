"""Every Redis key of a bot that runs in a world: its type and its value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from sandbox.world import World


def valkey(world: World) -> int | None:
    """The process of the bot's own Valkey: the one that works in this world's folder."""
    for entry in Path("/proc").iterdir():
        try:
            works_in = (entry / "cwd").readlink()
            name = (entry / "comm").read_text()
        except OSError:
            continue  # no process, ended meanwhile, or somebody else's
        if works_in == world.folder / "valkey" and name.startswith("valkey"):
            return int(entry.name)
    return None


def redis_of(world: World) -> Redis:
    """A client for the bot's own Valkey, by the socket that its process names in its title."""
    title = Path(f"/proc/{valkey(world)}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    socket = next(word for word in title.split() if "valkey.sock" in word).removeprefix(
        "unixsocket:"
    )
    return Redis.from_url(f"unix://{socket}", decode_responses=True)


async def dumped(redis: Redis) -> dict[str, dict[str, Any]]:
    """Key → type, value, and the ms it has still to live, where it has not for ever."""
    keys: dict[str, dict[str, Any]] = {}
    for key in sorted([key async for key in redis.scan_iter(count=1000)]):
        kind = await redis.type(key)
        if kind == "none":  # it has expired meanwhile
            continue
        keys[key] = {"type": kind, "value": await _value(redis, kind, key)}
        if (left := await redis.pttl(key)) >= 0:
            keys[key]["expires_ms"] = left
    return keys


async def _value(redis: Any, kind: str, key: str) -> Any:
    match kind:
        case "string":
            return await redis.get(key)
        case "hash":
            return dict(sorted((await redis.hgetall(key)).items()))
        case "list":
            return await redis.lrange(key, 0, -1)
        case "set":
            return sorted(await redis.smembers(key))
        case "zset":
            return await redis.zrange(key, 0, -1, withscores=True)
        case "stream":
            groups = await redis.xinfo_groups(key)
            return {
                "entries": await redis.xrange(key),
                "groups": {
                    group["name"]: await redis.xpending_range(key, group["name"], "-", "+", 1000)
                    for group in groups
                },
            }
        case _:
            raise ValueError(f"{key} is a {kind}")
