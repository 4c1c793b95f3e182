"""Every Redis key of a bot as JSON: its type and its value. How `tests/data/first-release/redis.json` was made:

FIREBREAK_DUMP=tests/data/first-release/redis.json pytest tests/workspace/test_whole_life.py
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from sandbox.faults import Fault
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
    found: dict[str, dict[str, Any]] = {}
    for key in sorted([key async for key in redis.scan_iter(count=1000)]):
        kind = await redis.type(key)
        if kind == "none":  # it has expired meanwhile
            continue
        found[key] = {"type": kind, "value": await _value(redis, kind, key)}
        if (left := await redis.pttl(key)) >= 0:
            found[key]["expires_ms"] = left
    return found


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
                    one["name"]: await redis.xpending_range(key, one["name"], "-", "+", 1000)
                    for one in groups
                },
            }
        case _:
            raise ValueError(f"{key} is a {kind}")


async def live(world: World) -> None:
    """One incident from the alert to its end; then another one, in the middle of things."""
    shop, alice = world.shop, world.alice
    assert shop is not None
    await shop.break_everything()
    channel = await alice.channel("inc-0001-", seconds=60)
    decision = await alice.sees("Recommended: roll back", channel, seconds=30)
    await alice.click(decision, "decision.rollback")
    await alice.sees("*Recovered.*", channel, seconds=60)
    await alice.command("/incident lead", channel)
    await alice.command("/incident update Everything works again", channel)
    await alice.command("/incident postmortem", channel)
    form = await alice.open_modal("incident.postmortem", text="Root cause")
    parts = {
        "monitoring": "No alert watched a single release.",
        "tests": "No test loads an account as it is imported.",
    }
    await alice.submit(form, parts)
    await alice.sees("PRODUCTION INCIDENT —", channel, seconds=20)
    await world.workspace.until(lambda: world.linear.issues[0].state.type == "completed" or None)

    world.faults.always("linear.*", Fault(status=503))
    world.faults.always("discord.*", Fault(status=503))
    await shop.break_one_feature()
    second = await alice.channel("inc-0002-", seconds=60)
    decision = await alice.sees("Recommended:", second, seconds=30)
    await alice.sees("Bisect found it", second, seconds=60)
    await alice.sees("The ticket could not be opened", second, seconds=30)
    shop.next_deploy("slow")
    await alice.click(alice.now(decision), "decision.rollback")
    await world.workspace.until(lambda: shop.deploying() or None, seconds=20)
    await alice.sees_change(decision, "running", seconds=20)
    world.faults.always(
        "slack.chat.postMessage", Fault(delay=5)
    )  # so that an effect is under way, too
    await alice.command("/incident update The till is being rolled back", second)


def text_of(world: World, everything: dict[str, dict[str, Any]]) -> str:
    """As it is kept: without this machine's folders."""
    kept = json.dumps(everything, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    root = str(Path(__file__).parents[2])
    for here, there in (
        (str(world.folder), "/srv/sandbox"),
        (sys.executable, "python3"),
        (root, "/srv/firebreak"),
    ):
        kept = kept.replace(here, there)
    return kept


async def main(path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with World(Path(folder), recheck_after=8, window=60) as world:
            await live(world)
            redis = redis_of(world)
            assert await redis.xread({"{fb}:outbox": "0"}, block=10_000), "an effect is under way"
            text = text_of(world, await dumped(redis))
            await redis.aclose()
    await asyncio.to_thread(path.write_text, text)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
