"""A small app over real HTTP on a free port of this machine, for the time of a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from sandbox.serving import KEEP_ALIVE_SECONDS, shut


class _Server(uvicorn.Server):
    """Up and down at once: uvicorn's own ways look every tenth of a second, and sleep for one."""

    async def open(self) -> None:
        self.config.load()
        self.lifespan = self.config.lifespan_class(self.config)
        await self.startup()
        await self.on_tick(0)  # the headers of every answer

    async def close(self) -> None:
        for server in self.servers:
            for listening in server.sockets:
                await shut(listening.fileno())
            server.close()
        while self.server_state.connections or self.server_state.tasks:
            for connection in list(self.server_state.connections):
                connection.shutdown()
            await asyncio.sleep(0.001)
        for server in self.servers:
            await server.wait_closed()


@asynccontextmanager
async def serving(app: ASGIApp, tls: tuple[Path, Path] | None = None) -> AsyncIterator[str]:
    """The address, without a slash at its end. `tls`: certificate and key."""
    keys = {"ssl_certfile": str(tls[0]), "ssl_keyfile": str(tls[1])} if tls else {}
    options = {
        "log_config": None,
        "log_level": "critical",
        "lifespan": "off",
        "ws": "none",
        "access_log": False,
        "timeout_keep_alive": KEEP_ALIVE_SECONDS,
    }
    server = _Server(uvicorn.Config(app, host="127.0.0.1", port=0, **options, **keys))
    await server.open()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        await server.close()
