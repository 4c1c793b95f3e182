"""A clock of Redis that is set.

Waiting timers are moved, once, and a machine's clock that is set forward is known.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.connection.client import GROUP
from bot.outbox.stream import Queue
from bot.runtime.clock_jump import ClockJumps
from bot.store.clock_rewind import set_back
from bot.store.commit import to_ms
from bot.store.incident_store import Store
from bot.timers.scheduler import Clock
from handlers.dispatcher import Recorded, TimerDue, Unknown
from phases.messages.actions import DeployTick
from phases.messages.base import Action
from phases.messages.commands import PostUpdate
from phases.shared.change import Draft
from tests.support.worlds.small_world import declare, dispatcher, update

HOUR = 3600.0


async def yesterday(store: Store, ahead: float) -> None:
    """As if the clock had stood `ahead` seconds later when it was last looked at."""
    await set_back(store)
    now = to_ms(await store.server_now())
    await store.redis.set(f"{store.keys.prefix}:clock", round(now + ahead * 1000))


async def seconds_of(store: Store, key: str, member: str) -> float:
    """Seconds ahead of now."""
    score = await store.redis.zscore(key, member)
    assert score is not None
    return (score - to_ms(await store.server_now())) / 1000


async def test_what_is_due_soon_moves_with_the_clock_and_what_the_calendar_means_stays(
    store: Store,
) -> None:
    now, keys, redis = to_ms(await store.server_now()), store.keys, store.redis
    ahead = {"look": HOUR + 300, "late": HOUR - 60, "tuesday": 90 * HOUR}
    await redis.zadd(keys.timers, {name: now + seconds * 1000 for name, seconds in ahead.items()})
    await redis.zadd(keys.waiting, {"INC-0001.1.1": now + (HOUR + 120) * 1000})
    await redis.zadd("{fb}:live:budget", {"an edit": now + HOUR * 1000})
    await redis.hset("{fb}:live:bucket", mapping={"left": "0", "at": str(round(now + HOUR * 1000))})  # type: ignore[misc]
    await redis.set("{fb}:live:pause", "429", px=round(HOUR + 300) * 1000)
    await redis.set("{fb}:live:lease:INC-0001|status", "dead", px=round(HOUR - 1) * 1000)
    await redis.set("{fb}:live:lease:INC-0002|status", "new", px=600_000)
    await yesterday(store, HOUR)
    answers = [step for step, _ in await asyncio.gather(*(set_back(store) for _ in range(8)))]
    assert sorted(answers)[:-1] == [0] * 7
    assert abs(max(answers) - HOUR) < 60
    assert abs(await seconds_of(store, keys.timers, "look") - 300) < 60
    assert -HOUR / 2 < await seconds_of(store, keys.timers, "late") < -30, (
        "what was overdue is still due"
    )
    assert abs(await seconds_of(store, keys.timers, "tuesday") - 90 * HOUR) < 60
    assert abs(await seconds_of(store, keys.waiting, "INC-0001.1.1") - 120) < 60
    assert abs(await seconds_of(store, "{fb}:live:budget", "an edit")) < 60
    assert abs(float(str(await redis.hget("{fb}:live:bucket", "at"))) - now) < 60_000  # type: ignore[misc]
    assert 200_000 < await redis.pttl("{fb}:live:pause") <= 302_000
    assert not await redis.exists("{fb}:live:lease:INC-0001|status"), (
        "it ran out before the step was seen"
    )
    assert await redis.pttl("{fb}:live:lease:INC-0002|status") > 400_000, "it was taken since"


async def test_a_clock_that_goes_on_or_forward_or_back_a_little_moves_nothing(store: Store) -> None:
    now = to_ms(await store.server_now())
    await store.redis.zadd(store.keys.timers, {"look": now + 60_000})
    for ahead in (0.0, -1.0, -HOUR, 1.0):
        await yesterday(store, ahead)
        assert (await set_back(store))[0] == 0
    assert await store.redis.zscore(store.keys.timers, "look") == now + 60_000


async def test_a_sweep_sees_it_and_fires_what_would_have_come_an_hour_late(
    store: Store, caplog: Any
) -> None:
    def more(draft: Draft, action: Action) -> Draft:
        return (
            draft.timer("tick", HOUR, DeployTick(deploy_id="d"))
            if isinstance(action, PostUpdate)
            else draft
        )

    incidents = dispatcher(store, more)
    assert isinstance(await incidents.dispatch(declare(), None), Recorded)
    assert isinstance(await incidents.dispatch(update("go"), "INC-0001"), Recorded)
    clocks = [Clock(store, incidents) for _ in range(2)]
    await clocks[0].sweep()
    assert clocks[0].counts["fired"] == 0
    await yesterday(store, 2 * HOUR)
    await asyncio.gather(*(clock.sweep() for clock in clocks))
    await asyncio.gather(*(clock.sweep() for clock in clocks))
    assert sum(clock.counts["fired"] for clock in clocks) == 1
    assert "the clock of Redis was set back by 7" in caplog.text


async def test_what_a_worker_holds_is_held_from_now_on(store: Store) -> None:
    """Redis would report an idle time below nothing.

    It would keep a dead worker's effect for as long as the step.
    """
    queue = Queue(store, "dead")
    await queue.ensure_group()
    await store.redis.xadd(store.keys.outbox, {"id": "1"})
    (held,) = await queue.read(store.redis, 1, 100)
    await store.redis.xclaim(
        store.keys.outbox, GROUP, "dead", 0, [held.entry], idle=500_000, justid=True
    )  # type: ignore[list-item]
    await yesterday(store, HOUR)
    await set_back(store)
    (pending,) = await store.redis.xpending_range(store.keys.outbox, GROUP, "-", "+", 10)
    assert pending["consumer"] == "dead"
    assert pending["time_since_delivered"] < 60_000
    assert pending["times_delivered"] == 1


async def test_a_timer_whose_commit_comes_too_late_is_said_again_not_dropped(store: Store) -> None:
    """Redis was slow, or its clock was set forward between reading and writing."""

    def more(draft: Draft, action: Action) -> Draft:
        return (
            draft.timer("tick", 0, DeployTick(deploy_id="d"))
            if isinstance(action, PostUpdate)
            else draft
        )

    incidents = dispatcher(store, more)
    assert isinstance(await incidents.dispatch(declare(), None), Recorded)
    assert isinstance(await incidents.dispatch(update("go"), "INC-0001"), Recorded)
    at = await store.redis.zscore(store.keys.timers, "INC-0001|tick")
    assert at is not None
    past = await store.server_now() - timedelta(seconds=1)
    answer = await incidents.dispatch(
        DeployTick(deploy_id="d"), "INC-0001", TimerDue("INC-0001", "tick", int(at)), past
    )
    assert isinstance(answer, Unknown)
    clock = Clock(store, incidents)
    await clock.sweep()
    assert clock.counts["fired"] == 1


def test_a_clock_set_forward_is_known_and_one_asleep_is_none() -> None:
    wall, passed = 1_000_000.0, 50.0
    clock_jumps = ClockJumps(lambda: wall, lambda: passed)

    def after(seconds: float, *, set_by: float = 0) -> Callable[[], datetime]:
        nonlocal wall, passed
        wall, passed = wall + seconds + set_by, passed + seconds
        return lambda: datetime.fromtimestamp(wall, UTC)

    began = after(0)()
    after(HOUR)  # asleep: the machine counts on
    assert clock_jumps.forward_since(began) == 0
    before = after(1)()
    later = after(1, set_by=HOUR)()
    assert clock_jumps.forward_since(before) == HOUR
    assert clock_jumps.forward_since(later + timedelta(seconds=1)) == 0
    after(1, set_by=-HOUR)
    assert clock_jumps.forward_since(before) == HOUR, (
        "set back again: what was counted meanwhile is not known to be right"
    )


def test_clocks_that_are_apart_are_known_and_a_little_is_nothing() -> None:
    clock_jumps = ClockJumps(lambda: 1_000_000.0, lambda: 50.0)
    then = datetime.fromtimestamp(999_000, UTC)
    assert clock_jumps.doubt_since(then) == "", "nothing was heard of Redis yet"
    for ahead, doubt in ((HOUR, "60 min"), (-HOUR, "60 min"), (20, "20 s")):
        clock_jumps.note_redis_time(1_000_000 + ahead)
        assert clock_jumps.doubt_since(then) == f"the clocks here and of Redis are {doubt} apart"
    for ahead in (0, 10, -10):
        clock_jumps.note_redis_time(1_000_000 + ahead)
        assert clock_jumps.doubt_since(then) == ""


async def test_each_sweep_hears_what_the_clock_of_redis_shows(store: Store) -> None:
    wall = (await store.server_now()).timestamp() + HOUR
    clock_jumps = ClockJumps(lambda: wall, lambda: 50.0)
    clock = Clock(store, dispatcher(store), clock_jumps=clock_jumps)
    await clock.sweep()
    assert "60 min apart" in clock_jumps.doubt_since(datetime.fromtimestamp(wall, UTC))
