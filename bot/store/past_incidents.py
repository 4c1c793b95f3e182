"""The memory of past incidents, by service, file and Sentry issue: JSON, one field an incident.

Memories are written by the commit that makes them true (`commit.lua`); here they are read.
"""

import json
import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from bot.connection.client import Script, store_errors
from bot.store.commit import from_ms, to_ms
from bot.store.incident_store import Store
from phases.memory.recall import RECALLED
from phases.record.memories import Counted, PastIncident, Question, Recalled

log = logging.getLogger(__name__)

PAST: TypeAdapter[tuple[PastIncident, ...]] = TypeAdapter(tuple[PastIncident, ...])
WIDTH = len(Counted._fields)

RECALL = Script("recall")
COUNTED = Script("recall_counted")


class RedisMemory:
    """`phases.ports.coordination.Memory`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def recall(self, asked: Question) -> Recalled:
        """One round trip."""
        count, newest, alike = await self._store.run(
            RECALL,
            service=asked.service,
            since=to_ms(asked.since),
            asking=asked.before,
            limit=RECALLED,
            file=f"file:{asked.file}",
            issues=[f"issue:{issue}" for issue in asked.issues],
        )
        return Recalled(
            in_span=count, newest=_newest(_parsed(newest)), alike=_newest(_parsed(alike))
        )

    async def newest(self, service: str | None, many: int) -> tuple[PastIncident, ...]:
        """The newest of a service, or of all; newest first. Raises `PortError`."""
        prefix = self._store.keys.prefix
        name = "all" if service is None else f"of:{service}"
        by_service: dict[str, list[str]] = {}
        with store_errors():
            members: Any = await self._store.redis.zrevrange(f"{prefix}:recall:{name}", 0, many - 1)
            for member in members:
                of, _, id = str(member).rpartition("|")
                by_service.setdefault(of, []).append(id)
            pipe = self._store.redis.pipeline(transaction=False)
            for of, ids in by_service.items():
                pipe.hmget(f"{prefix}:memory:{of}", ids)
            memories = [
                memory for each in await pipe.execute() for memory in each if memory is not None
            ]
        return _newest(_parsed(memories))

    async def since(self, at: datetime) -> list[Counted]:
        """Return what trends count of all that was detected since then."""
        rows: str = await self._store.run(COUNTED)
        begin = to_ms(at)
        return [_counted(row) for row in json.loads(rows) if row[2] >= begin]


def _counted(row: list[Any]) -> Counted:
    """A row of another version is longer or shorter: what it lacks is not known."""
    row = [*row[:WIDTH], *[None] * (WIDTH - len(row))]
    row[2], row[7] = from_ms(row[2]), tuple(row[7])
    return Counted(*row)


def _parsed(kept: Sequence[Any]) -> tuple[PastIncident, ...]:
    """Parse all at once; one by one only where one cannot be read, which is left out."""
    try:
        return PAST.validate_json(f"[{','.join(kept)}]")
    except ValidationError:
        memories: list[PastIncident] = []
        for memory in kept:
            try:
                memories.append(PastIncident.model_validate_json(memory))
            except ValidationError as error:
                log.error("a memory cannot be read: %s fields do not fit", error.error_count())
        return tuple(memories)


def _newest(found: Sequence[PastIncident]) -> tuple[PastIncident, ...]:
    return tuple(sorted(found, key=lambda one: one.at, reverse=True))
