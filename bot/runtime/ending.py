"""The start and the end of a process that serves: signals, a surely reached end, the collector."""

import asyncio
import gc
import logging
import os
import signal
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

log = logging.getLogger("firebreak")

GRACE_SECONDS = 5
"""After a signal requests, effects and answers to people have this long to finish."""
STOP_SECONDS = 9.5
"""Then the process ends, whatever holds it: a thread, a name server.

Every state is in Redis, and other replicas take over what was held.
"""
LAST_SECONDS = 0.5
"""Time for what a request started in its last moment."""
COLLECT_AFTER = 10_000
"""New objects between two collections; Python's own 700 come together within one click."""

R = TypeVar("R")


def stop_signal() -> asyncio.Event:
    """Return what is set by SIGTERM and SIGINT."""
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    return ended


async def unless_stopped(starting: Coroutine[Any, Any, R], ended: asyncio.Event) -> R | None:
    """Return what is started, or None where a signal came first: Slack may not answer for long."""
    start = asyncio.create_task(starting, name="start")
    signalled = asyncio.create_task(ended.wait(), name="signal")
    await asyncio.wait({start, signalled}, return_when=asyncio.FIRST_COMPLETED)
    signalled.cancel()
    if start.done():
        return start.result()
    exit_at_the_latest()
    start.cancel()
    await asyncio.gather(start, return_exceptions=True)
    return None


def freeze_garbage() -> None:
    """Keep the objects of the start out of later collections, which would delay an ack.

    https://docs.python.org/3/library/gc.html#gc.freeze
    """
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 20)
    gc.enable()


def exit_at_the_latest() -> None:
    def end() -> None:
        log.error("not stopped within %s s: ended", STOP_SECONDS)
        logging.shutdown()
        os._exit(1)

    late = threading.Timer(STOP_SECONDS, end)
    late.daemon = True
    late.start()
