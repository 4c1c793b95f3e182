"""Looks back: takes up, at the start, what an older bot left unremembered."""

from __future__ import annotations

import asyncio
import logging

from bot.connection import end_if_cancelled
from bot.memory import RedisMemory
from phases.ports import PortError

log = logging.getLogger(__name__)

AGAIN_SECONDS = 5.0


class LookingBack:
    def __init__(self, memory: RedisMemory) -> None:
        self._memory = memory

    async def run(self) -> None:
        """Until everything that the records tell is remembered."""
        while True:
            try:
                taken = await self._memory.catch_up()
            except PortError as error:
                end_if_cancelled()
                log.warning("memory: %s; trying again", error.text)
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                if taken:
                    log.info("memory: %s earlier incidents taken up", taken)
                return
