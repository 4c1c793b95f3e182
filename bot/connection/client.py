"""The bot's way to Redis: short limits, no silent retries, errors that say what may be written."""

import asyncio
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from redis import exceptions as redis_errors
from redis.asyncio import Redis, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import NoScriptError
from redis.maint_notifications import MaintNotificationsConfig

from bot.config import redis_url
from bot.connection import cluster, sentinel
from bot.connection.errors import ANSWERS, FAILURES, Told, trouble_of
from bot.connection.pool import Pool
from handlers.dispatcher import StoreUnavailable

CONNECT_SECONDS = 5.0
"""TCP, TLS and AUTH to another continent take a second or two, and more where a packet is lost."""
TAKE_SECONDS = 1.0
"""The wait of a request for a connection; a slower one is still made, for those who come after."""
READ_SECONDS = 0.8
DISPATCH_SECONDS = 2.0
"""A commit with all its tries.

redis-py's own defaults (5 s, 10 silent retries) hold a caller for 12 s and run a script twice.
"""
CONNECTIONS = 16
"""A burst would open more, which costs more than it gains: an answer takes a millisecond."""
Command = Sequence[str | bytes | float]
_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode
LUA = Path(__file__).parents[1] / "store" / "lua"
GROUP = "workers"
"""The consumer group of the outbox."""


class StoreError(StoreUnavailable):
    """Redis could not be used, or nobody knows whether it carried out what was asked."""


class NotRecorded(StoreError):
    """Nothing was written: Redis was not reached, or (`refused`) it said no."""

    def __init__(self, text: str, *, refused: bool = False) -> None:
        super().__init__(text)
        self.refused = refused


class NotThisVersion(NotRecorded):
    """The text in Redis is no record that this version of the bot can read."""


class AnswerLost(StoreError):
    """The request was sent and no answer came, or (`halfway`) Redis failed in the middle of it.

    The change may be written or not.
    """

    def __init__(self, text: str, *, halfway: bool = False) -> None:
        super().__init__(text)
        self.halfway = halfway


class TooFewReplicas(AnswerLost):
    """The commit is written, and by fewer replicas than REDIS_WAIT_REPLICAS asks for."""


def store_error(error: BaseException, *, sent: bool) -> StoreError:
    """Return our error for one of redis-py. `sent`: the command may have reached Redis."""
    trouble = trouble_of(error)
    if isinstance(error, ANSWERS):
        # It failed inside a script, which may have written by then.
        if "user_script" in str(error):
            return AnswerLost(trouble.says, halfway=True)
        return NotRecorded(trouble.says, refused=not isinstance(error, Told))
    return AnswerLost(trouble.says) if sent else NotRecorded(trouble.says, refused=trouble.final)


@contextmanager
def store_errors() -> Iterator[None]:
    """Around commands of redis-py that only read, or that may run twice: errors become ours."""
    try:
        yield
    except FAILURES as error:
        raise store_error(error, sent=False) from error


PREFIX = "{fb}"
"""One hash tag, so that all keys are in one slot of a cluster, and a script may touch them all."""


class Keys:
    """The keys of the bot. None of them is the prefix alone (bot/connection/cluster.py)."""

    def __init__(self, prefix: str = PREFIX) -> None:
        self.prefix = prefix
        self.outbox = f"{prefix}:outbox"
        self.waiting = f"{prefix}:outbox:waiting"
        self.aside = f"{prefix}:outbox:aside"
        self.timers = f"{prefix}:timers"
        self.timer_actions = f"{prefix}:timers:actions"
        self.marks = f"{prefix}:dirty:marks"
        """Live messages that must be rendered again, by the counter of their newest mark."""
        self.dirty_counter = f"{prefix}:dirty:counter"
        self.strict = f"{prefix}:live:strict"
        self.fence = f"{prefix}:fence"
        self.all = f"{prefix}:index:all"
        self.open = f"{prefix}:index:open"

    def incident(self, id: str) -> str:
        return f"{self.prefix}:incident:{id}"

    def timeline(self, id: str) -> str:
        return f"{self.prefix}:timeline:{id}"

    def words(self, id: str) -> str:
        """The words of the timeline's entries with a `ref`; what is taken back is erased here."""
        return f"{self.prefix}:words:{id}"

    def claim(self, key: str) -> str:
        return f"{self.prefix}:claim:{key}"

    def delivery(self, claim: str) -> str:
        return f"{self.prefix}:delivery:{claim}"

    def commit(self, id: str) -> str:
        return f"{self.prefix}:commit:{id}"

    def index(self, name: str) -> str:
        """Sorted sets of ids: `all`, `open`, `owing`, `channel:<id>`, `service:<…>`."""
        return f"{self.prefix}:index:{name}"

    def rendered(self, member: str) -> str:
        return f"{self.prefix}:live:rendered:{member}"


def source(name: str) -> str:
    """Return the text of a script in the folder `lua`, with the prelude before it."""
    return "".join((LUA / f"{part}.lua").read_text(encoding="utf-8") for part in ("prelude", name))


class Script:
    """A Lua script, called by its hash; sent whole where the server does not know it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.text = source(name)
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


def connect(
    url: str,
    *,
    read_seconds: float = READ_SECONDS,
    take_seconds: float = TAKE_SECONDS,
    connections: int = CONNECTIONS,
) -> Redis:
    """Return a client for a URL of `bot.config.redis_url`; nothing is sent yet.

    Raises `bot.config.redis_url.WrongAddress`.

    `take_seconds`: how long a request waits for a connection.
    """
    at = redis_url.parsed(url)
    options: dict[str, Any] = {
        "max_connections": connections,
        "take_seconds": take_seconds,
        "timeout": take_seconds * 0.9,  # for one of those that are there, where all are taken
        "db": at.db,
        "username": at.username,
        "password": at.password,
        "driver_info": None,  # CLIENT SETINFO would be one more right, and one more round trip
        "socket_connect_timeout": CONNECT_SECONDS,
        "socket_timeout": read_seconds,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
        "decode_responses": True,
    }
    match at.kind:
        case "cluster":
            return cluster.connect(at, key_slot(PREFIX.encode()), **options)
        case "sentinel":
            return sentinel.connect(at, **options)
        case "unix":
            return Redis.from_pool(
                Pool(connection_class=UnixDomainSocketConnection, path=at.path, **options)
            )
        case "one":
            ((host, port),) = at.hosts
            secure: dict[str, Any] = (
                {"connection_class": SSLConnection, **at.tls} if at.secure else {}
            )
            return Redis.from_pool(Pool(host=host, port=port, **secure, **options))


async def copied(
    redis: Redis, replicas: int, seconds: float, *, fence: str, witness: str | None = None
) -> None:
    """Wait, for less than `seconds`, until `replicas` replicas have what was written before.

    Raises `AnswerLost` where they do not: it may be lost with the primary.
    `WAIT` counts from the last write of its own connection
    (https://redis.io/docs/latest/commands/wait/), so it writes
    `fence` first: what was written before, over whatever connection, is copied before it.
    `witness` is a key that was written with it: a new primary that lacks it has not got the rest.
    """
    connection = await _connection(redis)
    try:
        known, fenced = await _exchange(
            connection, (("EXISTS", witness or fence), ("SET", fence, "1", "PX", 60_000))
        )
        for answer in (known, fenced):
            if isinstance(answer, Exception):
                raise answer
        # Its answer must come before we would stop to listen, or nobody knows how many have it.
        await connection.send_command(
            "WAIT", replicas, max(1, round(min(seconds, READ_SECONDS) * 800))
        )
        reached = int(await connection.read_response())
    except FAILURES as error:
        raise AnswerLost(
            f"Nobody knows whether the replicas of Redis have it: {trouble_of(error).says}"
        ) from error
    finally:
        await redis.connection_pool.release(connection)
    if witness is not None and not known:
        raise AnswerLost("The primary of Redis changed meanwhile, and the new one does not have it")
    if reached < replicas:
        raise TooFewReplicas(f"Only {reached} of {replicas} replicas of Redis have it")


async def call(redis: Redis, *command: str | bytes | float) -> Any:
    """Send one command, once.

    Raises `NotRecorded` where it was surely not carried out, `AnswerLost` where it may have been.
    redis-py raises the same errors before and after sending; taking the connection first tells the
    two apart.
    """
    try:
        (answer,) = await _exchanged(redis, (command,))
    except FAILURES as error:
        raise store_error(error, sent=True) from error
    if isinstance(answer, NoScriptError):
        raise answer
    if isinstance(answer, Exception):
        raise store_error(answer, sent=True) from answer
    return answer


async def read(redis: Redis, *commands: Command, allowed: tuple[str, ...] = ()) -> list[Any]:
    """Send reading commands together and return their answers as Redis writes them.

    Raises `NotRecorded`.

    An error that begins with one of `allowed` stands in its answer's place.
    A third of what a pipeline of redis-py costs, which a click has to wait for.
    """
    try:
        answers = await _exchanged(redis, commands)
    except FAILURES as error:
        raise store_error(error, sent=False) from error
    for answer in answers:
        if isinstance(answer, Exception) and not (allowed and str(answer).startswith(allowed)):
            raise store_error(answer, sent=False) from answer
    return answers


async def _exchanged(redis: Redis, commands: Sequence[Command]) -> list[Any]:
    """Exchange them over a connection of the pool; again where another node of a cluster has to.

    Raises `NotRecorded` where there is no connection, and what `_exchange` raises.
    """
    hops = 0
    while True:
        connection = await _connection(redis)
        try:
            answers = await _exchange(connection, commands)
        finally:
            await redis.connection_pool.release(connection)
        if hops == cluster.HOPS or not any(isinstance(a, cluster.Redirected) for a in answers):
            return answers
        hops += 1


async def _exchange(connection: Any, commands: Sequence[Command]) -> list[Any]:
    """Write all commands at once, then read all answers, within the connection's limit for one.

    Where that fails redis-py closes the connection. The one limit is around everything: redis-py
    would start a task to watch each writing, and a timer for each answer.
    """
    limit, connection.socket_timeout = connection.socket_timeout, None
    try:
        async with asyncio.timeout(limit):
            await connection.send_packed_command(_packed(commands), check_health=False)
            answers: list[Any] = []
            while len(answers) < len(commands):
                try:
                    answers.append(await connection.read_response())
                except redis_errors.ConnectionError as error:
                    if not isinstance(error, ANSWERS):
                        raise
                    # "No" to all of them (NOAUTH, LOADING): redis-py closes the connection.
                    answers += [error] * (len(commands) - len(answers))
                except ANSWERS as error:
                    answers.append(error)
            return answers
    finally:
        connection.socket_timeout = limit


def _packed(commands: Sequence[Command]) -> bytes:
    """https://redis.io/docs/latest/develop/reference/protocol-spec/#sending-commands-to-a-redis-server"""
    parts: list[bytes] = []
    for command in commands:
        parts.append(b"*%d\r\n" % len(command))
        for word in command:
            raw = word if isinstance(word, bytes) else str(word).encode()
            parts.append(b"$%d\r\n%b\r\n" % (len(raw), raw))
    return b"".join(parts)


async def _connection(redis: Redis) -> Any:
    """A connection of the pool. Raises `NotRecorded`: nothing was sent yet."""
    with store_errors():
        return await redis.connection_pool.get_connection()


async def keys_under(redis: Redis, prefix: str) -> list[str]:
    """Return every key that begins so, as one server has them. Raises `NotRecorded`.

    SCAN names no key, so a node of a cluster answers it also where it has lost the slot: then it
    is begun anew at the other one.
    """
    pattern = re.sub(r"([\[\]*?\\])", r"\\\1", prefix) + ":*"
    with store_errors():
        while True:
            before = await _serving(redis)
            keys = [key async for key in redis.scan_iter(match=pattern, count=500)]
            if await _serving(redis) == before:
                return list(dict.fromkeys(keys))


async def _serving(redis: Redis) -> object:
    """Return which node of a cluster serves the slot, all of it: a look for a key that none has."""
    pool = redis.connection_pool
    if not isinstance(pool, cluster.PrimaryPool):
        return None
    await redis.exists(PREFIX)
    return pool.slot.primary


async def run_script(
    redis: Redis, script: Script, prefix: str, *texts: str, **arguments: object
) -> Any:
    """Runs a script under the keys of `prefix`. Raises as `call`.

    The script reads `arguments` by name and none that is None; it does not look into `texts`.
    """
    given = {name: value for name, value in arguments.items() if value is not None}
    words = (1, prefix, _encode(given), *texts)
    try:
        return await call(redis, "EVALSHA", script.sha, *words)
    except NoScriptError:
        return await call(redis, "EVAL", script.text, *words)
