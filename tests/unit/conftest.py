"""A real Valkey for the tests of this folder, emptied between them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.store.incident_store import Store
from tests.support.servers import served


@pytest.fixture(scope="session")
async def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    async with served(tmp_path_factory.mktemp("valkey"), "--databases", "1") as one:
        yield one.url


@pytest.fixture
async def redis_url(valkey_url: str) -> AsyncIterator[str]:
    """The URL of an empty Valkey."""
    store = Store.open(valkey_url)
    await store.redis.flushall()
    yield valkey_url
    await store.close()


@pytest.fixture
async def store(redis_url: str) -> AsyncIterator[Store]:
    opened = Store.open(redis_url)
    yield opened
    await opened.close()
