"""`redis+cluster://h1:6379,h2:6379`: the primary of the one slot that has every key of the bot.

All keys carry one hash tag, so one node has them all, and an ordinary pool of connections to it
is enough. Redis-py's RedisCluster is not used: it sends a script again after an answer was lost
(`execute_command`, ERRORS_ALLOW_RETRY), asks another node at random for what has no key (TIME,
SCAN, INFO), and follows ASK, which would run a commit on a node that has only some of the keys.

What the answers of a cluster mean here
(https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#redirection-and-resharding):

- MOVED: not carried out; the command is sent on to the node that is named.
- ASK, TRYAGAIN: the slot's keys are being moved, one after the other. Nothing is sent on. A script
  names the prefix as its only key, and no such key exists: from the first moment on the old node
  answers ASK, before the script begins. So none ever runs on a part of the keys.
- CLUSTERDOWN, READONLY, a connection that is lost: the nodes are asked again who serves the slot.
"""

import asyncio
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from redis import exceptions as redis_errors
from redis.asyncio import Connection, Redis, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from bot.config.redis_url import Address
from bot.connection.errors import ANSWERS, FAILURES, REACH, Told, Trouble, trouble_of
from bot.connection.pool import Pool

HOPS = 3
"""How often a command is sent on at most: a fail-over and a move of the slot at once need two."""
DIAL_SECONDS, ANSWER_SECONDS = 2.0, 1.0
"""A node without an answer must not use up the time of a commit: the next one is asked."""
NEXT_ADDRESS_SECONDS = 0.25
"""A name may stand for all nodes, and the first address for a dead one (RFC 8305, section 5)."""

Place = tuple[str, int]

NO_CLUSTER = Trouble(
    "What answers there is no cluster",
    "REDIS_URL: redis:// or rediss:// (sentinel:// where there are sentinels)",
    final=True,
)
MOVING = Trouble(
    "The cluster is moving the bot's keys to another node",
    "wait until it has; redis-cli --cluster fix HOST:PORT ends a move that was broken off",
)
DOWN = Trouble(
    "The cluster is down: slots of it have no primary",
    "redis-cli --cluster check HOST:PORT says which; start their nodes",
)
ELSEWHERE = Trouble(
    "The cluster does not say yet which node has the bot's keys", "wait until it does"
)
ANNOUNCED = (
    "is it reachable from here under that name? The cluster announces it "
    "(cluster-announce-hostname, cluster-announce-ip)"
)


class Redirected(Told, redis_errors.ResponseError):
    """Not carried out: another node serves the slot, and the next connection goes to it."""


class NotNow(Told, redis_errors.ResponseError):
    """Not carried out: the cluster is down, or moves the slot."""


class Unreachable(Told, redis_errors.ConnectionError):
    """The node that the cluster names cannot be reached."""


class NoPrimary(Told, redis_errors.ConnectionError):
    """No node says who serves the slot."""


class Slot:
    """The node that serves the slot, as the nodes say; asked again after each lost connection."""

    def __init__(self, number: int, at: Address, **connection: Any) -> None:
        self.number = number
        self.primary: Place | None = None
        self.replicas = 0
        self._kind: type[Node] = SecureNode if at.secure else Node
        limits = {"socket_connect_timeout": DIAL_SECONDS, "socket_timeout": ANSWER_SECONDS}
        self._options: dict[str, Any] = {**connection, **limits}
        self._seeds = at.hosts
        self._nodes = list(at.hosts)
        """In the order in which they are asked: who was right the last time comes first."""
        self._looking = asyncio.Lock()

    async def find(self) -> Place:
        """Return the primary of the slot. Raises the errors of redis-py, and `NoPrimary`."""
        async with self._looking:
            if self.primary is None:
                self.primary = await self._find_primary()
            return self.primary

    def moved(self, to: Place) -> None:
        self.primary = to

    def lost(self, place: Place) -> None:
        """The primary was taken for one, and does not answer as one."""
        if self.primary == place:
            self.primary = None
            self._ask_last(self._nodes[0])  # who said so may be behind the others
        self._ask_last(place)

    def _ask_last(self, place: Place) -> None:
        if place in self._nodes:
            self._nodes.remove(place)
            self._nodes.append(place)

    async def _find_primary(self) -> Place:
        failed: list[Exception] = []
        for place in tuple(self._nodes):
            try:
                cluster = read_map(await self._shards(place), self.number, place)
            except FAILURES as error:
                failed.append(error)
                self._ask_last(place)
                continue
            except asyncio.CancelledError:  # who asked has no more time
                self._ask_last(place)
                raise
            self._nodes = list(dict.fromkeys((*cluster.nodes, *self._seeds)))
            if cluster.primary is not None:
                self.replicas = cluster.replicas
                return cluster.primary
            failed.append(
                NoPrimary(
                    Trouble(
                        f"No node of the cluster serves slot {self.number}, "
                        "which has all keys of the bot",
                        DOWN.mend,
                    )
                )
            )
        # Who answers knows better why than who does not.
        raise max(failed, key=lambda error: (isinstance(error, NoPrimary), _is_final(error)))

    async def _shards(self, place: Place) -> list[list[Any]]:
        """Ask one node, over a connection for that alone: it is seldom needed."""
        host, port = place
        connection = self._kind(host=host, port=port, **self._options)
        try:
            await connection.connect()
            await connection.send_command("CLUSTER", "SLOTS")
            return cast("list[list[Any]]", await connection.read_response())
        except redis_errors.ResponseError as error:
            raise _no_map(error) from error
        finally:
            await connection.disconnect(nowait=True)


@dataclass(frozen=True, slots=True)
class Map:
    """The cluster as one node sees it."""

    primary: Place | None
    """Of the slot; None where nobody serves it."""
    replicas: int
    nodes: tuple[Place, ...]


def read_map(shards: list[list[Any]], slot: int, asked: Place) -> Map:
    """Read the answer of CLUSTER SLOTS of the node that was reached at `asked`.

    Rows of first and last slot, primary and replicas
    (https://redis.io/docs/latest/commands/cluster-slots/).
    """
    nodes = {asked: None}
    primary: Place | None = None
    replicas = 0
    for begin, end, *named in shards:
        places = [_place(node, asked) for node in named]
        nodes |= dict.fromkeys(places)
        if begin <= slot <= end:
            primary, replicas = places[0], len(places) - 1
    return Map(primary, replicas, tuple(nodes))


def _place(named: list[Any], asked: Place) -> Place:
    """No name, or a `?`, stands for the one by which the node itself was reached."""
    host, port = named[0], int(named[1])
    return (str(host) if host and host != "?" else asked[0], port)


def _is_final(error: Exception) -> bool:
    return isinstance(error, ANSWERS) or trouble_of(error).final


def _no_map(error: redis_errors.ResponseError) -> Exception:
    says = str(error).lower()
    if "cluster support disabled" in says or "unknown command" in says:
        return NoPrimary(NO_CLUSTER)
    return error


class Node(Connection):
    """A connection to one node. A name with several addresses is tried at all of them."""

    certified: str | None = None
    """The name that a certificate must have where the cluster names a node by its number only."""

    def __init__(self, *, certified: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.certified = certified

    def _connection_arguments(self) -> Mapping[str, Any]:
        arguments: dict[str, Any] = {
            **super()._connection_arguments(),
            "happy_eyeballs_delay": NEXT_ADDRESS_SECONDS,
        }
        if "ssl" in arguments and self.certified is not None and _is_number(self.host):
            arguments["server_hostname"] = self.certified
        return arguments


class SecureNode(Node, SSLConnection):
    pass


class Primary(Node):
    """A connection to the primary of the slot, wherever it is when the connection is made."""

    def __init__(self, *, slot: Slot, **options: Any) -> None:
        super().__init__(host="", port=0, **options)
        self._slot = slot

    @property
    def place(self) -> Place:
        return (self.host, self.port)

    async def connect_check_health(
        self, check_health: bool = True, retry_socket_connect: bool = True
    ) -> None:
        if self.is_connected:
            return
        self.host, self.port = await self._slot.find()
        try:
            await super().connect_check_health(check_health, retry_socket_connect)
        except BaseException as error:
            self._slot.lost(self.place)
            if (unreachable := _unreachable(error, self.place)) is not None:
                raise unreachable from error
            raise

    async def disconnect(self, *arguments: Any, **options: Any) -> None:
        self._slot.lost(self.place)
        await super().disconnect(*arguments, **options)

    async def read_response(self, *arguments: Any, **options: Any) -> Any:
        try:
            return await super().read_response(*arguments, **options)
        except redis_errors.MovedError as error:
            self._slot.moved((error.host or self.host, error.port))
            self.mark_for_reconnect()
            raise Redirected(ELSEWHERE) from error
        except (redis_errors.AskError, redis_errors.TryAgainError) as error:
            raise NotNow(MOVING) from error
        except redis_errors.ClusterDownError as error:
            self._leave()
            raise NotNow(DOWN) from error
        except (redis_errors.ReadOnlyError, redis_errors.MasterDownError) as error:
            self._leave()
            if "user_script" in str(error):  # a script had begun
                raise
            raise Redirected(ELSEWHERE) from error
        except redis_errors.BusyLoadingError:
            self._leave()
            raise

    def _leave(self) -> None:
        self._slot.lost(self.place)
        self.mark_for_reconnect()


class SecurePrimary(Primary, SecureNode):
    pass


def _unreachable(error: BaseException, place: Place) -> Unreachable | None:
    """The same trouble, with the node that it is about; TLS and logins are their own trouble."""
    if not isinstance(error, FAILURES) or isinstance(error, ANSWERS):
        return None
    why = trouble_of(error)
    if why.final or why.mend != REACH:
        return None
    host, port = place
    return Unreachable(Trouble(f"{why.says} (the cluster names {host}:{port})", ANNOUNCED))


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class PrimaryPool(Pool):
    """Connections to the primary; those to a former one are made anew when they are taken."""

    def __init__(self, *, slot: Slot, **options: Any) -> None:
        super().__init__(slot=slot, **options)
        self.slot = slot

    async def is_fit(self, connection: Any) -> bool:
        return not self._of_a_former(connection) and await super().is_fit(connection)

    async def ensure_connection(self, connection: Any) -> None:
        if connection.is_connected and self._of_a_former(connection):
            await connection.disconnect(nowait=True)
        await super().ensure_connection(connection)

    def _of_a_former(self, connection: Any) -> bool:
        return self.slot.primary not in (None, connection.place)


def connect(at: Address, number: int, **options: Any) -> Redis:
    """Return a client of the primary of the slot; nothing is sent yet."""
    of_pool = ("max_connections", "timeout", "take_seconds")
    names = [host for host, _ in at.hosts]
    certified = names[0] if len(names) == 1 and not _is_number(names[0]) else None
    every = {**options, **at.tls, "certified": certified}
    slot = Slot(number, at, **{key: every[key] for key in every if key not in of_pool})
    every["retry"] = Retry(NoBackoff(), HOPS, supported_errors=(Redirected,))
    kind = SecurePrimary if at.secure else Primary
    return Redis.from_pool(PrimaryPool(slot=slot, connection_class=kind, **every))
