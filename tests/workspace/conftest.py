"""The stories' stages. Each is a whole local world with the bot as a process that can be killed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox.world import World
from tests.support.bots.forked import launch, launch_triage_on_time
from tests.support.bots.stage import SEARCH, SHOP, patient, town, transcript


async def _lived(world: World) -> AsyncIterator[World]:
    async with world:
        try:
            yield world
        finally:
            # pytest shows both where a story fails.
            print(transcript(world))
            log = world.folder / "bot.log"
            if log.exists():
                said = log.read_text()
                print(*(one for one in said.splitlines() if '"INFO"' not in one), sep="\n")
                print(said[-6000:])


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """The whole world, with a shop that really breaks.

    Re-checks come after 8 and 16 s, enough to count 20 events.
    """
    async for one in _lived(patient(World(tmp_path, recheck_after=8, window=60, launch=launch))):
        yield one


@pytest.fixture
async def started_by_a_host(tmp_path: Path) -> AsyncIterator[World]:
    """The whole world; its bot is `python -m bot serve`, with nothing imported before."""
    async for one in _lived(patient(World(tmp_path, recheck_after=8, window=60))):
        yield one


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[World]:
    """A world without the shop, with a few files as production and made-up Sentry events.

    Re-checks come after 1 and 2 s.
    """
    async for one in _lived(town(tmp_path)):
        yield one


@pytest.fixture
async def looks_on_request(tmp_path: Path) -> AsyncIterator[World]:
    """The small world, where nothing is checked by itself for as long as a story lasts."""
    async for one in _lived(town(tmp_path, recheck_after=900)):
        yield one


@pytest.fixture
async def sentry_hangs(tmp_path: Path) -> AsyncIterator[World]:
    """The small world, where people decide after three seconds without Sentry."""
    async for one in _lived(town(tmp_path, launch=launch_triage_on_time)):
        yield one


@pytest.fixture
async def two_services(tmp_path: Path) -> AsyncIterator[World]:
    """The same, with a second service in the catalogue."""
    async for one in _lived(town(tmp_path, services=SHOP + SEARCH)):
        yield one
