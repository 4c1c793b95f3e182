"""The stories' stages: a whole local world with the bot in it, a process of its own that can be killed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox.world import World
from tests.support.stage import SEARCH, SHOP, town, transcript


async def _lived(world: World) -> AsyncIterator[World]:
    async with world:
        try:
            yield world
        finally:
            # pytest shows both where a story fails.
            print(transcript(world))
            log = world.folder / "bot.log"
            if log.exists():
                print(log.read_text()[-6000:])


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Everything, with a shop that really breaks; re-checks after 8 and 16 s: long enough to count 20 events."""
    async for one in _lived(World(tmp_path, recheck_after=8, window=60)):
        yield one


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[World]:
    """Without the shop: production is a few files, Sentry's events are made up; re-checks after 1 and 2 s."""
    async for one in _lived(town(tmp_path)):
        yield one


@pytest.fixture
async def two_services(tmp_path: Path) -> AsyncIterator[World]:
    """The same, with a second service in the catalogue."""
    async for one in _lived(town(tmp_path, services=SHOP + SEARCH)):
        yield one
