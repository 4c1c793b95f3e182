"""Which deploys were handed to GitHub: written in Redis before the request, so that no replica sends a second one.

A workflow dispatch has no key of its own, and its run shows only some seconds later (architecture: What each effect does).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.store.incident_store import Store
from bot.store.redis import store_errors

KEPT_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class Dispatch:
    at: datetime
    run: int | None = None


class Dispatches:
    """Every call raises `PortError` where Redis cannot say."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def first(self, deploy_id: str) -> bool:
        """True once for each `deploy_id`: whoever hears it may dispatch."""
        value = json.dumps({"at": datetime.now(UTC).isoformat()})
        with store_errors():
            return bool(
                await self._store.redis.set(self._key(deploy_id), value, nx=True, ex=KEPT_SECONDS)
            )

    async def known(self, deploy_id: str) -> Dispatch | None:
        with store_errors():
            value = await self._store.redis.get(self._key(deploy_id))
        if value is None:
            return None
        found = json.loads(value)
        return Dispatch(datetime.fromisoformat(found["at"]), found.get("run"))

    async def became(self, deploy_id: str, run: int) -> None:
        """The run that it became, where GitHub said so."""
        known = await self.known(deploy_id)
        at = known.at if known else datetime.now(UTC)
        value = json.dumps({"at": at.isoformat(), "run": run})
        with store_errors():
            await self._store.redis.set(self._key(deploy_id), value, ex=KEPT_SECONDS)

    async def forget(self, deploy_id: str) -> None:
        """GitHub surely took nothing: it may be tried again."""
        with store_errors():
            await self._store.redis.delete(self._key(deploy_id))

    def _key(self, deploy_id: str) -> str:
        return f"{self._store.keys.prefix}:dispatch:{deploy_id}"
