"""The store for commands that are no bot.

It is on `REDIS_URL`, on the Valkey of the bot that runs on the folder, or on one started for it.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from bot.config.settings import Faults, where_it_is_kept
from bot.connection.client import CONNECT_SECONDS, StoreError, connect
from bot.connection.embedded import ValkeyError, embedded, running
from bot.store.incident_store import Store

READ_SECONDS = 30.0
"""A command waits longer than a click: it may read much at once."""


def run(command: Callable[[Store], Awaitable[int]], *, must_exist: bool = True) -> int:
    """Run a command on the store and return its exit code.

    2 where the settings are wrong, 1 where the store cannot be used; stderr says why.
    `must_exist`: a folder that is not there is a slip, no empty store.
    """

    async def on_store() -> int:
        async with _store_url(must_exist=must_exist) as url:
            store = Store(
                connect(url, read_seconds=READ_SECONDS, take_seconds=CONNECT_SECONDS, connections=4)
            )
            try:
                return await command(store)
            finally:
                await store.close()

    try:
        return asyncio.run(on_store())
    except Faults as faults:
        print(faults, file=sys.stderr)
        return 2
    except ValkeyError as error:
        print(error, file=sys.stderr)
    except StoreError as error:
        print(f"{error.text}.", file=sys.stderr)
    except BrokenPipeError:
        pass  # the program that read the output has ended
    return 1


@asynccontextmanager
async def _store_url(*, must_exist: bool) -> AsyncIterator[str]:
    redis_url, data_dir = where_it_is_kept()
    if redis_url is not None:
        yield redis_url
        return
    assert data_dir is not None  # where_it_is_kept: one of the two is there
    if must_exist and not data_dir.is_dir():
        raise ValkeyError(f"DATA_DIR {data_dir.absolute()} is not there.")
    if (url := await running(data_dir)) is not None:
        yield url
        return
    async with embedded(data_dir) as url:
        yield url
