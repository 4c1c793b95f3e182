"""`sentinel://h1:26379,h2:26379/master`: the primary that the sentinels name, asked anew for each new connection.

`sentinel://user:password@…` is for the servers behind the sentinels; `?db=1` chooses a database. The scheme is our own.
After a fail-over the old primary answers READONLY, its connections are closed, and the next one goes to the new primary.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool

SCHEME = "sentinel"
PORT = 26379


def faults(url: str) -> str | None:
    """What is wrong with such a URL, or None; never its password."""
    parts = urlsplit(url)
    try:
        hosts = _hosts(parts.netloc)
    except ValueError:
        return "a port in it is no number"
    if not hosts or not all(host for host, _ in hosts):
        return "it names no sentinel"
    name = parts.path.strip("/")
    if not name or "/" in name:
        return "it must end with the name of the master that the sentinels watch (sentinel://h1:26379,h2:26379/master)"
    if not parse_qs(parts.query).get("db", ["0"])[0].isdecimal():
        return "its db is no number"
    return None


class WaitingPool(SentinelConnectionPool, BlockingConnectionPool):
    """Where all connections are taken, a command waits for one, as without sentinels. Redis-py's own pool for sentinels refuses at once:
    of a hundred clicks in one moment all but the first sixteen.
    """


def connect(url: str, *, wait_seconds: float, **connection: Any) -> Redis:
    """A client of the primary; nothing is sent yet. `connection`: what every connection is made with. Raises ValueError.

    `wait_seconds`: how long a command waits for a connection where all are taken.
    """
    if wrong := faults(url):
        raise ValueError(wrong)
    parts = urlsplit(url)
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    login: dict[str, Any] = {"password": unquote(password)} if password else {}
    if user:
        login["username"] = unquote(user)
    short = {key: connection[key] for key in ("socket_connect_timeout", "retry", "protocol") if key in connection}
    sentinels = Sentinel(
        _hosts(parts.netloc),
        # A sentinel that does not answer must not use up the time of a commit: the next one is asked.
        sentinel_kwargs={**short, "socket_timeout": connection.get("socket_connect_timeout"), "decode_responses": True},
    )
    database = int(parse_qs(parts.query).get("db", ["0"])[0])
    return sentinels.master_for(
        parts.path.strip("/"),
        connection_pool_class=WaitingPool,
        timeout=wait_seconds,
        db=database,
        **login,
        **connection,
    )


async def close(redis: Redis) -> None:
    """Closes the connections to the sentinels, too, where there are any."""
    pool = redis.connection_pool
    await redis.aclose()
    await pool.disconnect()
    if isinstance(pool, SentinelConnectionPool):
        for one in pool.sentinel_manager.sentinels:
            await one.aclose()
            await one.connection_pool.disconnect()


def _hosts(netloc: str) -> list[tuple[str, int]]:
    """Raises ValueError where a port is no number."""
    found: list[tuple[str, int]] = []
    for part in netloc.rpartition("@")[2].split(","):
        host, _, port = part.strip().rpartition(":") if part.count(":") else (part.strip(), "", "")
        found.append((host.strip("[]"), int(port) if port else PORT))
    return found
