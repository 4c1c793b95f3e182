"""The people who have App Home open, in Redis: one replica at a time keeps it current."""

from typing import Any
from uuid import uuid4

from bot.connection.client import Script
from bot.store.incident_store import Store
from handlers.ports import OpenHomes

TURN_SECONDS = 6.0
"""For so long after its last look nobody else draws in the place of a replica: three looks."""

OPEN = Script("home_open")
LOOK = Script("home_look")
DRAWN = Script("home_drawn")


class StoreViewers:
    """Keeps `handlers.ports.Viewers`. Raises `StoreError`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._me = uuid4().hex

    async def opened(self, user: str, seconds: float, at_most: int) -> None:
        await self._store.run(OPEN, user=user, span=round(seconds * 1000), limit=at_most)

    async def to_draw(self) -> OpenHomes | None:
        answer: list[Any] = await self._store.run(
            LOOK, me=self._me, turn=round(TURN_SECONDS * 1000)
        )
        if not answer:
            return None
        return OpenHomes(
            mark=str(answer[0]), shown=dict(zip(answer[1::2], answer[2::2], strict=True))
        )

    async def drawn(self, user: str, shown: str) -> None:
        await self._store.run(
            DRAWN, user=user, shown=shown, me=self._me, turn=round(TURN_SECONDS * 1000)
        )
