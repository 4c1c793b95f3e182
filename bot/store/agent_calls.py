"""The calls of a person's agents in the last minute, in Redis: one limit for all of them."""

from uuid import uuid4

from bot.connection.client import Script
from bot.store.incident_store import Store

MINUTE = 60.0

CALL = Script("agent_call")


class AgentCalls:
    """The calls of one person's agents, in however many processes. Raises `StoreError`."""

    def __init__(self, store: Store, person: str) -> None:
        self._store, self._person = store, person

    async def count(self, what: str, limit: int) -> float:
        """Count a call; return 0, or the seconds to wait where there were enough in a minute."""
        milliseconds: int = await self._store.run(
            CALL,
            of=f"{self._person}:{what}",
            call=uuid4().hex,
            limit=limit,
            window=round(MINUTE * 1000),
        )
        return milliseconds / 1000
