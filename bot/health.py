"""`/healthz`: the process is alive. `/readyz`: Redis takes a commit and the workers run; the outside systems are only listed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from bot.store.incident_store import Store
from bot.store.redis import StoreError, call

READY_SECONDS = 1.0
TAKES_WRITES = "takes writes"


def routes(
    store: Store,
    workers: Callable[[], Mapping[str, bool]],
    systems: Callable[[], Awaitable[Mapping[str, str]]],
) -> list[Route]:
    async def healthz(request: Request) -> Response:
        del request
        return PlainTextResponse("ok\n")

    async def _redis() -> str:
        try:
            await call(store.redis, "SET", f"{store.keys.prefix}:ready", "1", "PX", 60_000)
        except StoreError as error:
            return f"{error.text}."
        return TAKES_WRITES

    known, asked_at, asking = "", float("-inf"), asyncio.Lock()

    async def redis_now() -> str:
        """Anybody may ask, and each answer is a write on a disk: one a second serves all of them."""
        nonlocal known, asked_at
        async with asking:
            if time.monotonic() - asked_at >= READY_SECONDS:
                known = await _redis()
                asked_at = time.monotonic()
            return known

    async def readyz(request: Request) -> Response:
        """200 when a click can be recorded and acted on; 503 else. Slack and the others never make it 503."""
        del request
        redis = await redis_now()
        running = dict(workers())
        ready = redis == TAKES_WRITES and all(running.values())
        body = {
            "ready": ready,
            "redis": redis,
            "workers": running,
            "systems": dict(await systems()),
        }
        return JSONResponse(body, status_code=200 if ready else 503)

    return [Route("/healthz", healthz), Route("/readyz", readyz)]
