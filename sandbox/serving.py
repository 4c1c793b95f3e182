"""One Starlette app over real HTTP in this event loop, for as long as a block runs."""

from __future__ import annotations

import asyncio
import random
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import uvicorn
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

HOST = "127.0.0.1"


class PortTaken(Exception):
    """Another program listens on the port."""


class _Server(uvicorn.Server):
    """Leaves signals to the owner of the event loop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bound(port: int) -> socket.socket:
    """Return a listening socket of this machine; port 0 is any free one. Raises `PortTaken`."""
    # asyncio sends small answers at once (TCP_NODELAY) only where the socket says that it is TCP.
    # https://github.com/python/cpython/blob/3.11/Lib/asyncio/base_events.py (_set_nodelay)
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen(256)
    except OSError as error:
        listening.close()
        raise PortTaken(f"Port {port} cannot be had: {error.strerror}") from error
    return listening


KEEP_ALIVE_SECONDS = 600
"""Uvicorn's five seconds end a connection now and then just when a call is sent on it."""
BELOW_EPHEMERAL = range(20000, 30000)
"""Ports that no system hands out by itself: one stays free between two starts on it."""


def free_port() -> int:
    """Return a free port that no outgoing connection will take. Raises `PortTaken`.

    Nobody else who asks here is given it for as long as this process lives: whoever is to listen
    on it begins later, and may be started again.
    """
    for port in random.sample(BELOW_EPHEMERAL, 50):
        try:
            bound(port).close()
        except PortTaken:
            continue
        if _reserve(port):
            return port
    raise PortTaken("no port between 20000 and 30000 is free")


def _reserve(port: int) -> bool:
    """Take a name that ends with this process, and that every process of this machine sees.

    https://man7.org/linux/man-pages/man7/unix.7.html (abstract); elsewhere chance has to do.
    """
    if sys.platform != "linux":
        return True
    name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        name.bind(f"\0firebreak-port-{port}")
    except OSError:
        name.close()
        return False
    name.detach()  # it stays open, and nobody has to keep it
    return True


TURNS = 10
"""Of the event loop: whoever was just let in is a connection by then."""


async def shut(listening: int) -> None:
    """Let nobody in any more at this descriptor.

    Whoever is being let in while asyncio closes a server would be left open.
    """
    asyncio.get_running_loop().remove_reader(listening)
    for _ in range(TURNS):
        await asyncio.sleep(0)


def forgiving(app: ASGIApp) -> ASGIApp:
    """Return the app; a caller who is gone before it was read is no fault of it, and not logged.

    A bot that is stopped, or killed, breaks off its calls.
    """

    async def served(scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(ClientDisconnect):
            await app(scope, receive, send)

    return served


@asynccontextmanager
async def serving(
    app: ASGIApp, listening: socket.socket, before_stop: Callable[[], None]
) -> AsyncIterator[None]:
    """Serve `app`; `before_stop` ends its endless responses, which would hold up the end."""
    config = uvicorn.Config(
        forgiving(app),
        log_level="error",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=1,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        ws="none",
    )
    server = _Server(config)
    running = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        while not server.started:
            if running.done():
                await running
            await asyncio.sleep(0.005)
        yield
    finally:
        before_stop()
        await shut(listening.fileno())
        server.should_exit = True
        await running
