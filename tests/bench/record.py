"""The cost of recording a decision (load, step, commit).

Beside it stand a GET and a SET of the same record on the same server. It runs in this process with
the bot's own client: no HTTP, no Slack. Each decision is another incident's first.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Awaitable, Callable
from uuid import uuid4

from bot.config.catalogue import Catalogue
from bot.store.incidents import Incidents
from handlers.dispatcher import Delivery, Recorded
from phases.messages.commands import DecideInvestigate
from phases.record.incident import as_json
from phases.record.service import Service
from phases.workflow import step
from sandbox.slack.channels import ALICE
from tests.bench.rig import Fsync, Rig, rig, spread, stored
from tests.bench.seeds import fill
from tests.bench.table import Row, at_most

DECISIONS = 1_000
BLOCK = 100
WARM_UP = 100


async def rows() -> list[Row]:
    async with rig() as stage:
        every, each = await over(stage, "everysec"), await over(stage, "always")
    return [
        at_most(
            "record of a decision (load, step, commit) p50, over a GET of the record",
            every.ratio,
            4,
            beside=f"{every.decision:.2f} ms over {every.read:.2f} ms; {spread(every.ratios)}",
        ),
        at_most(
            "the same with an fsync a write, over a SET of the record",
            each.ratio,
            1.5,
            beside=f"{each.decision:.2f} ms over {each.write:.2f} ms; {spread(each.ratios)}",
        ),
    ]


class Measured:
    def __init__(
        self,
        decisions: list[list[float]],
        reads: list[list[float]],
        writes: list[list[float]],
        fsync: Fsync,
    ):
        beside = reads if fsync == "everysec" else writes
        middle = [[statistics.median(block) for block in blocks] for blocks in (decisions, beside)]
        self.ratios = [a / b for a, b in zip(*middle, strict=True)]
        self.ratio = statistics.median(self.ratios)
        self.decision, self.read, self.write = (
            statistics.median(x for block in blocks for x in block)
            for blocks in (decisions, reads, writes)
        )


async def over(stage: Rig, fsync: Fsync) -> Measured:
    """Blocks of decisions, GETs and SETs in turn. Milliseconds on the clock."""
    async with stage.valkey(fsync) as server, stored(server) as store:
        seeded = await fill(store, stage.world, DECISIONS + WARM_UP)
        dispatcher = Incidents(store, step, Catalogue((Service(name="shop"),)))
        record = as_json(seeded[0])
        await store.redis.set("bench", record)
        decided = iter(seeded)

        async def decide() -> None:
            incident = next(decided)
            action = DecideInvestigate(by=ALICE, round=1)
            outcome = await dispatcher.dispatch(
                action, incident.id, Delivery((f"trigger:{uuid4().hex}",))
            )
            assert isinstance(outcome, Recorded)

        async def get() -> None:
            await store.redis.get("bench")

        async def set_() -> None:
            await store.redis.set("bench", record)

        for work in (decide, get, set_):
            await timed(work, WARM_UP)
        timings: list[list[list[float]]] = [[], [], []]
        gc.disable()
        for _ in range(DECISIONS // BLOCK):
            for column, work in zip(timings, (decide, get, set_), strict=True):
                column.append(await timed(work, BLOCK))
        gc.enable()
    return Measured(timings[0], timings[1], timings[2], fsync)


async def timed(work: Callable[[], Awaitable[None]], times: int) -> list[float]:
    taken: list[float] = []
    for _ in range(times):
        before = time.perf_counter()
        await work()
        taken.append((time.perf_counter() - before) * 1000)
    return taken
