"""Lists over 10,000 open incidents, beside the same over ten: each person waits 3 s for Slack.

One bot, one Valkey. A command is timed from its request to the ack, which holds the answer; App
Home from its opening to the `views.publish` at the pretend Slack. Slack takes no time of its own
here.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

from bot.store.incident_store import Store
from bot.store.short_records import short_records
from sandbox.serving import HOST
from sandbox.slack.block_kit.blocks import plain
from sandbox.world import World
from tests.bench.opening import until
from tests.bench.rig import Running, cpu, rig, stored
from tests.bench.seeds import clicks, fill
from tests.bench.table import Row, aside, at_most
from tests.chaos.store import Server

FEW, MANY = 10, 10_000
TIMES = 15
WATCHED_SECONDS = 10
ELSEWHERE = "lunch"
"""A channel in which no incident runs: the seeded ones share #general."""
Once = Callable[[], Awaitable[float]]


class Side:
    """A bot with so many open incidents, and how long its lists take (milliseconds)."""

    def __init__(self, world: World, store: Store, server: Server, bot: Running, count: int):
        self._world, self.store, self.server, self.bot = world, store, server, bot
        self._count = count
        self.walls: dict[str, list[float]] = {}
        self.costs: dict[str, float] = {}
        """Of processor time, bot and Valkey."""

    def _addressed(self) -> None:
        self._world.delivery.request_url = f"http://{HOST}:{self.bot.port}/slack/events"

    async def typed(self, words: str) -> float:
        self._addressed()
        began = time.perf_counter()
        await self._world.alice.command(f"/incident {words}", ELSEWHERE)
        took = time.perf_counter() - began
        text = plain(self._world.alice.ephemerals()[-1])
        if f"{self._count:,} incidents" not in text:
            raise SystemExit(f"bench: /incident {words} said {text[:200]}")
        return took * 1000

    async def home(self) -> float:
        self._addressed()
        self._world.workspace.calls.clear()
        began = time.time()
        await self._world.alice.open_home()
        return (await until(self._published, "App Home") - began) * 1000

    def _published(self) -> float | None:
        calls = self._world.workspace.calls
        return next((call.at for call in calls if call.method == "views.publish"), None)

    async def measure(self, name: str, once: Once) -> None:
        await once()
        before = cpu(self.bot.pid, self.server.process.pid)
        self.walls[name] = [await once() for _ in range(TIMES)]
        spent = cpu(self.bot.pid, self.server.process.pid) - before
        self.costs[name] = spent / TIMES * 1000

    async def all(self) -> None:
        await self.measure("list", lambda: self.typed("list"))
        await self.measure("which", lambda: self.typed("recheck"))
        await self.measure("home", self.home)


async def rows() -> list[Row]:
    async with AsyncExitStack() as stack:
        stage = await stack.enter_async_context(rig())
        stage.world.faults.clear()
        stage.world.workspace.create_channel(ELSEWHERE, stage.world.alice.id)
        sides: list[Side] = []
        for count in (FEW, MANY):
            server = await stack.enter_async_context(stage.valkey())
            store = await stack.enter_async_context(stored(server))
            await store.redis.config_set("appendfsync", "no")  # filling it is not measured
            seeded = await fill(store, stage.world, count)
            await store.redis.config_set("appendfsync", "everysec")
            bot = await stack.enter_async_context(stage.bot(server))
            sides.append(Side(stage.world, store, server, bot, count))
            await sides[-1].all()
        few, many = sides
        open_home = await _watched(many, lambda: stage.load(clicks(seeded, 1), bot.port))
        used = await _memory(many.store)
        anew = await _anew(many.store)
    titles = {
        "list": "`/incident list`",
        "which": "a subcommand elsewhere, without an id",
        "home": "App Home, from its opening to its publishing",
    }
    return [
        *(_row(f"{title} with {MANY:,} open", name, many, few) for name, title in titles.items()),
        aside(
            "the same: CPU a second while it stays open and something changes", open_home, unit="ms"
        ),
        at_most(f"short records of {MANY:,} in Redis", used, 5, unit="MB", digits=1),
        aside(f"{MANY:,} that an older release wrote, made anew once", anew, unit="s", digits=1),
    ]


def _row(what: str, name: str, many: Side, few: Side) -> Row:
    wall, floor = statistics.median(many.walls[name]), statistics.median(few.walls[name])
    beside = (
        f"{wall / floor:.1f} × {floor:.1f} ms with {FEW}; worst of {TIMES} "
        f"{max(many.walls[name]):.0f} ms; CPU {many.costs[name]:.1f} ms over {few.costs[name]:.1f}"
    )
    return at_most(f"{what}, p50", wall, 100, unit="ms", digits=0, beside=beside)


async def _watched(side: Side, click: Callable[[], Awaitable[Any]]) -> float:
    """Milliseconds of processor time a second, while something changes every second."""
    await side.home()
    before = cpu(side.bot.pid)
    began = time.monotonic()
    for _ in range(WATCHED_SECONDS):
        await click()
        began += 1
        await asyncio.sleep(max(0.0, began - time.monotonic()))
    return (cpu(side.bot.pid) - before) / WATCHED_SECONDS * 1000


async def _memory(store: Store) -> float:
    """MB that are free again without the short records."""
    before = await _used(store)
    await _drop(store)
    return (before - await _used(store)) / 2**20


async def _drop(store: Store) -> None:
    for id in await store.ids("open"):
        await store.redis.hdel(store.keys.incident(id), "short")  # pyright: ignore[reportGeneralTypeIssues]


async def _used(store: Store) -> int:
    memory: dict[str, Any] = await store.redis.info("memory")
    return int(memory["used_memory"])


async def _anew(store: Store) -> float:
    began = time.monotonic()
    assert len(await short_records(store, "open")) == MANY
    return time.monotonic() - began
