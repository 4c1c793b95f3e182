"""Things that shall happen once in a while over all replicas: a key with an end, set by whoever is first."""

from __future__ import annotations

from bot.store.incident_store import Store
from bot.store.redis import store_errors


class StoreOnce:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def first(self, key: str, seconds: int) -> bool:
        """True for the first who asks for `key` within `seconds`. Raises `PortError` where Redis cannot say."""
        with store_errors():
            name = f"{self._store.keys.prefix}:once:{key}"
            return bool(await self._store.redis.set(name, "1", nx=True, ex=seconds))
