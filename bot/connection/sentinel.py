"""`sentinel://h1:26379,h2:26379/master`: the primary that the sentinels name.

Each new connection asks for it. `sentinel://user:password@…` is for the servers behind the
sentinels; `?sentinel_username=…&sentinel_password=…` is for the sentinels themselves, `?db=1`
chooses a database (bot/config/redis_url.py). The scheme is our own; `sentinels://` is TLS to both,
as Redis has it: "Sentinel inherits its networking configuration from the common Redis
configuration" (https://redis.io/docs/latest/operate/oss_and_stack/management/security/encryption/).
After a fail-over the old primary answers READONLY, its connections are closed, and the next one
goes to the new primary.
"""

from typing import Any

from redis.asyncio import Redis
from redis.asyncio.sentinel import MasterNotFoundError, Sentinel, SentinelConnectionPool
from redis.exceptions import RedisError

from bot.config.redis_url import Address
from bot.connection.errors import ANSWERS
from bot.connection.pool import Pool

ANSWER_SECONDS = 1.0
"""A sentinel without an answer must not use up the time of a commit: the next one is asked."""


class WaitingPool(SentinelConnectionPool, Pool):
    """A command waits where all connections are taken, as without sentinels.

    Redis-py's own pool for sentinels refuses at once: of a hundred clicks all but sixteen.
    """

    async def give_up(self) -> None:
        await super().give_up()
        for sentinel in self.sentinel_manager.sentinels:
            await sentinel.aclose()
            await sentinel.connection_pool.disconnect()


class Sentinels(Sentinel):
    """Each sentinel is asked once.

    Redis-py's own loop goes over a list that others reorder meanwhile. With one sentinel down and
    several connections made at once it asked that one twice and the other one never.
    """

    async def discover_master(self, service_name: str) -> tuple[str, int]:
        failed: list[RedisError] = []
        for sentinel in tuple(self.sentinels):
            try:
                masters: Any = await sentinel.sentinel_masters()
            except RedisError as error:
                failed.append(error)
                continue
            state = masters.get(service_name)
            if state and self.check_master_state(state, service_name):
                self.sentinels.remove(sentinel)
                self.sentinels.insert(0, sentinel)
                return state["ip"], state["port"]
        # A sentinel that answers knows better why than one that does not.
        failed.sort(key=lambda error: isinstance(error, ANSWERS))
        raise MasterNotFoundError("no sentinel names a primary") from (
            failed[-1] if failed else None
        )


def connect(at: Address, **connection: Any) -> Redis:
    """Return a client of the primary; nothing is sent yet. `connection` is for every connection."""
    own: dict[str, Any] = {
        key: connection[key] for key in ("retry", "protocol", "driver_info") if key in connection
    }
    secure: dict[str, Any] = {"ssl": True, **at.tls} if at.secure else {}
    sentinels = Sentinels(
        at.hosts,
        sentinel_kwargs={
            **own,
            "username": at.sentinel_username,
            "password": at.sentinel_password,
            "socket_connect_timeout": ANSWER_SECONDS,
            "socket_timeout": ANSWER_SECONDS,
            "decode_responses": True,
            **secure,
        },
    )
    return sentinels.master_for(
        at.master, connection_pool_class=WaitingPool, **connection, **secure
    )
