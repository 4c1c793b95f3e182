"""Things that shall happen once in a while over all replicas: a key with an end, set by whoever is first."""

from __future__ import annotations

from redis.exceptions import RedisError

from bot.store import Store
from phases.ports import PortError


class StoreOnce:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def first(self, key: str, seconds: int) -> bool:
        """True for the first who asks for `key` within `seconds`. Raises `PortError` where Redis cannot say."""
        try:
            name = f"{self._store.keys.prefix}:once:{key}"
            return bool(await self._store.redis.set(name, "1", nx=True, ex=seconds))
        except (RedisError, OSError) as error:
            raise PortError("redis", "Redis cannot be asked", retryable=True) from error
