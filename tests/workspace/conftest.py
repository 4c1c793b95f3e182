"""The stories' stage: a whole local world with the bot in it, a process of its own that can be killed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox.world import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Everything, with a shop that really breaks; re-checks after 4 and 8 s."""
    async with World(tmp_path, recheck_after=4, window=60) as one:
        try:
            yield one
        finally:
            log = one.folder / "bot.log"
            if log.exists():
                print(log.read_text()[-6000:])  # pytest shows it where a story fails
