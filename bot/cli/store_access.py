"""The store for commands that are no bot: on `REDIS_URL`, on the folder, or on the Valkey of the bot that runs there."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from redis.exceptions import RedisError

from bot.config.settings import Faults, where_it_is_kept
from bot.store.embedded import ValkeyError, embedded, running
from bot.store.errors import said
from bot.store.incident_store import Store
from bot.store.redis import CONNECT_SECONDS, StoreError, connect
from phases.ports.ports import PortError

READ_SECONDS = 30.0
"""A command waits longer than a click: it may read much at once."""


@asynccontextmanager
async def opened(*, must_exist: bool) -> AsyncIterator[Store]:
    """Raises `Faults` (settings) or `ValkeyError`. `must_exist`: a folder that is not there is a slip, no empty store."""
    redis_url, data_dir = where_it_is_kept()
    if redis_url is not None:
        async with _store(redis_url) as store:
            yield store
        return
    assert data_dir is not None  # where_it_is_kept: one of the two is there
    if must_exist and not data_dir.is_dir():
        raise ValkeyError(f"DATA_DIR {data_dir.absolute()} is not there.")
    async with _valkey(data_dir) as url, _store(url) as store:
        yield store


@asynccontextmanager
async def _valkey(data_dir: Path) -> AsyncIterator[str]:
    url = await running(data_dir)
    if url is not None:
        yield url
        return
    async with embedded(data_dir) as own:
        yield own


@asynccontextmanager
async def _store(url: str) -> AsyncIterator[Store]:
    store = Store(
        connect(url, read_seconds=READ_SECONDS, take_seconds=CONNECT_SECONDS, connections=4)
    )
    try:
        yield store
    finally:
        await store.close()


def run(command: Callable[[], Awaitable[int]]) -> int:
    """The command's exit code; 2 where the settings are wrong, 1 where the store cannot be used; why stands on stderr."""
    try:
        return asyncio.run(_awaited(command))
    except Faults as faults:
        print(faults, file=sys.stderr)
        return 2
    except (ValkeyError, StoreError, PortError) as error:
        print(error, file=sys.stderr)
        return 1
    except (RedisError, OSError) as error:
        print(said(error), file=sys.stderr)
        return 1


async def _awaited(command: Callable[[], Awaitable[int]]) -> int:
    return await command()
