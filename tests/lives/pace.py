"""How often a replica looks for what nobody tells it of.

Most looks find nothing, and they are most of what a life costs: what comes is told by a wake-up (a
bell, a blocking read) in nearly all cases. So here replicas look less often than in production.
"""

from __future__ import annotations

from typing import Any

from bot.live import editor
from bot.outbox import worker
from bot.timers import deploy_watch, scheduler

LOOKS: tuple[tuple[Any, str], ...] = (
    (scheduler, "SWEEP_SECONDS"),
    (editor, "LOOK_SECONDS"),
    (deploy_watch, "SWEEP_SECONDS"),
    (worker, "BLOCK_SECONDS"),
    (worker, "PROMOTE_SECONDS"),
)


def install(slower: float) -> None:
    """Let the bot in this process look so many times as seldom."""
    for module, name in LOOKS:
        setattr(module, name, getattr(module, name) * slower)
