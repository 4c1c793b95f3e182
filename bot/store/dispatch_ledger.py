"""The deploys that were handed to GitHub: written in Redis before the request.

So no replica sends a second one. A workflow dispatch has no key of its own, and its run shows only
some seconds later (docs/code.md, What each effect does).
"""

from datetime import UTC, datetime

from bot.store.expiring_keys import ExpiringKeys
from bot.store.incident_store import Store
from phases.record.value import Value

KEPT_SECONDS = 24 * 3600


class Dispatch(Value):
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
        value = Dispatch(at=datetime.now(UTC)).model_dump_json()
        return await self._keys.first(deploy_id, KEPT_SECONDS, value)

    async def give_up(self, deploy_id: str) -> bool:
        """Take the turn of whoever would dispatch. False: somebody has dispatched, or may have."""
        value = Dispatch(at=datetime.now(UTC), given_up=True).model_dump_json()
        return await self._keys.first(deploy_id, KEPT_SECONDS, value)

    async def known(self, deploy_id: str) -> Dispatch | None:
        value = await self._keys.get(deploy_id)
        return None if value is None else Dispatch.model_validate_json(value)

    async def became(self, deploy_id: str, run: int) -> None:
        """Remember the run that the dispatch became."""
        known = await self.known(deploy_id)
        value = Dispatch(at=known.at if known else datetime.now(UTC), run=run)
        await self._keys.set(deploy_id, KEPT_SECONDS, value.model_dump_json())

    async def forget(self, deploy_id: str) -> None:
        """GitHub surely took nothing: it may be tried again."""
        await self._keys.delete(deploy_id)
