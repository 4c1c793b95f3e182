"""About forty people who use the shop all the time."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field

import httpx

from sandbox.shop.data import User

PAGES = {"catalog": ("/",), "cart": ("/cart", "/cart/add"), "pay": ("/pay", "/pay/confirm")}
WEIGHTS = {"catalog": 4, "cart": 3, "pay": 3}

TRIES = 12
"""Tries of a page that fails."""

COME_BACK = 0.9
"""The share of those who come back later to a page that never worked."""


@dataclass(slots=True)
class Traffic:
    """Visits of the shop.

    `pause` is the mean of seconds between two pages of one person, `retry` after a page that
    failed; `most` are pages a second of everybody together.
    """

    base_url: str
    people: list[User]
    pause: float = 10.0
    retry: float = 2.0
    most: float = 8.0
    seed: int = 7
    away: float = 0.0
    """The share of pages that people leave for later: they have heard that the shop is down."""
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _asking: set[asyncio.Task[int]] = field(default_factory=set)
    _client: httpx.AsyncClient | None = None
    _free_at: float = 0.0
    _wishes: dict[str, str] = field(default_factory=dict)
    _awake: dict[str, asyncio.Event] = field(default_factory=dict)

    async def start(self) -> None:
        limits = httpx.Limits(max_connections=len(self.people) + 10, max_keepalive_connections=20)
        self._client = httpx.AsyncClient(
            base_url=self.base_url, timeout=10, limits=limits, trust_env=False, verify=False
        )
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._shop(user, random.Random(f"{self.seed}/{user.id}")))
            for user in self.people
        ]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*self._asking)
        self._tasks = []
        if self._client:
            await self._client.aclose()
            self._client = None

    async def visit(self, user: User, path: str) -> int:
        """Visit a page. Return the HTTP status, 0 when nobody answered."""
        if self._client is None:
            raise RuntimeError("traffic is not started")
        # Who goes leaves the request to end by itself: httpcore forgets a socket that is connected
        # in the moment in which its request is cancelled.
        asking = asyncio.create_task(self._request(self._client, user, path))
        self._asking.add(asking)
        asking.add_done_callback(self._asking.discard)
        return await asyncio.shield(asking)

    @staticmethod
    async def _request(client: httpx.AsyncClient, user: User, path: str) -> int:
        headers = {"X-User": user.id, "X-Forwarded-For": user.address}
        try:
            return (await client.get(path, headers=headers)).status_code
        except httpx.TransportError:
            return 0

    def send(self, user_id: str, feature: str) -> None:
        """Let this person turn to `feature` next, and soon."""
        self._wishes[user_id] = feature
        if user_id in self._awake:
            self._awake[user_id].set()

    async def _shop(self, user: User, dice: random.Random) -> None:
        awake = self._awake[user.id] = asyncio.Event()
        await self._rest(awake, dice.uniform(0, min(self.pause, 10.0)))
        while True:
            chosen = dice.choices(list(WEIGHTS), weights=list(WEIGHTS.values()))[0]
            if dice.random() < self.away:
                await self._rest(awake, dice.expovariate(1 / self.pause))
                continue
            feature = self._wishes.pop(user.id, chosen)
            path = dice.choice(PAGES[feature])
            worked = await self._visit_with_reloads(user, path, dice)
            if not worked and dice.random() < COME_BACK:
                self._wishes.setdefault(user.id, feature)
            await self._rest(awake, dice.expovariate(1 / self.pause) if worked else self.pause / 2)

    async def _visit_with_reloads(self, user: User, path: str, dice: random.Random) -> bool:
        """Visit, and reload for a while when the page fails. Return whether it worked."""
        for _ in range(TRIES):
            await self._wait_for_turn()
            if 0 < await self.visit(user, path) < 500:
                return True
            await asyncio.sleep(dice.expovariate(1 / self.retry))
        return False

    async def _rest(self, awake: asyncio.Event, seconds: float) -> None:
        """Wait until the time is over, or `send` has a page for this person."""
        # Not `wait_for`: until Python 3.12 it may swallow the cancellation that ends the traffic.
        try:
            async with asyncio.timeout(seconds):
                await awake.wait()
        except TimeoutError:
            return
        awake.clear()

    async def _wait_for_turn(self) -> None:
        """Wait until one more page fits under `most`."""
        now = time.monotonic()
        ours = max(self._free_at, now)
        self._free_at = ours + 1 / self.most
        await asyncio.sleep(ours - now)
