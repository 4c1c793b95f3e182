"""Changes that the change webhook told of: flags, settings, infrastructure, of the last day.

A sorted set a service, as the deploys are (`deploy_history.py`); triage reads them as suspects.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from bot.connection.client import store_errors
from bot.store.commit import to_ms
from bot.store.incident_store import Store
from phases.record.findings import ChangeSeen

CHANGES_KEPT = 200
"""Changes of a service that are remembered."""
KEPT_FOR = timedelta(days=1)


class Changes:
    """Also `handlers.ports.Changes`. Everything raises `PortError` where Redis cannot be used."""

    def __init__(self, store: Store) -> None:
        self._redis = store.redis
        self._prefix = store.keys.prefix

    def _key(self, service: str) -> str:
        return f"{self._prefix}:changes:{service}"

    async def record(self, change: ChangeSeen) -> None:
        """Remember a change; a second time is no change."""
        key = self._key(change.service)
        pipe = self._redis.pipeline(transaction=True)
        pipe.zadd(key, {change.model_dump_json(): to_ms(change.at)})
        pipe.zremrangebyrank(key, 0, -CHANGES_KEPT - 1)
        pipe.expire(key, KEPT_FOR)
        with store_errors():
            await pipe.execute()

    async def known(self, service: str) -> Sequence[ChangeSeen]:
        """Newest first."""
        with store_errors():
            changes: Any = await self._redis.zrange(self._key(service), 0, -1, desc=True)
        return tuple(ChangeSeen.model_validate_json(change) for change in changes)
