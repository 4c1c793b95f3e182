"""Time to the ack of a click at 200 requests a second, beside a bare route.

That route reads the body, checks the signature and answers. The bot has the click in Redis before
it answers; the floor keeps nothing. Latencies are those of the load generator.
"""

from __future__ import annotations

import statistics

from slack_sdk.signature import SignatureVerifier
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.bench.rig import Rig, environment, rig, serve_floor, spread, stored
from tests.bench.seeds import clicks, fill
from tests.bench.table import Row, at_most

RATE = 200
ROUNDS = 4
A_ROUND = 800
WARM_UP = 200
INCIDENTS = 200
ALWAYS = 1_000


def floor() -> Starlette:
    verifier = SignatureVerifier(environment("SLACK_SIGNING_SECRET"))

    async def events(request: Request) -> Response:
        raw = await request.body()
        at, signature = (
            request.headers.get(f"x-slack-{name}", "")
            for name in ("request-timestamp", "signature")
        )
        return Response(status_code=200 if verifier.is_valid(raw, at, signature) else 401)

    return Starlette(routes=[Route("/slack/events", events, methods=["POST"])])


async def rows() -> list[Row]:
    async with rig() as stage:
        async with stage.valkey() as server, stored(server) as store:
            seeded = await fill(store, stage.world, INCIDENTS)
            async with stage.bot(server) as bot, stage.floor("tests.bench.acks") as route:
                for served in (bot, route):
                    await stage.load(clicks(seeded, WARM_UP), served.port, rate=RATE)
                ours, bare = [], []
                for _ in range(ROUNDS):
                    ours.append(
                        (await stage.load(clicks(seeded, A_ROUND), bot.port, rate=RATE)).only(200)
                    )
                    bare.append(
                        (await stage.load(clicks(seeded, A_ROUND), route.port, rate=RATE)).only(200)
                    )
        ratios = [a.p50 / b.p50 for a, b in zip(ours, bare, strict=True)]
        own, theirs = (statistics.median(load.p50 for load in side) for side in (ours, bare))
        p99 = statistics.median(load.at(0.99) for load in ours)
        floor99 = statistics.median(load.at(0.99) for load in bare)
        worst = await always(stage)
    return [
        at_most(
            f"ack p50 at {RATE} clicks/s, over a route that checks the signature",
            statistics.median(ratios),
            4,
            beside=f"{own:.1f} ms over {theirs:.1f} ms; {spread(ratios)}",
        ),
        at_most(
            "the same: p99",
            p99,
            15,
            unit="ms",
            digits=1,
            beside=f"median of the rounds; the route's {floor99:.1f} ms",
        ),
        worst,
    ]


async def always(stage: Rig) -> Row:
    async with stage.valkey("always") as server, stored(server) as store:
        seeded = await fill(store, stage.world, INCIDENTS)
        async with stage.bot(server) as bot:
            await stage.load(clicks(seeded, WARM_UP), bot.port, rate=RATE)
            answered = (await stage.load(clicks(seeded, ALWAYS), bot.port, rate=RATE)).only(200)
    beside = f"p50 {answered.p50:.1f} ms, p99 {answered.at(0.99):.1f} ms"
    return at_most(
        f"the same with an fsync a write: worst of {ALWAYS:,}",
        answered.at(1),
        150,
        unit="ms",
        digits=0,
        beside=beside,
    )


if __name__ == "__main__":
    serve_floor(floor())
