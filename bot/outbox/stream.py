"""The outbox in Redis: a stream with a consumer group, and a waiting room for the next tries."""

from dataclasses import dataclass, replace
from typing import Any, Self

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from bot.connection.client import GROUP, Script, read, store_errors
from bot.outbox.dead_letters import VERSION
from bot.store.incident_store import Store

RETRY = Script("outbox_retry")
PROMOTE = Script("outbox_promote")
SET_ASIDE = Script("outbox_set_aside")
HAND_BACK = Script("outbox_hand_back")
FORGET_CONSUMERS = Script("outbox_forget_consumers")


@dataclass(frozen=True, slots=True)
class PendingEntry:
    """An outbox entry that this worker holds. Fields are strings, as `commit.lua` wrote them."""

    entry: str
    fields: dict[str, str]
    deliveries: int = 1

    @property
    def attempt(self) -> int:
        """1 for the first try; an entry handed back, reclaimed or tried again counts up."""
        return int(self.fields.get("attempt", "0")) + self.deliveries

    @property
    def crashes(self) -> int:
        return int(self.fields.get("crashes", "0"))

    def again(self) -> Self:
        """Return the same entry for another try by the worker that holds it."""
        attempt = str(int(self.fields.get("attempt", "0")) + 1)
        return replace(self, fields={**self.fields, "attempt": attempt})


class Queue:
    """The worker's commands. Raises `StoreError` when Redis cannot be used."""

    def __init__(self, store: Store, consumer: str) -> None:
        self._store = store
        self._redis = store.redis
        self._keys = store.keys
        self._consumer = consumer

    async def ensure_group(self) -> None:
        with store_errors():
            try:
                await self._redis.xgroup_create(self._keys.outbox, GROUP, id="0", mkstream=True)
            except ResponseError as error:
                if not str(error).startswith("BUSYGROUP"):
                    raise

    async def read(self, blocking: Redis, count: int, block_ms: int) -> list[PendingEntry]:
        """Return new entries; wait up to `block_ms` for the first.

        `blocking` is a client that nobody else uses.
        """
        asked = ("XREADGROUP", "GROUP", GROUP, self._consumer, "COUNT", count, "BLOCK", block_ms)
        (answer,) = await read(
            blocking, (*asked, "STREAMS", self._keys.outbox, ">"), allowed=("NOGROUP",)
        )
        if isinstance(answer, Exception):
            await self.ensure_group()
            return []
        return [
            PendingEntry(entry, dict(zip(flat[::2], flat[1::2], strict=True)))
            for _, entries in answer or ()
            for entry, flat in entries
        ]

    async def reclaim(self, idle_ms: int) -> list[PendingEntry]:
        """Take over what nobody renewed for `idle_ms`: its worker is dead or stuck."""
        with store_errors():
            # Entries that were deleted meanwhile stand last from 7.0 on; 6.2 lists them as None.
            answer: Any = await self._redis.xautoclaim(
                self._keys.outbox, GROUP, self._consumer, min_idle_time=idle_ms, count=100
            )
            reclaimed: list[PendingEntry] = []
            for entry, fields in answer[1]:
                if entry is None:
                    continue
                pending: Any = await self._redis.xpending_range(
                    self._keys.outbox, GROUP, entry, entry, 1
                )
                if pending and fields is not None:
                    reclaimed.append(PendingEntry(entry, fields, pending[0]["times_delivered"]))
            return reclaimed

    async def renew(self, entries: list[str]) -> list[str]:
        """Reset the idle time of the entries that are still ours, and return them.

        This counts as no delivery. An entry that another worker reclaimed is its own.
        """
        with store_errors():
            ours: Any = await self._redis.xpending_range(
                self._keys.outbox, GROUP, "-", "+", 10_000, consumername=self._consumer
            )
            held = [row["message_id"] for row in ours if row["message_id"] in set(entries)]
            if held:
                await self._redis.xclaim(
                    self._keys.outbox, GROUP, self._consumer, 0, held, justid=True
                )
        return held

    async def retry(self, entry: str, delay: float, *, limit: float, crashed: bool = False) -> str:
        """Put an entry into the waiting room for `delay` seconds: `waiting`.

        `over` where that is more than `limit` seconds after its first try; `gone` where it ended.
        """
        answer = await self._store.run(
            RETRY,
            group=GROUP,
            entry=entry,
            delay=round(delay * 1000),
            limit=round(limit * 1000),
            crashes=int(crashed),
        )
        return str(answer)

    async def promote(self) -> float | None:
        """Put what is due back into the stream. Returns the seconds until the next one, or None."""
        ms = int(await self._store.run(PROMOTE))
        return None if ms < 0 else ms / 1000

    async def set_aside(self, entry: str, reason: str) -> None:
        """Make an entry a dead letter for another version."""
        await self._store.run(SET_ASIDE, group=GROUP, entry=entry, reason=reason, why=VERSION)

    async def ack(self, entry: str) -> None:
        """End an entry that has no result to record."""
        with store_errors():
            await self._redis.xack(self._keys.outbox, GROUP, entry)
            await self._redis.xdel(self._keys.outbox, entry)

    async def hand_back(self) -> int:
        """Free everything this worker holds, at once. Returns how many."""
        return int(await self._store.run(HAND_BACK, group=GROUP, consumer=self._consumer))

    async def forget_consumers(self, idle_seconds: float) -> None:
        """Remove the names of workers that are gone and hold nothing."""
        await self._store.run(FORGET_CONSUMERS, group=GROUP, idle=round(idle_seconds * 1000))
