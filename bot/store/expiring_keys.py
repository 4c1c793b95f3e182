"""Keys that end by themselves: short notes that all replicas share."""

from typing import Any

from bot.connection.client import call, read
from bot.store.incident_store import Store


class ExpiringKeys:
    """The keys `<prefix>:<name>:…`; also `handlers.ports.Once`.

    Raises `StoreError`.
    """

    def __init__(self, store: Store, name: str = "once") -> None:
        self._redis = store.redis
        self._prefix = f"{store.keys.prefix}:{name}:"

    async def first(self, key: str, seconds: int, value: str = "1") -> bool:
        """Set the key for `seconds` unless it is there; True for whoever set it."""
        answer: Any = await call(self._redis, "SET", self._prefix + key, value, "NX", "EX", seconds)
        return answer is not None

    async def set(self, key: str, seconds: int, value: str = "1") -> None:
        await call(self._redis, "SET", self._prefix + key, value, "EX", seconds)

    async def get(self, key: str) -> str | None:
        (value,) = await read(self._redis, ("GET", self._prefix + key))
        return value

    async def delete(self, key: str) -> None:
        await call(self._redis, "DEL", self._prefix + key)
