"""Changes of the workspace, and those who listen: the page, tests that wait, event delivery."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from sandbox.slack.errors import NeverHappened
from sandbox.wire import Json

T = TypeVar("T")

ChangeKind = Literal[
    "message",  # data: the message
    "message_changed",  # data: {"message", "previous_message"}
    "message_deleted",  # data: {"deleted_ts", "previous_message"}
    "reaction",  # data: {"what": "added" or "removed", "reaction", "by", "message"}
    "ephemeral",  # user: who sees it; data: the message (posted, replaced or deleted)
    "channel",  # created, renamed, archived, topic, purpose, members; data: {"what", …}
    "pins",
    "bookmarks",
    "view_opened",  # user: whose; data: the view
    "view_updated",
    "view_closed",
    "view_errors",  # data: {"view_id", "errors"}
    "home",  # user: whose; data: the view
    "toast",  # user: who sees it; data: {"text"}
]


PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Change:
    """One change. `channel` and `user` are ids; `user` is set when it concerns only them."""

    kind: ChangeKind
    channel: str | None = None
    user: str | None = None
    data: Json = field(default_factory=dict)


class Subscription:
    """An endless async iterator of changes that begins at its creation; `close` ends it."""

    def __init__(self, ended: Callable[[Subscription], None]) -> None:
        self._queue: asyncio.Queue[Change | None] = asyncio.Queue()
        self._ended = ended

    def put(self, change: Change) -> None:
        self._queue.put_nowait(change)

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Change:
        change = await self._queue.get()
        if change is None:
            raise StopAsyncIteration
        return change

    def close(self) -> None:
        self._ended(self)
        self._queue.put_nowait(None)

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Changes:
    """Passes each change on to everybody who listens."""

    def __init__(self) -> None:
        self.patience = PATIENCE_SECONDS
        """The longest wait for what shall happen, where nobody says how long."""
        self._subscriptions: set[Subscription] = set()
        self._listeners: list[Callable[[Change], None]] = []
        self._waiters: set[asyncio.Event] = set()

    def publish(self, change: Change) -> None:
        for listener in list(self._listeners):
            listener(change)
        for subscription in list(self._subscriptions):
            subscription.put(change)
        for waiter in self._waiters:
            waiter.set()

    def subscribe(self) -> Subscription:
        subscription = Subscription(self._subscriptions.discard)
        self._subscriptions.add(subscription)
        return subscription

    def listen(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Call `listener` at every change, at once; return what stops it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def until(
        self, predicate: Callable[[], T | None], *, seconds: float | None = None, what: str = ""
    ) -> T:
        """Wait until `predicate()` is truthy, and return its value.

        It is asked after every change, and four times a second for those that look at more than
        this workspace. Raises `NeverHappened` after `seconds`, or `patience`.
        """
        seconds = self.patience if seconds is None else seconds
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        waiter = asyncio.Event()
        self._waiters.add(waiter)
        try:
            while True:
                waiter.clear()
                if value := predicate():
                    return value
                left = deadline - loop.time()
                if left <= 0:
                    raise NeverHappened(f"not within {seconds:g} s: {what or predicate}")
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(left, 0.25)):
                        await waiter.wait()
        finally:
            self._waiters.discard(waiter)
