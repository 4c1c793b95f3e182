"""Drafts of post-mortems in Redis: a hash an incident, a field a person.

They stand beside the record, so that its 32 KiB are not used up.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from bot.connection.client import store_errors
from bot.store.incident_store import Store
from handlers.ports import Kept
from phases.postmortem.form_parts import Parts
from phases.record.findings import Value

KEPT_SECONDS = 30 * 24 * 3600
"""A draft is forgotten when nobody has touched one of its incident for so long."""


class _Field(Value):
    at: datetime
    parts: Parts | None = None
    opened_at: datetime | None = None


class RedisDrafts:
    """Keeps `handlers.ports.Drafts`. Raises `PortError` where Redis cannot be reached."""

    def __init__(self, store: Store) -> None:
        self._redis = store.redis
        self._prefix = store.keys.prefix

    async def of(self, incident: str) -> Sequence[Kept]:
        drafts: list[Kept] = []
        for by, text in (await _redis_answer(self._redis.hgetall(self._key(incident)))).items():
            try:
                field = _Field.model_validate_json(text)
            except ValidationError:
                continue  # of another version: not worth an error before the form
            drafts.append(Kept(by=by, at=field.at, parts=field.parts, opened_at=field.opened_at))
        return drafts

    async def keep(
        self, incident: str, by: str, parts: Parts, at: datetime, *, writing: bool
    ) -> None:
        await self._write_field(
            incident, by, _Field(at=at, parts=parts, opened_at=at if writing else None)
        )

    async def opened(self, incident: str, by: str, at: datetime | None) -> None:
        before = next((draft for draft in await self.of(incident) if draft.by == by), None)
        if before is not None:
            await self._write_field(
                incident, by, _Field(at=before.at, parts=before.parts, opened_at=at)
            )
        elif at is not None:
            await self._write_field(incident, by, _Field(at=at, opened_at=at))

    async def _write_field(self, incident: str, by: str, kept: _Field) -> None:
        pipe = self._redis.pipeline(transaction=True)
        pipe.hset(self._key(incident), by, kept.model_dump_json())
        pipe.expire(self._key(incident), KEPT_SECONDS)
        await _redis_answer(pipe.execute())

    def _key(self, incident: str) -> str:
        return f"{self._prefix}:drafts:{incident}"


async def _redis_answer(answer: Any) -> Any:
    with store_errors():
        return await answer
