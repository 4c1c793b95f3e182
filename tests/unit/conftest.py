"""A real Valkey for the tests of this folder, emptied between them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from bot.clients.http.endpoint import HttpEndpoint
from bot.store.incident_store import Store
from tests.support.deadlines import deadlines
from tests.support.redis.servers import served


@pytest.fixture(scope="module", autouse=True)
def patience() -> Iterator[None]:
    """A busy machine is no slow Redis, and a stand-in needs no time to come to itself.

    A test of such a limit sets it itself, or has a `patience` of its own.
    """
    with pytest.MonkeyPatch.context() as patch:
        for held, name, seconds in deadlines("people", "redis", "sources", "triage"):
            patch.setitem(held, name, seconds)
        patch.setitem(HttpEndpoint.__init__.__kwdefaults__, "timeout", 60.0)
        for retried in ("http.client.Http.pauses", "sentry.http.SentryHttp.pauses"):
            patch.setattr(f"bot.clients.{retried}", (0.01, 0.03))
        patch.setattr("bot.clients.slack.client.AGAIN_PAUSES", (0.01, 0.03))
        yield


@pytest.fixture(scope="session")
async def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    async with served(tmp_path_factory.mktemp("valkey"), "--databases", "1") as server:
        yield server.url


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
