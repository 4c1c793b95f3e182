"""People first: while Slack waits for an ack, what runs in the background waits for it, too, and then goes on piece by piece.

Twenty incidents that open at once are two seconds of work for one core. Without this a click would share every turn of the
event loop with all twenty, and be acked when they are done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

LONGEST_SECONDS = 0.1
"""A piece of background work waits no longer than this, however many people ask: it must come to its end, too."""


class AckPriority:
    """One for a process. Pieces of background work go one a turn of the event loop, and none while somebody waits for an ack."""

    def __init__(self) -> None:
        self._asking = 0
        self._waiting: dict[asyncio.Future[None], None] = {}
        """Who waits longest stands first."""
        self._given = False
        """A piece goes in this turn of the loop: the next one is for the turn after it."""

    @contextmanager
    def somebody_asks(self) -> Iterator[None]:
        """While a request of Slack's is answered."""
        self._asking += 1
        try:
            yield
        finally:
            self._asking -= 1
            if not self._asking and self._waiting:
                self._give()

    def in_background(self) -> None:
        """From now on this task, and every task that it begins, is background work."""
        _ack_priority.set(self)

    async def interaction(self) -> None:
        if not self._asking and not self._given and not self._waiting:
            self._give()
            return
        loop = asyncio.get_running_loop()
        mine = loop.create_future()
        self._waiting[mine] = None
        late = loop.call_later(LONGEST_SECONDS, _let_go, mine)
        try:
            await mine
        finally:
            late.cancel()
            self._waiting.pop(mine, None)

    def _give(self) -> None:
        if not self._given:
            self._given = True
            asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        self._given = False
        if self._waiting and not self._asking:
            one = next(iter(self._waiting))
            del self._waiting[one]
            _let_go(one)
            self._give()


async def people_first() -> None:
    """Before a piece of background work, and after each answer that it waited for. For people's own requests it does nothing."""
    if (ack_priority := _ack_priority.get()) is not None:
        await ack_priority.interaction()


def _let_go(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


_ack_priority: ContextVar[AckPriority | None] = ContextVar(
    "whom background work lets go first", default=None
)
