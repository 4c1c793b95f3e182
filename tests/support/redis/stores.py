"""New incidents for the store, commits of them, and a dump of Redis."""

from __future__ import annotations

from bot.store.incident_store import Answer, Store, TimeLimit
from handlers.dispatcher import Trigger
from phases.shared.change import Change, Draft
from tests.support.values.factories import incident
from tests.support.worlds.small_world import T0


def new(number: int = 1, service: str = "checkout") -> Draft:
    opened = incident(
        id=f"INC-{number:04d}",
        number=number,
        title="it burns \U0001f525 \u202e <!channel> \x00",
        service=service,
        detected_at=T0,
        declared_at=T0,
    )
    return Draft(opened, T0)


async def commit(
    store: Store, change: Change | Draft, id: str = "c1", trigger: Trigger | None = None
) -> Answer:
    done = change.done() if isinstance(change, Draft) else change
    loaded = await store.load(done.incident.id)
    return await store.commit(id, loaded, done, trigger=trigger, limit=TimeLimit(seconds=20.0))


async def dump(store: Store) -> dict[str, object]:
    """Everything in Redis, to see that a refused commit changed nothing."""
    keys: dict[str, object] = {}
    for key in sorted(await store.redis.keys("*")):
        match await store.redis.type(key):
            case "string":
                keys[key] = await store.redis.get(key)
            case "hash":
                keys[key] = await store.redis.hgetall(key)
            case "list":
                keys[key] = await store.redis.lrange(key, 0, -1)
            case "zset":
                keys[key] = await store.redis.zrange(key, 0, -1, withscores=True)
            case "set":
                keys[key] = await store.redis.smembers(key)
            case "stream":
                keys[key] = await store.redis.xrange(key)
            case other:
                raise AssertionError(other)
    return keys
