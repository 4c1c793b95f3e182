"""Drafts of post-mortems in Redis: a hash an incident, a field a person.

They stand beside the record, so that its 32 KiB are not used up.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bot.connection.client import store_errors
from bot.store.incident_store import Store
from handlers.ports import Kept
from phases.postmortem.form_parts import Parts

KEPT_SECONDS = 30 * 24 * 3600
"""A draft is forgotten when nobody has touched one of its incident for so long."""


class RedisDrafts:
    """Keeps `handlers.ports.Drafts`. Raises `PortError` where Redis cannot be reached."""

    def __init__(self, store: Store) -> None:
        self._redis = store.redis
        self._prefix = store.keys.prefix

    async def of(self, incident: str) -> Sequence[Kept]:
        drafts: list[Kept] = []
        for by, text in (await _redis_answer(self._redis.hgetall(self._key(incident)))).items():
            try:
                drafts.append(Kept.model_validate({**json.loads(text), "by": by}))
            except ValueError:
                continue  # of another version: not worth an error before the form
        return drafts

    async def keep(
        self, incident: str, by: str, parts: Parts, at: datetime, *, writing: bool
    ) -> None:
        opened_at = at if writing else None
        await self._write(incident, Kept(by=by, at=at, parts=parts, opened_at=opened_at))

    async def opened(self, incident: str, by: str, at: datetime | None) -> None:
        before = next((draft for draft in await self.of(incident) if draft.by == by), None)
        if before is not None:
            await self._write(incident, before.model_copy(update={"opened_at": at}))
        elif at is not None:
            await self._write(incident, Kept(by=by, at=at, opened_at=at))

    async def _write(self, incident: str, kept: Kept) -> None:
        pipe = self._redis.pipeline(transaction=True)
        pipe.hset(self._key(incident), kept.by, kept.model_dump_json(exclude={"by"}))
        pipe.expire(self._key(incident), KEPT_SECONDS)
        await _redis_answer(pipe.execute())

    def _key(self, incident: str) -> str:
        return f"{self._prefix}:drafts:{incident}"


async def _redis_answer(answer: Any) -> Any:
    with store_errors():
        return await answer
