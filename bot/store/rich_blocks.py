"""Whether the workspace takes charts and tables: a setting, and a refusal that all replicas remember for a day."""

from __future__ import annotations

import logging
from typing import Literal

from redis.exceptions import RedisError

from bot.store.errors import said
from bot.store.incident_store import Store

log = logging.getLogger(__name__)

REFUSED_SECONDS = 24 * 3600  # rules: Charts and tables


class StoreTaste:
    def __init__(self, store: Store, setting: Literal["auto", "off"]) -> None:
        self._store = store
        self._on = setting == "auto"
        self._key = f"{store.keys.prefix}:rich:refused"

    async def takes(self) -> bool:
        """Redis out of reach: no, the plain message says the same."""
        try:
            return self._on and not await self._store.redis.exists(self._key)
        except (RedisError, OSError) as error:
            log.warning("charts are left out: %s", said(error))
            return False

    async def refused(self) -> None:
        """Where Redis cannot be told, the next message is tried with them again, and refused again."""
        log.warning("Slack refuses charts and tables here: sent without them for a day")
        try:
            await self._store.redis.set(self._key, "1", ex=REFUSED_SECONDS)
        except (RedisError, OSError) as error:
            log.warning("the refusal is not remembered: %s", said(error))
