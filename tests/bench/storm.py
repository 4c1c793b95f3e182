"""The cost of one Sentry webhook in a storm about an open incident, beside a bare route.

That route checks the HMAC and parses the JSON. Each webhook is another event (another body) of one
of five issues. The bot reads the open incidents of the service and finds that it knows the issue. A
webhook of an unknown issue becomes evidence, as the first few do here.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import statistics
import time
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.sentry import shapes
from sandbox.sentry.events import iso
from sandbox.world import World
from tests.bench.rig import Rig, Running, cpu, environment, rig, sentry_request, serve_floor, spread
from tests.bench.table import Row, at_least

ROUNDS = 5
WEBHOOKS = 1_000
ISSUES = 5
CONNECTIONS = 8
WARM_UP = 100
SETTLE_SECONDS = 3.0
"""The first webhook opened an incident.

Its triage and its channel are no part of the next ones' cost.
"""
RULE = "More than 10 events in a minute"


def floor() -> Starlette:
    secret = environment("SENTRY_WEBHOOK_SECRET").encode()

    async def webhook(request: Request) -> Response:
        raw = await request.body()
        signature = request.headers.get("sentry-hook-signature", "")
        if not hmac.compare_digest(hmac.new(secret, raw, hashlib.sha256).hexdigest(), signature):
            return Response(status_code=401)
        return JSONResponse({"action": json.loads(raw)["action"]})

    return Starlette(routes=[Route("/webhooks/sentry", webhook, methods=["POST"])])


class Storm:
    """Issue alerts as the pretend Sentry sends them; each is an event of its own."""

    def __init__(self, world: World) -> None:
        self._bodies: list[dict[str, Any]] = []
        for number in range(ISSUES):
            event = world.sentry.load(
                function=f"total_{number}", users=["id:1"], transaction="/cart"
            )[-1]
            self._bodies.append(
                {
                    "event": shapes.webhook_event(world.sentry, event),
                    "triggered_rule": RULE,
                    "issue_alert": {"title": RULE, "settings": []},
                }
            )

    def webhooks(self, count: int) -> list[bytes]:
        requests: list[bytes] = []
        for number in range(count):
            data = self._bodies[number % ISSUES]
            event = {**data["event"], "event_id": uuid4().hex, "datetime": iso(time.time())}
            requests.append(
                sentry_request(
                    "event_alert", {"action": "triggered", "data": {**data, "event": event}}
                )
            )
        return requests


async def rows() -> list[Row]:
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(rig())
        server = await stack.enter_async_context(stage.valkey())
        bot = await stack.enter_async_context(stage.bot(server))
        route = await stack.enter_async_context(stage.floor("tests.bench.storm"))
        storm = Storm(stage.world)
        for served in (bot, route):
            await stage.load(storm.webhooks(WARM_UP), served.port, connections=1)
        await asyncio.sleep(SETTLE_SECONDS)
        costs: list[tuple[float, float]] = []
        before = cpu(server.process.pid)
        for _ in range(ROUNDS):
            costs.append((await _round(stage, storm, bot), await _round(stage, storm, route)))
        valkey = (cpu(server.process.pid) - before) / ROUNDS / WEBHOOKS * 1000
    ratios = [bare / ours for ours, bare in costs]
    ours, bare = (statistics.median(cost[side] for cost in costs) for side in (0, 1))
    beside = f"{ours:.2f} ms over {bare:.2f} ms each, Valkey {valkey:.2f} ms; {spread(ratios)}"
    name = "Sentry webhooks of one storm a core, over a route that checks the HMAC and parses"
    return [at_least(name, statistics.median(ratios), 0.35, beside=beside)]


async def _round(stage: Rig, storm: Storm, taker: Running) -> float:
    """Milliseconds of CPU a webhook."""
    before = cpu(taker.pid)
    (await stage.load(storm.webhooks(WEBHOOKS), taker.port, connections=CONNECTIONS)).only(200)
    return (cpu(taker.pid) - before) / WEBHOOKS * 1000


if __name__ == "__main__":
    serve_floor(floor())
