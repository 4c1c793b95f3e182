"""Two versions of the code side by side: a release that is rolled out, replica by replica.

The next version calls some kinds of effects and timers by other names, reads the old names, too,
and writes a field that this version does not know. So this version sets aside what it cannot read
(bot/outbox/dead_letters.py), and the next one takes that up.
"""

from __future__ import annotations

import json
import random
from typing import Any

from bot.outbox import dead_letters, worker
from bot.store import commit
from bot.timers import scheduler
from phases.messages.actions import ACTION
from phases.messages.effects import EFFECT
from tests.lives.clock import WHOSE

RENAMED = 0.3
"""The share of kinds that have another name in the next version."""
NEXT = ".next"
UNKNOWN_FIELD = "of_the_next_version"


class Spoken:
    """Reads and writes one kind of messages as the version whose code runs now does."""

    def __init__(self, adapter: Any, seed: str) -> None:
        self._adapter, self._seed = adapter, seed

    def dump_json(self, message: Any) -> bytes:
        written = self._adapter.dump_json(message)
        if not _is_next():
            return written
        payload = json.loads(written)
        if random.Random(f"{self._seed} {payload['type']}").random() < RENAMED:
            payload["type"] += NEXT
        return json.dumps(payload | {UNKNOWN_FIELD: 1}).encode()

    def validate_json(self, written: str) -> Any:
        if not _is_next():
            return self._adapter.validate_json(written)
        payload = json.loads(written)
        if isinstance(payload, dict) and "type" in payload:
            payload["type"] = str(payload["type"]).removesuffix(NEXT)
        return self._adapter.validate_json(json.dumps(payload))


def _is_next() -> bool:
    return getattr(WHOSE.get(), "is_next", False)


def install(seed: str) -> None:
    """Let the bot in this process read and write by the version of whoever runs."""
    effects: Any = Spoken(EFFECT, seed)
    actions: Any = Spoken(ACTION, seed)
    commit.EFFECT = dead_letters.EFFECT = worker.EFFECT = effects
    commit.ACTION = dead_letters.ACTION = scheduler.ACTION = actions
