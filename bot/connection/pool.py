"""The connections to Redis: a request waits shortly for one; making one may take longer."""

import asyncio
import logging
from typing import Any

from redis import exceptions as redis_errors
from redis.asyncio import BlockingConnectionPool, Redis

from bot.connection.errors import FAILURES, sentence_of

log = logging.getLogger(__name__)


class Pool(BlockingConnectionPool):
    """Nobody waits for a connection longer than `take_seconds`.

    Over a slow line a TLS handshake takes longer than an ack may wait. Then one connection is made
    beside, and the next request finds it.
    """

    def __init__(self, *, take_seconds: float, **options: Any) -> None:
        super().__init__(**options)
        self._take_seconds = take_seconds
        self._waiting = 0
        """Requests for which no connection was free.

        Without any a connection is taken and given back without redis-py's lock and its measuring,
        which cost a third of an exchange.
        """
        self._dialling: asyncio.Task[None] | None = None

    async def get_connection(self, *_: Any, **__: Any) -> Any:
        if self._available_connections and not self._waiting:
            connection = self._available_connections.pop()
            self._in_use_connections.add(connection)
            fit = False
            try:
                fit = await self.is_fit(connection)
            finally:  # also where whoever asked is cut short meanwhile
                if not fit:
                    await self.release(connection)
            if fit:
                return connection
        self._waiting += 1
        try:
            async with asyncio.timeout(self._take_seconds):
                return await super().get_connection()
        except TimeoutError as error:
            if self._dialling is None or self._dialling.done():
                self._dialling = asyncio.create_task(self._dial(), name="dial redis")
            raise redis_errors.TimeoutError("Timeout connecting to Redis") from error
        finally:
            self._waiting -= 1

    async def is_fit(self, connection: Any) -> bool:
        """Return whether a connection is open, and nothing is left in it of an earlier request."""
        try:
            return connection.is_connected and not await connection.can_read()
        except FAILURES:
            return False

    async def release(self, connection: Any) -> None:
        if self._waiting or connection.should_reconnect():
            await super().release(connection)
            return
        self._in_use_connections.remove(connection)
        self._available_connections.append(connection)

    async def _dial(self) -> None:
        self._waiting += 1
        try:
            connection = await super().get_connection()
        except FAILURES as error:
            log.warning("a connection to Redis did not come about: %s", sentence_of(error))
            return
        finally:
            self._waiting -= 1
        await self.release(connection)

    async def give_up(self) -> None:
        """Makes no connection any more that is not there yet."""
        if self._dialling is not None:
            self._dialling.cancel()
            await asyncio.gather(self._dialling, return_exceptions=True)


async def close(redis: Redis) -> None:
    """Close the client with its connections, to sentinels, too."""
    pool = redis.connection_pool
    if isinstance(pool, Pool):
        await pool.give_up()
    await redis.aclose()
    await pool.disconnect()
