"""Incidents with pending re-checks, reminders and effects while the clock is set.

The results are JSON. `python -m tests.chaos.stepped SECONDS WHO` is a process of its own, as the
clock by hand is for every script in it.
"""

# ruff: noqa: E402  the clock is taken over before anything reads it

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bot.outbox.turns import SystemTurns
from tests.chaos import clock as hand

hand.by_hand()

import bot.outbox.worker as outbox_
from bot.config.catalogue import Catalogue
from bot.connection.embedded import embedded
from bot.outbox.stream import Queue
from bot.outbox.worker import Outbox
from bot.runtime.clock_jump import ClockJumps
from bot.store.incident_store import Loaded, Store
from bot.store.incidents import Incidents
from bot.store.job import Job
from bot.timers.scheduler import Clock
from phases.messages.actions import LookDue, NobodyActed, PostmortemDue, UpdateDue
from phases.messages.effects import EFFECT, LookAgain, Say
from phases.messages.results import EffectDone
from phases.ports.ports import PortError
from phases.record.findings import BlastRadius, Choice, Recommendation, TriageReport, Word
from phases.record.incident import (
    ActionKind,
    Channel,
    Incident,
    Round,
    RoundAction,
    Severity,
    Source,
    Status,
)
from phases.record.service import Service
from phases.record.traffic_seen import TrafficSeen
from phases.shared.change import Draft
from phases.verification import recheck
from phases.workflow import step
from tests.chaos.town import eventually

FIRST, SECOND = 3, 6
"""Seconds after the action at which it is looked at."""
A_SECOND = 15
"""Events while it burns."""
REQUESTS_A_SECOND = 50
BURNED_SECONDS = 1200
DAYS = 20 * 3600
GOOD, BAD = 3, 3
"""Incidents that are over, and that are not."""
QUIET, OWING = GOOD + BAD + 1, GOOD + BAD + 2
"""The number of the one where nobody acts, and of the one whose post-mortem is owed."""


class World:
    """A world whose machine's clock is set by `by`.

    Sentry's is set with it (`asleep`), was right before (`wrong`), or is since (`mended`).
    """

    def __init__(self, by: int, who: str) -> None:
        self.by, self.offset, self.who = by, 0, who
        self.acted = time.time()
        self.done: Counter[str] = Counter()
        self.effects: Counter[str] = Counter()
        self.tried: Counter[str] = Counter()
        self.burning: set[str] = set()

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.time() + self.offset, UTC)

    def passed(self) -> float:
        return time.monotonic() + (self.offset if self.who == "asleep" else 0)

    def clock_ahead(self) -> timedelta:
        """Sentry's clock is not asked here: the bot has only that of Redis to know its own by."""
        return timedelta(0)

    async def count(self, _: Any, issues: Any, since: datetime, until: datetime) -> int:
        """Sentry's."""
        begin, end = self._burned(issues, since, until)
        return round(max(0.0, end - begin) * A_SECOND)

    async def first_event(
        self, _: Any, issues: Any, since: datetime, until: datetime
    ) -> datetime | None:
        begin, end = self._burned(issues, since, until)
        return datetime.fromtimestamp(int(begin), UTC) if begin < end else None

    def _burned(self, issues: Any, since: datetime, until: datetime) -> tuple[float, float]:
        ended = {"asleep": 0, "wrong": 0, "mended": self.by}[self.who] + self.acted
        last = self._sentrys_now() if self.burning & set(issues) else ended
        return max(since.timestamp(), ended - BURNED_SECONDS), min(until.timestamp(), last)

    async def new_issues(self, *_: Any) -> list[Any]:
        return []

    async def per_minute(self, *_: Any) -> Any:
        raise PortError("Sentry", "no picture here", retryable=False)

    async def traffic(self, _: Service, since: datetime, until: datetime) -> TrafficSeen:
        """Sentry's, which keeps every request: as many come as ever."""
        last = min(until.timestamp(), self._sentrys_now())
        requests = round(max(last - since.timestamp(), 0.0) * REQUESTS_A_SECOND)
        minutes = (until - since).total_seconds() / 60
        return TrafficSeen(requests=requests, kept=requests, minutes=minutes)

    def _sentrys_now(self) -> float:
        return time.time() + {"asleep": self.offset, "wrong": 0, "mended": self.by}[self.who]


async def run(by: int, who: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="firebreak-chaos-") as folder:
        async with embedded(Path(folder) / "valkey") as url:
            return await _run(url, World(by, who))


async def _run(url: str, world: World) -> dict[str, Any]:
    service = Service(
        name="s0", owners=("U0ALICE",), recheck_after_seconds=FIRST, recheck_until_seconds=SECOND
    )
    names = [service.model_copy(update={"name": f"s{number}"}) for number in range(1, OWING + 1)]
    catalogue = Catalogue(names)
    stores = [Store.open(url) for _ in range(2)]
    store = stores[0]
    doors = [Incidents(each, step, catalogue) for each in stores]
    clock_jumps = ClockJumps(lambda: world.now().timestamp(), world.passed)

    async def perform(effect: Any, job: Job) -> Any:
        key = job.effect_id
        world.tried[key] += 1
        if isinstance(effect, Say) and effect.text == "slow" and world.tried[key] == 1:
            raise PortError("Slack", "later", retryable=True, retry_after=FIRST)
        world.done[key] += 1
        world.effects[f"{job.incident} {effect.type} {getattr(effect, 'ask', '')}"] += 1
        if not isinstance(effect, LookAgain):
            return EffectDone(kind=effect.type)
        incident = await doors[0].load(job.incident)
        assert incident is not None
        begun = incident.rounds[0].clock_started_at
        assert begun is not None
        check = recheck.Recheck(
            incident,
            catalogue.get(incident.service) or service,
            world,  # pyright: ignore[reportArgumentType]
            world,  # pyright: ignore[reportArgumentType]
            world.now(),
            clock_jumps.doubt_since(begun),
        )
        if effect.minute:
            return await check.glance(effect.round, effect.minute)
        return await check.look(effect.round, effect.number)

    outbox_.RECLAIM_SECONDS, outbox_.RENEW_SECONDS, outbox_.BLOCK_SECONDS = 2.0, 0.5, 0.2
    kinds = [str(kind["const"]) for kind in _kinds()]
    performers = dict.fromkeys(kinds, perform)
    workers = [
        Outbox(each, dispatcher, performers, SystemTurns(dict.fromkeys(kinds, "slack")), url=url)
        for each, dispatcher in zip(stores, doors, strict=True)
    ]
    clocks = [Clock(each, dispatcher) for each, dispatcher in zip(stores, doors, strict=True)]
    await Queue(store, "dead").ensure_group()
    await _begin(store, world)
    postmortem = await store.redis.zscore(store.keys.timers, f"INC-{OWING:04d}|postmortem")
    running = [asyncio.create_task(worker.run()) for worker in (*workers, *clocks)]

    async def waits() -> bool:
        return await store.redis.zcard(store.keys.waiting) == 1 and clocks[0].swept_at > 0

    await eventually(waits, "an effect to wait", 5)
    world.offset = world.by
    await hand.step(store.redis, world.by)
    began = time.monotonic()

    async def over() -> bool:
        pipe = store.redis.pipeline()
        pipe.xlen(store.keys.outbox)
        pipe.zcard(store.keys.waiting)
        pipe.zcount(store.keys.timers, "-inf", (world.now().timestamp() + 60) * 1000)
        return await pipe.execute() == [0, 0, 0]

    try:
        await eventually(over, "everything to be dealt with", SECOND + 10)
        stuck = 0
    except AssertionError:
        stuck = 1
    took = time.monotonic() - began
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    judged = await _judged(store, world, postmortem)
    for each in stores:
        await each.close()
    return {"seconds": round(took, 1), "stuck": stuck, **judged}


def _kinds() -> list[Any]:
    shapes = EFFECT.json_schema()["$defs"].values()
    return [
        shape["properties"]["type"]
        for shape in shapes
        if "const" in shape.get("properties", {}).get("type", {})
    ]


async def _begin(store: Store, world: World) -> None:
    for number in [QUIET, *range(1, GOOD + BAD + 1), OWING]:
        now = await store.server_now()
        incident = _incident(number, now)
        draft = Draft(incident, now)
        if number == QUIET:
            draft.timer("nobody", FIRST, NobodyActed()).timer("update", FIRST, UpdateDue()).want(
                Say(text="held")
            )
        elif number == OWING:
            draft.timer("postmortem", DAYS, PostmortemDue()).want(Say(text="slow"))
        else:
            draft.timer("look", FIRST, LookDue(round=1, number=1))
            if number > GOOD:
                world.burning.add(str(number))
        await store.commit(f"set-{number}", Loaded(None, 0, now), draft.done())
        if number == QUIET:
            assert len(await Queue(store, "dead").read(store.redis, 1, 100)) == 1


def _incident(number: int, now: datetime) -> Incident:
    fields: dict[str, Any] = {}
    if number == QUIET:
        fields = {
            "status": Status.DECIDING,
            "channel": Channel(id="C1", name="inc-1"),
            "update_due": now + timedelta(seconds=FIRST),
        }
    elif number == OWING:
        fields = {
            "status": Status.MITIGATED,
            "recovered_at": now,
            "postmortem_due": now + timedelta(seconds=DAYS),
        }
    else:
        action = RoundAction(
            kind=ActionKind.FIXED,
            by="U0ALICE",
            at=now,
            started_at=now,
            finished_at=now,
            result="done",
        )
        fields = {
            "status": Status.VERIFYING,
            "rounds": (
                Round(number=1, opened_at=now, why="triage", action=action, clock_started_at=now),
            ),
            "triage": TriageReport(
                at=now,
                window_seconds=900,
                events=900 * A_SECOND,
                per_minute=60.0 * A_SECOND,
                baseline_per_minute=0.0,
                baseline_minutes=1440,
                began_at=now - timedelta(seconds=BURNED_SECONDS),
                blast=BlastRadius(users=Word.MANY, features=Word.MANY),
                issue_ids=(str(number),),
                recommendation=Recommendation(choice=Choice.ROLLBACK),
            ),
        }
    return Incident(
        id=f"INC-{number:04d}",
        number=number,
        ulid=f"{number:026d}",
        title="it burns",
        service=f"s{number}",
        severity=Severity.SEV1,
        source=Source(kind="person", text="/incident"),
        detected_at=now,
        declared_at=now,
        **fields,
    )


async def _judged(store: Store, world: World, postmortem: Any) -> dict[str, Any]:
    """Everything that was forgotten, doubled, or judged wrongly."""
    faults: list[str] = [
        f"{effect} done {times} times" for effect, times in world.done.items() if times > 1
    ]
    verdicts: Counter[str] = Counter()
    looks = 0
    for incident in await store.get([f"INC-{number:04d}" for number in range(1, GOOD + BAD + 1)]):
        first = incident.rounds[0]
        numbers = [look.number for look in first.looks]
        looks += len(numbers)
        over = incident.number <= GOOD
        if len(set(numbers)) < len(numbers):
            faults.append(f"{incident.id} was looked at as {numbers}")
        if first.verdict is None:
            faults.append(f"{incident.id}: its check was forgotten")
        elif first.verdict != "ask a person" and (first.verdict == "recovered") is not over:
            faults.append(f"{incident.id}: {first.verdict}, and that is wrong")
        verdicts[f"{'over' if over else 'burns'}: {first.verdict}"] += 1
    quiet = f"INC-{QUIET:04d}"
    for what in ("page ", "say update", "say "):
        if (times := world.effects[f"{quiet} {what}"]) != 1:
            faults.append(f"{quiet}: {what} {times} times")
    if (times := world.effects[f"INC-{OWING:04d} say "]) != 1:
        faults.append(f"what was tried again was done {times} times")
    if await store.redis.zscore(store.keys.timers, f"INC-{OWING:04d}|postmortem") != postmortem:
        faults.append("the reminder of the post-mortem was moved or said")
    return {"looks": looks, "verdicts": dict(verdicts), "faults": faults}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(run(int(sys.argv[1]), sys.argv[2]))))
