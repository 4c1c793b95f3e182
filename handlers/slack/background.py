"""Work that goes on after the ack. Failures are logged; a shutdown waits for it."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from slack_sdk.errors import SlackApiError

log = logging.getLogger(__name__)

DRAIN_SECONDS = 5.0


class Tasks:
    """Tasks without state: whatever must not be lost is dispatched before the ack."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, Any], what: str) -> asyncio.Task[Any]:
        """Start `work` now. A failure is logged as `what` with its kind, never with its content."""
        task = asyncio.create_task(work, name=what)
        self._running.add(task)
        task.add_done_callback(self._task_ended)
        return task

    def _task_ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, SlackApiError):
            log.warning("%s: Slack refused: %s", task.get_name(), error.response.get("error"))
        elif error is not None:
            log.warning("%s failed: %s", task.get_name(), type(error).__name__)

    async def idle(self) -> None:
        """Wait until nothing runs that was started so far, nor anything that it started."""
        while self._running:
            await asyncio.wait(self._running)

    async def drain(self, seconds: float = DRAIN_SECONDS) -> None:
        """Wait for the tasks; those that take longer are cancelled."""
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=seconds)
            for task in late:
                log.warning("%s was cut short by the shutdown", task.get_name())
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
