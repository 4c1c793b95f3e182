"""A small app over real HTTP on a free port of this machine, for the time of a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[object] | None = None) -> None:
        await super().startup(sockets=None)
        self.up.set()


@asynccontextmanager
async def serving(app: ASGIApp, tls: tuple[Path, Path] | None = None) -> AsyncIterator[str]:
    """The address, without a slash at its end. `tls`: certificate and key."""
    keys = {"ssl_certfile": str(tls[0]), "ssl_keyfile": str(tls[1])} if tls else {}
    server = _Server(
        uvicorn.Config(
            app, host="127.0.0.1", port=0, log_level="critical", lifespan="off", ws="none", **keys
        )
    )
    running = asyncio.create_task(server.serve())
    try:
        await asyncio.wait_for(server.up.wait(), 5)
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await running
