"""`/healthz`: the process is alive. `/readyz`: Redis takes a commit and the workers run."""

import asyncio
import time
from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from bot.connection.client import StoreError, call
from bot.store.incident_store import Store

READY_SECONDS = 1.0
TAKES_WRITES = "takes writes"


def routes(
    store: Store, workers: Callable[[], Mapping[str, bool]], systems: Mapping[str, str]
) -> list[Route]:
    """`workers` tells whether each one runs."""

    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def _redis() -> str:
        try:
            await call(store.redis, "SET", f"{store.keys.prefix}:ready", "1", "PX", 60_000)
        except StoreError as error:
            return f"{error.text}."
        return TAKES_WRITES

    known, asked_at, asking = "", float("-inf"), asyncio.Lock()

    async def redis_now() -> str:
        """Return Redis's answer, asked once a second: each one is a write, and anybody may ask."""
        nonlocal known, asked_at
        async with asking:
            if time.monotonic() - asked_at >= READY_SECONDS:
                known = await _redis()
                asked_at = time.monotonic()
            return known

    async def readyz(_request: Request) -> Response:
        """Answer 200 when a click can be recorded and acted on, else 503.

        Slack and the other systems are listed; they never make it 503.
        """
        redis = await redis_now()
        running = workers()
        ready = redis == TAKES_WRITES and all(running.values())
        body = {"ready": ready, "redis": redis, "workers": dict(running), "systems": dict(systems)}
        return JSONResponse(body, status_code=200 if ready else 503)

    return [Route("/healthz", healthz), Route("/readyz", readyz)]
