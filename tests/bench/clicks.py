"""CPU of a recorded click: beside bare Bolt, with 5,000 open incidents, on two replicas.

It is that of the bot's process alone, with everything that it does meanwhile (live messages, clock,
outbox); Valkey's stands beside it. The floor is Bolt as its documentation shows it, with
`process_before_response`: one listener that acks, and records nothing.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from contextlib import AsyncExitStack

from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from phases.record.incident import Incident
from tests.bench.rig import (
    Rig,
    Running,
    cpu,
    environment,
    resident,
    rig,
    serve_floor,
    spread,
    stored,
)
from tests.bench.seeds import BUTTON, clicks, fill
from tests.bench.table import Row, aside, at_least, at_most
from tests.chaos.store import Server

ROUNDS = 4
CLICKS = 700
WARM_UP = 300
CONNECTIONS = 8
FEW, MANY = 10, 5_000


def floor() -> Starlette:
    """https://docs.slack.dev/tools/bolt-python/concepts/lazy-listeners and …/concepts/adapters"""
    client = AsyncWebClient(
        token=environment("SLACK_BOT_TOKEN"), base_url=environment("SLACK_API_URL")
    )
    app = AsyncApp(
        client=client,
        signing_secret=environment("SLACK_SIGNING_SECRET"),
        process_before_response=True,
    )

    @app.action(BUTTON)
    async def clicked(ack: object) -> None:
        await ack()  # type: ignore[operator]

    handler = AsyncSlackRequestHandler(app)

    async def events(request: Request) -> Response:
        return await handler.handle(request)

    return Starlette(routes=[Route("/slack/events", events, methods=["POST"])])


class Side:
    """One side of a comparison.

    Its processes take clicks on the same incidents, and it holds the cost of a click, round by
    round.
    """

    def __init__(
        self, stage: Rig, among: Sequence[Incident], *takers: Running, server: Server | None = None
    ) -> None:
        self._stage, self._among, self._takers, self._server = stage, among, takers, server
        self.costs: list[float] = []
        """Milliseconds of CPU a click."""
        self.valkey: list[float] = []
        self.seconds: list[float] = []

    async def warm(self) -> None:
        await self._send(WARM_UP)

    async def round(self) -> None:
        pids = [taker.pid for taker in self._takers]
        keeper = [self._server.process.pid] if self._server else []
        before, keeper_before = cpu(*pids), cpu(*keeper)
        self.seconds.append(await self._send(CLICKS))
        self.costs.append((cpu(*pids) - before) / CLICKS * 1000)
        self.valkey.append((cpu(*keeper) - keeper_before) / CLICKS * 1000)

    async def _send(self, count: int) -> float:
        ports = [taker.port for taker in self._takers]
        load = await self._stage.load(clicks(self._among, count), *ports, connections=CONNECTIONS)
        return load.only(200).seconds

    @property
    def cost(self) -> float:
        return statistics.median(self.costs)

    def over(self, other: Side) -> list[float]:
        """Round by round: what a click costs here over what it costs there."""
        return [own / theirs for own, theirs in zip(self.costs, other.costs, strict=True)]


async def in_turn(*sides: Side) -> None:
    for side in sides:
        await side.warm()
    for _ in range(ROUNDS):
        for side in sides:
            await side.round()


async def rows() -> list[Row]:
    return [*await beside_bolt(), *await with_many(), *await replicas()]


async def beside_bolt() -> list[Row]:
    async with rig() as stage, stage.valkey() as server, stored(server) as store:
        seeded = await fill(store, stage.world, 200)
        async with stage.bot(server) as bot, stage.floor("tests.bench.clicks") as bolt:
            ours, bare = Side(stage, seeded, bot, server=server), Side(stage, seeded, bolt)
            await in_turn(ours, bare)
    ratios = [1 / ratio for ratio in ours.over(bare)]
    beside = (
        f"{ours.cost:.2f} ms over {bare.cost:.2f} ms a click, Valkey "
        f"{statistics.median(ours.valkey):.2f} ms; {spread(ratios)}"
    )
    return [
        at_least(
            "clicks recorded a core, over bare Bolt", statistics.median(ratios), 0.35, beside=beside
        )
    ]


async def with_many() -> list[Row]:
    """A bot with few open incidents and one with many.

    Each has a Valkey of its own, and clicks go in turn over all incidents.
    """
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(rig())
        sides: list[Side] = []
        bots: list[Running] = []
        for count in (FEW, MANY):
            server = await stack.enter_async_context(stage.valkey())
            store = await stack.enter_async_context(stored(server))
            seeded = await fill(store, stage.world, count)
            bots.append(await stack.enter_async_context(stage.bot(server)))
            sides.append(Side(stage, seeded, bots[-1], server=server))
        few, many = sides
        await in_turn(few, many)
        memory = [resident(bot.pid) for bot in bots]
    ratios = many.over(few)
    name = f"with {MANY:,} open incidents, over {FEW}"
    cost = f"{many.cost:.2f} ms over {few.cost:.2f} ms of CPU; {spread(ratios)}"
    return [
        at_most(f"cost of a click {name}", statistics.median(ratios), 1.1, beside=cost),
        at_most(
            f"memory of the process {name}",
            memory[1] / memory[0],
            1.2,
            beside=f"{memory[1]:.0f} MB over {memory[0]:.0f} MB",
        ),
    ]


async def replicas() -> list[Row]:
    """One bot on one Valkey, two bots on another; each click goes to one of the two."""
    async with rig() as stage, stage.valkey() as lone, stage.valkey() as other:
        seeded = []
        for server in (lone, other):
            async with stored(server) as store:
                seeded = await fill(store, stage.world, 200)
        async with stage.bot(lone) as alone, stage.bot(other) as left, stage.bot(other) as right:
            single = Side(stage, seeded, alone, server=lone)
            pair = Side(stage, seeded, left, right, server=other)
            await in_turn(single, pair)
    ratios = pair.over(single)
    beside = f"{pair.cost:.2f} ms over {single.cost:.2f} ms; {spread(ratios)}"
    faster = statistics.median(single.seconds) / statistics.median(pair.seconds)
    return [
        at_most(
            "CPU a click with 2 replicas, over 1", statistics.median(ratios), 1.15, beside=beside
        ),
        aside(
            "the same: clicks a second, over 1",
            faster,
            beside="two bots, Valkey and the load share the cores",
        ),
    ]


if __name__ == "__main__":
    serve_floor(floor())
