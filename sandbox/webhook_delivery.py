"""The way of webhooks to the bot: as they are sent, or each twice and out of order."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Mapping

import httpx

from sandbox.background import BackgroundTasks

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""The bot is on this machine, over plain HTTP: nothing is made anew, or read, for each webhook."""
LATER_SECONDS = 1.5
"""The longest that a second copy, or something out of its turn, comes later."""


class WebhookDelivery:
    """Carries the webhooks of all systems of one world."""

    def __init__(self) -> None:
        self.twice = False
        """Each webhook comes a second time, byte for byte, and they overtake each other."""
        self.patience = 0.0
        """Each system waits for so many seconds at least, however little time it has."""
        self._copies = BackgroundTasks()

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], *, seconds: float
    ) -> int | None:
        """Return the status of the answer; None where none came within `seconds`."""
        seconds = max(seconds, self.patience)
        if self.twice:
            self._copies.start(_post_later(url, body, headers, seconds))
            await asyncio.sleep(random.uniform(0, LATER_SECONDS))
        return await _post(url, body, headers, seconds)

    async def stop(self) -> None:
        await self._copies.stop()


async def _post_later(url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> None:
    await asyncio.sleep(random.uniform(0, LATER_SECONDS))
    await _post(url, body, headers, seconds)


async def _post(url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> int | None:
    async with httpx.AsyncClient(timeout=seconds, trust_env=False, verify=NO_TLS) as client:
        try:
            return (await client.post(url, content=body, headers=headers)).status_code
        except httpx.HTTPError:
            return None
