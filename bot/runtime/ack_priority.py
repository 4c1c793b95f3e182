"""People first: while Slack waits for an ack, background work waits, and then goes on in pieces.

Twenty incidents that open at once are two seconds of work for one core. Without this a click would
share every turn of the event loop with all twenty, and be acked when they are done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

LONGEST_SECONDS = 0.1
"""The longest wait of a piece of background work, however many people ask: it must end, too."""


class AckPriority:
    """The order of one process.

    One piece of background work runs in a turn of the event loop, and none while Slack waits for an
    ack.
    """

    def __init__(self) -> None:
        self._asking = 0
        self._waiting: dict[asyncio.Future[None], None] = {}
        """Pieces that wait; the longest wait stands first."""
        self._given = False
        """A piece runs in this turn of the loop: the next one runs in the turn after it."""

    @contextmanager
    def somebody_asks(self) -> Iterator[None]:
        """Be entered while a request of Slack's is answered."""
        self._asking += 1
        try:
            yield
        finally:
            self._asking -= 1
            if not self._asking and self._waiting:
                self._give()

    def in_background(self) -> None:
        """Make this task, and every task that it begins from now on, background work."""
        _ack_priority.set(self)

    async def turn(self) -> None:
        """Wait until the next piece of background work may run."""
        if not self._asking and not self._given and not self._waiting:
            self._give()
            return
        loop = asyncio.get_running_loop()
        may_run = loop.create_future()
        self._waiting[may_run] = None
        late = loop.call_later(LONGEST_SECONDS, _let_go, may_run)
        try:
            await may_run
        finally:
            late.cancel()
            self._waiting.pop(may_run, None)

    def _give(self) -> None:
        if not self._given:
            self._given = True
            asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        self._given = False
        if self._waiting and not self._asking:
            longest = next(iter(self._waiting))
            del self._waiting[longest]
            _let_go(longest)
            self._give()


async def people_first() -> None:
    """Wait before a piece of background work, and after each answer that it waited for.

    In a person's own request this does nothing.
    """
    if (ack_priority := _ack_priority.get()) is not None:
        await ack_priority.turn()


def _let_go(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


_ack_priority: ContextVar[AckPriority | None] = ContextVar(
    "whom background work lets go first", default=None
)
