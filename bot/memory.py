"""The knowledge loop's store: what is left of every incident, by service. JSON, one field an incident: keeping twice is keeping once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from redis.exceptions import RedisError

from bot.store import Store
from phases.ports import PortError
from phases.report import PastIncident

RECALLED = 5


class RedisMemory:
    """`phases.ports.Memory`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def _key(self, service: str) -> str:
        return f"{self._store.keys.prefix}:memory:{service}"

    async def keep(self, past: PastIncident) -> None:
        """Raises `PortError` where Redis does not take it."""
        try:
            await self._store.redis.hset(self._key(past.service), past.id, past.model_dump_json())  # pyright: ignore[reportGeneralTypeIssues]
        except (RedisError, OSError) as error:
            raise PortError("redis", "Redis did not keep the memory of it", retryable=True) from error

    async def recall(self, service: str, *, before: str) -> Sequence[PastIncident]:
        """What this service did before, newest first, without the one that asks, drills and private ones."""
        try:
            kept = cast("dict[str, str]", await self._store.redis.hgetall(self._key(service)))  # pyright: ignore[reportGeneralTypeIssues]
        except (RedisError, OSError) as error:
            raise PortError("redis", "Redis could not be read", retryable=True) from error
        past = [PastIncident.model_validate_json(one) for id, one in kept.items() if id != before]
        past = [one for one in past if not one.drill and not one.private]
        return tuple(sorted(past, key=lambda one: one.at, reverse=True)[:RECALLED])
