"""The turns of a worker's loop: trouble is logged once when it begins and once when it is over."""

import asyncio
import logging
import traceback
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from phases.ports.ports import PortError


class Worker:
    """A worker, or one of its loops. `name` stands before what is logged."""

    def __init__(self, log: logging.Logger, name: str) -> None:
        self.running = False
        """Whether the last turn worked."""
        self._log, self._name = log, name
        self._failing = False

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Around one turn: a `PortError` ends this turn, and not the loop."""
        end_if_cancelled()
        try:
            yield
        except PortError as error:
            self.running = False
            if not self._failing:
                self._log.error("%s: %s", self._name, error.text)
            self._failing = True
        except BaseException:
            self.running = False
            raise
        else:
            self.running = True
            if self._failing:
                self._log.warning("%s: works again", self._name)
            self._failing = False


def end_if_cancelled() -> None:
    """End a loop over Redis whose cancellation was swallowed.

    Before Python 3.12 `asyncio.wait_for` inside redis-py can do that.

    https://github.com/python/cpython/issues/86296
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def log_crash(log: logging.Logger, what: str, error: Exception, **fields: str) -> None:
    """Log where an error was raised, without its text.

    The text may hold what somebody typed, or a token.
    """
    frames = "".join(traceback.format_tb(error.__traceback__))
    log.error("%s: %s\n%s", what, type(error).__name__, frames, extra=fields)


@dataclass(frozen=True, slots=True)
class WorkerEntry:
    name: str
    run: Callable[[], Coroutine[Any, Any, None]]
    running: Callable[[], bool] | None = None
    """Tells /readyz and /metrics if it works; None: nothing that people do waits for it."""
