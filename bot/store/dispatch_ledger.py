"""The deploys that were handed to GitHub: written in Redis before the request.

So no replica sends a second one. A workflow dispatch has no key of its own, and its run shows only
some seconds later (docs/code.md, What each effect does).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.store.expiring_keys import ExpiringKeys
from bot.store.incident_store import Store

KEPT_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class Dispatch:
    at: datetime
    run: int | None = None
    given_up: bool = False
    """It was never sent, and is not from now on."""


class Dispatches:
    """Keeps `bot.clients.deployers.github.Ledger`. Raises `StoreError`."""

    def __init__(self, store: Store) -> None:
        self._keys = ExpiringKeys(store, "dispatch")

    async def first(self, deploy_id: str) -> bool:
        """True once for each `deploy_id`: whoever hears it may dispatch."""
        return await self._first(deploy_id)

    async def give_up(self, deploy_id: str) -> bool:
        """Take the turn of whoever would dispatch. False: somebody has dispatched, or may have."""
        return await self._first(deploy_id, given_up=True)

    async def known(self, deploy_id: str) -> Dispatch | None:
        value = await self._keys.get(deploy_id)
        if value is None:
            return None
        dispatch = json.loads(value)
        at, given_up = datetime.fromisoformat(dispatch["at"]), bool(dispatch.get("given_up"))
        return Dispatch(at, dispatch.get("run"), given_up)

    async def became(self, deploy_id: str, run: int) -> None:
        """Remember the run that the dispatch became."""
        known = await self.known(deploy_id)
        at = known.at if known else datetime.now(UTC)
        value = json.dumps({"at": at.isoformat(), "run": run})
        await self._keys.set(deploy_id, KEPT_SECONDS, value)

    async def _first(self, deploy_id: str, **more: bool) -> bool:
        value = json.dumps({"at": datetime.now(UTC).isoformat(), **more})
        return await self._keys.first(deploy_id, KEPT_SECONDS, value)

    async def forget(self, deploy_id: str) -> None:
        """GitHub surely took nothing: it may be tried again."""
        await self._keys.delete(deploy_id)
