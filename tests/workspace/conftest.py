"""The stories' stages. Each is a whole local world with the bot as a process that can be killed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sandbox.world import World
from tests.support.bots.forked import launch, launch_triage_on_time
from tests.support.bots.stage import SEARCH, SHOP, patient, running, town


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """The whole world, with a shop that really breaks.

    Re-checks come after 8 and 16 s, enough to count 20 events.
    """
    async with running(
        patient(World(tmp_path, recheck_after=8, window=60, launch=launch))
    ) as started:
        yield started


@pytest.fixture
async def started_by_a_host(tmp_path: Path) -> AsyncIterator[World]:
    """The whole world; its bot is `python -m bot serve`, with nothing imported before."""
    async with running(patient(World(tmp_path, recheck_after=8, window=60))) as started:
        yield started


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[World]:
    """A world without the shop, with a few files as production and made-up Sentry events.

    Re-checks come after 1 and 2 s.
    """
    async with running(town(tmp_path)) as started:
        yield started


@pytest.fixture
async def looks_on_request(tmp_path: Path) -> AsyncIterator[World]:
    """The small world, where nothing is checked by itself for as long as a story lasts."""
    async with running(town(tmp_path, recheck_after=900)) as started:
        yield started


@pytest.fixture
async def sentry_hangs(tmp_path: Path) -> AsyncIterator[World]:
    """The small world, where people decide after three seconds without Sentry."""
    async with running(town(tmp_path, launch=launch_triage_on_time)) as started:
        yield started


@pytest.fixture
async def two_services(tmp_path: Path) -> AsyncIterator[World]:
    """The same, with a second service in the catalogue."""
    async with running(town(tmp_path, services=SHOP + SEARCH)) as started:
        yield started
