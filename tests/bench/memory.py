"""The cost of 10,000 past incidents: recalled at triage, counted in trends, kept in Redis.

Each is as it is a month after its end: a small record, a timeline of thirty entries, its memory and
the indexes that find it. All of them happened within half a year, and each service, file and Sentry
issue comes back. That is more than a real memory has to hold.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from bot.cli.export_format import Archived
from bot.cli.import_ import put
from bot.connection.embedded import embedded
from bot.store.incident_store import Store
from bot.store.past_incidents import RedisMemory
from handlers.views import history as views
from phases.memory import recall as memory
from phases.memory.compaction import compacted
from phases.memory.trends import trends
from phases.record.findings import Frame, IssueSeen
from phases.record.incident import Entry, Incident, Status, as_json
from tests.bench.table import Row, at_most
from tests.support.values import incidents

INCIDENTS = 10_000
SERVICES, FILES, ISSUES = 5, 200, 2_000
ENTRIES = 30
TIMES = 50
NOW = incidents.T0
SAID = (
    "Sentry alert SHOP-3: KeyError: 'region' in shop/pricing.py, since the deploy of v42",
    (
        "40 users, cart, payment and search; 590 events in 15 min, 0 a minute before; many users "
        "× many features"
    ),
    (
        "<@U024BE7LH> rolls shop back from v42 to v41, because the suspect was deployed 2 "
        "minutes before trouble began"
    ),
)


def past(number: int, dice: random.Random) -> Incident:
    """Resolved and closed, with two to six issues."""
    at = NOW - timedelta(minutes=dice.randrange(180 * 24 * 60))
    issues = tuple(str(7_000_000 + dice.randrange(ISSUES)) for _ in range(dice.randrange(2, 7)))
    issues_seen = tuple(
        IssueSeen(
            id=issue_id,
            short_id=f"SHOP-{issue_id}",
            title="KeyError: 'region'",
            first_seen=at,
            events=90,
        )
        for issue_id in issues
    )
    frame = Frame(file=f"shop/part{dice.randrange(FILES)}/pricing.py", function="total", line=41)
    triage = incidents.report(
        began_at=at - timedelta(minutes=4), issues=issues_seen, issue_ids=issues, frame=frame
    )
    return incidents.incident(
        id=f"INC-{number:04d}",
        number=number,
        ulid=f"01JD{number:022d}",
        title=f"checkout is failing for customers in eu-west, number {number}",
        service=f"service-{dice.randrange(SERVICES)}",
        status=Status.CLOSED,
        detected_at=at,
        declared_at=at,
        recovered_at=at + timedelta(minutes=dice.randrange(5, 90)),
        resolved_at=at + timedelta(days=1),
        closed_at=at + timedelta(days=9),
        triage=triage,
    )


async def fill(store: Store) -> None:
    dice = random.Random(7)
    for number in range(1, INCIDENTS + 1):
        incident = past(number, dice)
        small = compacted(incident, NOW)
        entries = tuple(
            Entry(
                at=incident.detected_at + timedelta(minutes=n),
                kind="note",
                text=SAID[n % 3],
                by="U024BE7LH",
            ).model_dump_json()
            for n in range(ENTRIES)
        )
        await put(
            store,
            Archived(
                incident=small,
                record=as_json(small),
                entries=entries,
                words={},
                memory=memory.memory_to_keep(incident),
                timers={},
            ),
        )


async def report() -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="firebreak-bench-") as folder:
        async with embedded(Path(folder)) as url:
            store = Store.open(url)
            try:
                return await _measured(store)
            finally:
                await store.close()


async def _measured(store: Store) -> list[Row]:
    await store.redis.config_set("appendfsync", "no")  # filling it is not what is measured
    empty = await _used(store)
    await fill(store)
    used = (await _used(store) - empty) / 2**20
    redis_memory = RedisMemory(store)
    burning = past(INCIDENTS + 1, random.Random(8))
    asked = memory.memory_question(burning, burning.triage, NOW)
    trips = _Trips(store)

    async def recall() -> object:
        recalled = await redis_memory.recall(asked)
        assert recalled.newest
        assert recalled.alike
        return memory.recollect(recalled, asked, NOW)

    await recall()
    trips.count = 0
    best, typical = await _timed(recall, TIMES)
    sent = trips.count / TIMES

    async def count() -> object:
        overview = trends(await redis_memory.since(NOW - timedelta(days=200)), NOW)
        assert overview.all.total.incidents > INCIDENTS * 0.9
        return views.trends(overview)

    before, (walls, _) = time.process_time(), await _timed(count, TIMES)
    counting = (time.process_time() - before) / TIMES * 1000
    name = f"{INCIDENTS:,} past incidents"
    return [
        at_most(
            f"recall at triage over {name}",
            best,
            5,
            unit="ms",
            digits=1,
            beside=f"median of {TIMES}: {typical:.1f} ms",
        ),
        at_most("the same: round trips", sent, 1, digits=0),
        at_most(
            f"trends over {name}, CPU",
            counting,
            300,
            unit="ms",
            digits=0,
            beside=f"on the clock: {walls:.0f} ms at best",
        ),
        at_most(f"{name} in Redis", used, 150, unit="MB", digits=0),
    ]


async def _used(store: Store) -> int:
    memory_info: dict[str, Any] = await store.redis.info("memory")
    return int(memory_info["used_memory"])


async def _timed(work: Callable[[], Awaitable[object]], times: int) -> tuple[float, float]:
    """Best and median, in milliseconds of wall-clock time.

    The best is least disturbed by other work on the machine.
    """
    taken: list[float] = []
    for _ in range(times):
        before = time.perf_counter()
        await work()
        taken.append((time.perf_counter() - before) * 1000)
    taken.sort()
    return taken[0], taken[len(taken) // 2]


class _Trips:
    """Counts how often something is sent to Redis: each command takes a connection once."""

    def __init__(self, store: Store) -> None:
        self.count = 0
        pool = store.redis.connection_pool
        take = pool.get_connection

        async def counted(*given: Any, **more: Any) -> Any:
            self.count += 1
            return await take(*given, **more)

        pool.get_connection = counted
