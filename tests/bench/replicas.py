"""Three replicas behind one address, while incidents open and one replica is killed each minute.

Two hundred incidents in ten minutes are what Slack lets open: `conversations.create`, `setPurpose`,
`setTopic` and `pins.add` are Tier 2, 20 a minute, and an opening calls each of them once. The
pretend Slack holds to its limits strictly, and takes 80 ms a call. In front stands a round robin
that goes on to the next replica where one does not listen, as a load balancer does
(`tests/chaos/town.py`); a killed replica is started again, as its host does. The replicas are
`firebreak serve`, with Slack's limits and their own leases as they are. The pretend world needs
0.8 s of a core for each incident: on a machine that others keep busy this measures the world.

It takes as long as it says, so it runs only where it is named: `make bench ARGS="--only replicas"`.
"""

from __future__ import annotations

import asyncio
import re
import statistics
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.faults import Fault
from sandbox.slack.channels import Channel
from tests.bench.table import Row, aside, at_most
from tests.chaos.life import channels, twice
from tests.chaos.store import Server
from tests.chaos.town import Call, Town, name_of

INCIDENTS, SECONDS, REPLICAS = 200, 600.0, 3
KILL_EVERY = 60.0
SLACK, SENTRY = Fault(delay=0.080), Fault(delay=0.020)
SAID_AGAIN = 12.0
"""A person who is told that nothing was recorded, or sees no channel, says it once more."""
SETTLE_SECONDS = 420.0
"""For so long after the last one everything may take; what is not there then is lost."""
LIMITS = {
    # https://docs.slack.dev/apis/web-api/rate-limits and the page of each method
    "conversations.create": 20,
    "conversations.setPurpose": 20,
    "conversations.setTopic": 20,
    "pins.add": 20,
    "conversations.list": 20,
    "usergroups.list": 20,
    "usergroups.users.list": 20,
    "chat.update": 50,
    "conversations.invite": 50,
    "conversations.join": 50,
    "conversations.history": 50,
    "conversations.info": 50,
    "conversations.members": 100,
    "users.info": 100,
    "views.publish": 100,
    "chat.postMessage": 300,
}
"""Calls of a method in any 60 s. Of `chat.postMessage` Slack says "several hundred" a workspace."""


@dataclass
class Seen:
    """What became of one incident; times in seconds after it was first declared."""

    declared_at: float
    channel: float = 0.0
    decision: float = 0.0
    commands: int = 1
    doubled: list[str] = field(default_factory=list[str])


class Replicas(Town):
    program = ("-m", "bot", "serve")

    def __init__(self, folder: Path, *, services: int, redis_url: str) -> None:
        super().__init__(folder, services=services, replicas=REPLICAS, redis_url=redis_url)
        self.refused: Counter[str] = Counter()
        """Answers 429, by method."""
        self.calls = self.killed = 0
        self.created: dict[int, float] = {}
        """Shop → when Slack had made its channel."""

    def saw(self, call: Call) -> None:
        self.calls += 1
        named = re.search(rb"shop(\d{3})", call.body)
        if call.path.endswith("/conversations.create") and call.status == 200 and named:
            self.created.setdefault(int(named[1]), time.time())
        if call.status == 429:
            self.refused[call.path.rpartition("/")[2]] += 1

    def burn(self, number: int) -> None:
        """Its newest release breaks three pages for thirty people, half a minute ago."""
        name, sentry, now = name_of(number), self.world.sentry, time.time()
        for version, ago in (("1.1.0", 6 * 86400), ("1.2.0", 2 * 86400), ("1.3.0", 40)):
            sentry.add_release(f"{name}@{version}", projects=(name,), created=now - ago - 60)
            sentry.add_deploy(f"{name}@{version}", started=now - ago - 2, finished=now - ago)
        users = [f"id:{n}" for n in range(30)]
        for page in ("/", "/cart", "/pay"):
            sentry.load(
                f"KeyError: '{name}'",
                at=now - 35,
                every=0.5,
                times=60,
                users=users,
                transaction=page,
                project=name,
                release=f"{name}@1.3.0",
            )


async def rows() -> list[Row]:
    return await measured(INCIDENTS, SECONDS, KILL_EVERY)


async def measured(incidents: int, seconds: float, kill_every: float) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="firebreak-bench-") as folder:
        place = Path(folder)
        (place / "valkey").mkdir()
        server = Server(place / "valkey", fsync="everysec")
        try:
            await server.up()
            town = Replicas(place, services=incidents, redis_url=server.url)
            async with town.open():
                return await _in(town, seconds, kill_every)
        finally:
            server.kill()


async def _in(town: Replicas, seconds: float, kill_every: float) -> list[Row]:
    faults, incidents = town.world.faults, len(town.numbers)
    faults.always("slack.*", SLACK)
    faults.always("sentry.*", SENTRY)
    for method, at_most_a_minute in LIMITS.items():
        faults.limit(f"slack.{method}", at_most_a_minute)
    outcomes: dict[int, Seen] = {}
    killing = asyncio.create_task(_kills(town, kill_every))
    began = time.monotonic()
    people: list[asyncio.Task[None]] = []
    for at, number in enumerate(town.numbers):
        await asyncio.sleep(max(0.0, began + at * seconds / incidents - time.monotonic()))
        town.burn(number)
        outcomes[number] = Seen(time.time())
        people.append(asyncio.create_task(_declare(town, number, outcomes[number])))
    await asyncio.sleep(max(0.0, began + seconds - time.monotonic()))
    killing.cancel()
    await asyncio.gather(*people)
    await _settled(town, outcomes)
    for number, outcome in outcomes.items():
        outcome.doubled = await _doubled(town, number)
    return _rows(town, outcomes)


async def _kills(town: Replicas, every: float) -> None:
    """The replicas in turn; each comes back by itself."""
    while True:
        for replica in town.replicas:
            await asyncio.sleep(every)
            town.killed += replica.kill()


async def _declare(town: Town, number: int, outcome: Seen) -> None:
    """Until there is a channel; whoever sees none says it again."""
    ends = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < ends:
        ack = await town.world.alice.command(f"/incident {name_of(number)} is failing")
        if ack.ok and re.search(r"INC-\d{4}", str(ack.body)):
            break
        outcome.commands += 1
        await asyncio.sleep(SAID_AGAIN)


async def _settled(town: Replicas, outcomes: dict[int, Seen]) -> None:
    """Wait until every incident has its channel, decision and pin, and nothing waits any more."""
    ends = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < ends:
        for number, outcome in outcomes.items():
            _look(town, number, outcome)
        waits = await town.store.redis.xlen(town.store.keys.outbox)
        waits += await town.store.redis.zcard(town.store.keys.waiting)
        if not waits and all(each.channel and each.decision for each in outcomes.values()):
            return
        await asyncio.sleep(1)


def _look(town: Replicas, number: int, outcome: Seen) -> None:
    if number in town.created:
        outcome.channel = town.created[number] - outcome.declared_at
    for channel in channels(town, number):
        decided = [float(m["ts"]) for m in channel.messages if "decision.rollback" in str(m)]
        if decided:
            outcome.decision = min(decided) - outcome.declared_at


async def _doubled(town: Town, number: int) -> list[str]:
    """Whatever is there more than once, and must not be."""
    name, there = name_of(number), channels(town, number)
    exact = {
        "channels": len(there),
        "incidents": len(await town.store.ids(f"service:{name}")),
        "tickets": sum(name in issue.title for issue in town.world.linear.issues),
        "pins": sum(len(channel.pins) for channel in there),
    }
    return [f"{name}: {count} {what}" for what, count in exact.items() if count > 1] + [
        f"{name}: {text}" for channel in there for text in twice(channel)
    ]


def _pinned(channel: Channel) -> bool:
    return bool(channel.pins)


def _rows(town: Replicas, outcomes: dict[int, Seen]) -> list[Row]:
    every = list(outcomes.values())
    lost = [
        name_of(number)
        for number, outcome in outcomes.items()
        if not (outcome.channel and outcome.decision and all(map(_pinned, channels(town, number))))
    ]
    doubled = [text for outcome in every for text in outcome.doubled]
    refused = ", ".join(f"{count} {method}" for method, count in town.refused.most_common(4))
    again = sum(outcome.commands - 1 for outcome in every)
    what = f"{len(every)} incidents, {REPLICAS} replicas, {town.killed} kills"
    return [
        _times(
            f"{what}: command → channel", [outcome.channel for outcome in every if outcome.channel]
        ),
        _times(
            f"{what}: command → decision",
            [outcome.decision for outcome in every if outcome.decision],
        ),
        at_most("the same: lost", len(lost), 0, digits=0, beside=", ".join(lost[:5])),
        at_most("the same: doubled", len(doubled), 0, digits=0, beside="; ".join(doubled[:5])),
        aside(
            "the same: answers 429 of Slack",
            sum(town.refused.values()),
            digits=0,
            beside=f"of {town.calls:,} calls outside; {refused or 'none'}",
        ),
        aside("the same: commands that a person had to say again", again, digits=0),
    ]


def _times(what: str, seconds: list[float]) -> Row:
    ordered = sorted(seconds) or [0.0]
    p90 = ordered[int(0.9 * (len(ordered) - 1))]
    beside = f"p90 {p90:.1f} s, worst {ordered[-1]:.1f} s"
    return aside(f"{what}, p50", statistics.median(ordered), unit="s", digits=1, beside=beside)
