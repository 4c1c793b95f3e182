"""Effects when workers stop, die, stand still, or are several."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bot.cli.forget import forget
from bot.connection.client import GROUP
from bot.store.incident_store import Store
from bot.store.job import Job
from phases.messages.base import Action
from phases.messages.effects import CommentTicket, Say
from phases.messages.results import EffectDone
from tests.support.worlds.outbox_world import World, done, quick_outbox
from tests.support.worlds.small_world import running, until

__all__ = ["quick_outbox"]  # a fixture for every test here


async def test_a_worker_that_stops_in_order_hands_back_what_it_holds(
    store: Store, redis_url: str
) -> None:
    started = asyncio.Event()
    attempts: list[int] = []

    async def hanging(effect: Say, job: Job) -> Action:
        started.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def say(effect: Say, job: Job) -> Action:
        attempts.append(job.attempt)
        return EffectDone(kind="say")

    world = World(store, redis_url, Say(text="hallo"))
    await world.want()
    async with running(world.outbox({"say": hanging}).run()):
        await started.wait()
    async with running(world.outbox({"say": say}).run()):
        await until(world.empty)
    assert attempts == [2]
    assert len(await store.redis.xinfo_consumers(store.keys.outbox, GROUP)) == 0


async def test_it_runs_once_a_first_read_was_answered(
    store: Store, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """/readyz and the front wait for it, so no read and no look may wait before that."""
    for wait in ("BLOCK_SECONDS", "PROMOTE_SECONDS", "RENEW_SECONDS", "TAKE_UP_SECONDS"):
        monkeypatch.setattr(f"bot.outbox.worker.{wait}", 600)
    world = World(store, redis_url)
    for outbox in (world.outbox({}), world.outbox({})):  # the first one makes the group
        async with running(outbox.run()):
            await until(lambda box=outbox: box.running)


WORKER = """
import asyncio, sys
sys.path.insert(0, sys.argv[2])
from bot.outbox.turns import SystemTurns
from bot.outbox.worker import Outbox
from bot.store.incident_store import Store
from tests.support.worlds.small_world import dispatcher

async def hanging(effect, job):
    print("holding", flush=True)
    await asyncio.Event().wait()

async def main():
    store = Store.open(sys.argv[1])
    await Outbox(store, dispatcher(store), {"say": hanging}, SystemTurns({"say": "slack"}), \
url=sys.argv[1]).run()

asyncio.run(main())
"""


def hold_and_die(url: str) -> str:
    """A worker of its own process takes what there is and is killed."""
    command = [sys.executable, "-c", WORKER, url, str(Path(__file__).parents[4])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        line = other.stdout.readline()
        other.send_signal(signal.SIGKILL)
    return line


async def held_for_an_hour(store: Store) -> None:
    """As if nobody had renewed for so long what is held now."""
    for held in await store.redis.xpending_range(store.keys.outbox, GROUP, "-", "+", 100):
        entries: list[Any] = [held["message_id"]]
        await store.redis.xclaim(
            store.keys.outbox, GROUP, held["consumer"], 0, entries, idle=3_600_000, justid=True
        )


@pytest.mark.parametrize("alone", [False, True])
async def test_what_a_killed_worker_held_is_reclaimed(
    store: Store, redis_url: str, alone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.outbox.worker.RENEW_SECONDS", 0.1)
    monkeypatch.setattr("bot.outbox.worker.CONSUMER_SECONDS", 0.5)
    attempts: list[int] = []

    async def say(effect: Say, job: Job) -> Action:
        attempts.append(job.attempt)
        return EffectDone(kind="say")

    world = World(store, redis_url, Say(text="hallo"))
    await world.want()
    assert await asyncio.to_thread(hold_and_die, redis_url) == "holding\n"
    if not alone:
        await held_for_an_hour(store)
    async with running(world.outbox({"say": say}, alone=alone).run()):
        await until(world.empty)

        async def forgotten() -> bool:
            return len(await store.redis.xinfo_consumers(store.keys.outbox, GROUP)) == 1

        await until(forgotten)
    assert attempts == [2]


async def test_what_is_renewed_is_not_reclaimed_and_runs_once(
    store: Store, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.outbox.worker.RENEW_SECONDS", 0.1)
    starts: list[str] = []

    async def say(effect: Say, job: Job) -> Action:
        starts.append(job.effect_id)
        renewed, last = 0, 0
        while renewed < 3:  # the other one looks as often for what is nobody's
            (held,) = await store.redis.xpending_range(store.keys.outbox, GROUP, "-", "+", 1)
            idle = held["time_since_delivered"]
            renewed, last = renewed + (idle < last), idle
            await asyncio.sleep(0.02)
        return EffectDone(kind="say")

    other = Store.open(redis_url)
    world, second = World(store, redis_url, Say(text="hallo")), World(other, redis_url)
    async with running(world.outbox({"say": say}).run(), second.outbox({"say": say}).run()):
        await world.want()
        await until(world.empty)
    await other.close()
    assert len(starts) == 1


async def test_an_entry_that_kills_every_worker_ends(store: Store, redis_url: str) -> None:
    world = World(store, redis_url, Say(text="hallo"))
    await world.want()
    await store.redis.xgroup_create(store.keys.outbox, GROUP, id="0")
    await store.redis.xreadgroup(GROUP, "dead", {store.keys.outbox: ">"})
    for _ in range(5):
        await store.redis.xautoclaim(store.keys.outbox, GROUP, "dead", 0)
    async with running(world.outbox({"say": done}, alone=True).run()):
        await until(world.empty)
    assert await world.notes("failure") == [
        "INC-0001.2.1 say: the bot stopped 5 times while it did this"
    ]


async def test_two_workers_share_and_each_result_counts_once(store: Store, redis_url: str) -> None:
    world = World(store, redis_url, *[CommentTicket(text=str(i)) for i in range(60)])
    other = Store.open(redis_url)
    second = World(other, redis_url)
    boxes = [replica.outbox({"ticket.comment": done}) for replica in (world, second)]
    async with running(*(box.run() for box in boxes)):
        await world.want()
        await until(world.empty)
    await other.close()
    assert (await world.notes()).count("effect.done") == 60


async def test_a_redis_that_lost_the_group_gets_it_again(store: Store, redis_url: str) -> None:
    world = World(store, redis_url, Say(text="hallo"))
    outbox = world.outbox({"say": done})
    async with running(outbox.run()):
        await until(lambda: outbox.running)
        await store.redis.flushall()
        await world.want()
        await until(world.empty)
    assert await world.notes() == ["go", "effect.done"]


DOUBTED_SECONDS = 0.3
SLOW_WORKER = """
import asyncio, sys
sys.path.insert(0, sys.argv[2])
from bot.outbox import worker as outbox
from bot.outbox.turns import SystemTurns
from bot.store.incident_store import Store
from phases.messages.actions import EffectDone
from tests.support.worlds.small_world import dispatcher
outbox.RENEW_SECONDS, outbox.SURE = 0.1, DOUBTED / outbox.RECLAIM_SECONDS

async def main():
    store = Store.open(sys.argv[1])

    async def slow(effect, job):
        await store.redis.rpush("ran", f"{job.effect_id} {job.attempt}")
        print("holding", flush=True)
        while not await store.redis.exists("may end"):
            await asyncio.sleep(0.02)
        return EffectDone(kind="say")

    await outbox.Outbox(store, dispatcher(store), {"say": slow}, \
SystemTurns({"say": "slack"}, {"slack": 1}), url=sys.argv[1]).run()

asyncio.run(main())
""".replace("DOUBTED", str(DOUBTED_SECONDS))


def slow_worker(url: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SLOW_WORKER, url, str(Path(__file__).parents[4])]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


async def test_a_worker_that_stood_still_does_not_begin_what_another_has_taken_over(
    store: Store, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would begin as if for the first time, and not look for what is posted already."""
    monkeypatch.setattr("bot.outbox.worker.RENEW_SECONDS", 0.1)

    async def say(effect: Say, job: Job) -> Action:
        await store.redis.rpush("ran", f"{job.effect_id} {job.attempt}")  # pyright: ignore[reportGeneralTypeIssues]
        return EffectDone(kind="say")

    world = World(store, redis_url, *(Say(text=str(number)) for number in range(4)))
    await world.want()
    with slow_worker(redis_url) as other:
        try:
            assert other.stdout is not None
            assert await asyncio.to_thread(other.stdout.readline) == "holding\n"
            other.send_signal(signal.SIGSTOP)
            await asyncio.sleep(2 * DOUBTED_SECONDS)
            await held_for_an_hour(store)
            async with running(world.outbox({"say": say}).run()):
                await until(world.empty)
            ran = await _ran(store)
            await store.redis.set("may end", 1)
            other.send_signal(signal.SIGCONT)
            # It goes on with what is new, behind what it held: the same four once more.
            await world.want()
            await until(world.empty)
            later = (await _ran(store))[len(ran) :]
        finally:
            other.kill()
    assert ran[0] == "INC-0001.2.1 1"
    assert sorted(ran[1:]) == [f"INC-0001.2.{number} 2" for number in (1, 2, 3, 4)]
    assert {effect_id.split(".")[1] for effect_id in later} == {"7"}, (
        "nothing of what another did is begun"
    )
    assert len(later) == 4


async def _ran(store: Store) -> list[str]:
    return await store.redis.lrange("ran", 0, -1)  # pyright: ignore[reportGeneralTypeIssues]


async def test_what_is_added_again_without_a_forgotten_person_knows_that_it_may_have_been_done(
    store: Store, redis_url: str
) -> None:
    """`firebreak forget` runs beside a bot that posts at this moment.

    The second post looks for the first one.
    """
    attempts: list[int] = []
    posting, may_end = asyncio.Event(), asyncio.Event()

    async def say(effect: Say, job: Job) -> Action:
        attempts.append(job.attempt)
        posting.set()
        await may_end.wait()
        return EffectDone(kind="say")

    world = World(store, redis_url, Say(text="<@U0GONE001>, look"))
    await world.want()
    async with running(world.outbox({"say": say}).run()):
        await posting.wait()
        await forget(store, "U0GONE001", ())
        await until(lambda: len(attempts) == 2)
        may_end.set()
        await until(world.empty)
    assert attempts == [1, 2]
