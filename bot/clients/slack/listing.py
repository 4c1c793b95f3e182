"""Slack's long lists, of which few pages a minute are given.

Each is read once, and on from where it stopped. `conversations.list` and `users.list` are Tier 2,
20 calls a minute, with at most 1,000 a page. A page may hold fewer than were asked for.
https://docs.slack.dev/apis/web-api/rate-limits,
https://docs.slack.dev/reference/methods/conversations.list
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Generic, Protocol, TypeVar

from bot.clients.slack.errors import LIMITS, SlackRefused
from bot.runtime.backoff import patient, waited

T = TypeVar("T")

LISTED = 1000
KEPT_SECONDS = 3600.0


class Reads(Protocol):
    """The client, as far as it reads."""

    async def get(self, method: str, **arguments: Any) -> dict[str, Any]: ...


class Listing(Generic[T]):
    """The entries of `method`, as `read` makes them; where it answers None, nothing is kept."""

    def __init__(
        self,
        slack: Reads,
        method: str,
        key: str,
        read: Callable[[Mapping[str, Any]], T | None],
        **arguments: str,
    ) -> None:
        self._slack, self._method, self._key, self._read = slack, method, key, read
        self._arguments = arguments
        self._reading = asyncio.Lock()
        self.begin_anew()

    def begin_anew(self) -> None:
        self._rows: list[T] = []
        self._cursor: str | None = None
        self._complete = False
        self._begun = time.monotonic()

    @property
    def age(self) -> float:
        """Seconds since its first page was asked for."""
        return time.monotonic() - self._begun

    async def rows(self) -> AsyncIterator[T]:
        """Yield what is kept, then page by page what is left.

        Raises `PortError`; who asks again goes on from there.
        """
        if self.age > KEPT_SECONDS:
            self.begin_anew()
        rows, number = self._rows, 0
        while True:
            if rows is not self._rows:
                rows, number = self._rows, 0
            while number < len(rows):
                yield rows[number]
                number += 1
            if self._complete:
                return
            await self._next_page()

    async def _next_page(self) -> None:
        """Read one page more, for all who wait for it. A wait for a limit holds up nobody else."""
        cursor, rows = self._cursor, self._rows
        try:
            async with self._reading:
                if self._rows is rows and self._cursor == cursor and not self._complete:
                    with patient(0):
                        await self._read_page()
        except SlackRefused as refused:
            if refused.error == "invalid_cursor" and cursor is not None:
                self.begin_anew()
            elif refused.error not in LIMITS or not await waited(refused.retry_after):
                raise

    async def _read_page(self) -> None:
        answer = await self._slack.get(
            self._method, limit=LISTED, cursor=self._cursor, **self._arguments
        )
        read = (self._read(shape) for shape in answer.get(self._key) or [])
        self._rows.extend(row for row in read if row is not None)
        self._cursor = (answer.get("response_metadata") or {}).get("next_cursor") or None
        self._complete = self._cursor is None
