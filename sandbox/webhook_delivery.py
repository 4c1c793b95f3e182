"""How webhooks of the emulated systems get to the bot: as they are sent, or each twice and out of order."""

from __future__ import annotations

import asyncio
import random

import httpx

LATER_SECONDS = 1.5
"""How much later at most something comes that comes twice, or out of its turn."""


class Post:
    """One for a whole world. `client` is what Sentry, Linear and GitHub send their webhooks with."""

    def __init__(self) -> None:
        self.twice = False
        """Each webhook comes a second time, byte for byte, and they overtake each other."""
        self._copies: set[asyncio.Task[None]] = set()

    def client(self, seconds: float) -> httpx.AsyncClient:
        return httpx.AsyncClient(timeout=seconds, transport=_Carrier(self))

    def copy(self, request: httpx.Request) -> None:
        task = asyncio.create_task(_carried(request))
        self._copies.add(task)
        task.add_done_callback(self._copies.discard)

    async def stop(self) -> None:
        for task in self._copies:
            task.cancel()
        await asyncio.gather(*self._copies, return_exceptions=True)


class _Carrier(httpx.AsyncHTTPTransport):
    def __init__(self, post: Post) -> None:
        super().__init__(trust_env=False)
        self._post = post

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._post.twice:
            await request.aread()
            self._post.copy(request)
            await asyncio.sleep(random.uniform(0, LATER_SECONDS))
        return await super().handle_async_request(request)


async def _carried(request: httpx.Request) -> None:
    await asyncio.sleep(random.uniform(0, LATER_SECONDS))
    async with httpx.AsyncClient(trust_env=False) as client:
        try:
            await client.request(request.method, request.url, content=request.content, headers=request.headers)
        except httpx.HTTPError:
            return  # nobody took the copy: that is as good as one that never came
