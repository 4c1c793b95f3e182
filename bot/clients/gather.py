"""Several questions at the same time, but not all of them at once."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

A = TypeVar("A")
T = TypeVar("T")


async def at_once(limit: int, ask: Callable[[A], Awaitable[T]], items: Iterable[A]) -> list[T]:
    """Return the answer of `ask` for each item, in their order. At most `limit` are under way."""
    slots = asyncio.Semaphore(limit)

    async def in_a_slot(item: A) -> T:
        async with slots:
            return await ask(item)

    return list(await asyncio.gather(*(in_a_slot(item) for item in items)))
