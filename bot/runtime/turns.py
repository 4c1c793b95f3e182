"""Turns: so many at once, in their order, and what goes first before everything else."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Turns:
    """At most `most` turns at once. Who is `first` is let in before all others that wait."""

    def __init__(self, most: int = 1) -> None:
        self._most = most
        self._taken = 0
        self._first: deque[asyncio.Future[None]] = deque()
        self._others: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def turn(self, *, first: bool = False) -> AsyncIterator[None]:
        await self.take(first=first)
        try:
            yield
        finally:
            self.give_back()

    async def take(self, *, first: bool = False) -> None:
        waiting = self._first if first else self._others
        if not waiting and self._is_free(first):
            self._taken += 1
        else:
            await self._wait(waiting)

    def give_back(self) -> None:
        self._taken -= 1
        self.wake()

    def wake(self) -> None:
        """Give the free turns to those who wait."""
        for waiting, first in ((self._first, True), (self._others, False)):
            while waiting and self._is_free(first):
                given = waiting.popleft()
                if not given.done():
                    self._taken += 1
                    given.set_result(None)

    def _is_free(self, first: bool) -> bool:
        del first
        return self._taken < self._most

    async def _wait(self, waiting: deque[asyncio.Future[None]]) -> None:
        given = asyncio.get_running_loop().create_future()
        waiting.append(given)
        try:
            await given
        except asyncio.CancelledError:
            if given.cancelled():
                with suppress(ValueError):
                    waiting.remove(given)
            else:  # it was given in the moment of the cancellation
                self.give_back()
            raise
