"""The list of workers: work that runs beside requests, until the bot is stopped."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class WorkerEntry:
    name: str
    run: Callable[[], Coroutine[Any, Any, None]]
    running: Callable[[], bool] | None = None
    """Tells /readyz and /metrics if it works; None: nothing that people do waits for it."""
