"""Waiting for a system that asks to slow down: an effect can wait, a click cannot.

A call that was refused for now has done nothing. It can be made again as soon as the system says,
even one that creates something. An effect of many calls that began anew would meet the same limit
again and again.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

LEAST_SECONDS = 0.2
"""Who says that no time has to pass is not asked hundreds of times a second either."""
LONGEST_SECONDS = 10.0
"""An effect that has to wait longer goes back to the queue, so that others have their turn."""

_until: ContextVar[float] = ContextVar("patient until", default=0.0)


@contextmanager
def patient(seconds: float) -> Iterator[None]:
    """Allow the calls in here to wait for so long, in all."""
    before = _until.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _until.reset(before)


async def waited(seconds: float | None) -> bool:
    """Wait as long as a system said, and return True; False where there is no time for that."""
    seconds = seconds if seconds is None else max(seconds, LEAST_SECONDS)
    if seconds is None or seconds > LONGEST_SECONDS or time.monotonic() + seconds > _until.get():
        return False
    await asyncio.sleep(seconds)
    return True
