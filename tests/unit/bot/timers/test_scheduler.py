"""Timers fire once, whoever sweeps; none is lost, and none stops the others."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bot.outbox.dead_letters import dead_letters
from bot.store.incident_store import Store
from bot.store.incidents import Incidents
from bot.timers.scheduler import SWEEP_SECONDS, Clock
from handlers.dispatcher import Recorded
from phases.messages.actions import DeployTick, NobodyActed, TriageOverdue
from phases.messages.base import Action
from phases.messages.commands import PostUpdate
from phases.shared.change import Draft, Refused
from tests.support.worlds.small_world import T0, Proxy, declare, dispatcher, running, until, update

FAR = 10_000.0


def setting(*timers: tuple[str, float, Action]) -> Callable[[Draft, Action], Draft | Refused]:
    """Each update sets these timers: name, seconds from now, action."""

    def more(draft: Draft, action: Action) -> Draft:
        if isinstance(action, PostUpdate):
            for name, seconds, due in timers:
                draft.timer(name, seconds, due)
        return draft

    return more


async def opened(incidents: Incidents) -> str:
    answer = await incidents.dispatch(declare(), None)
    assert isinstance(answer, Recorded)
    assert isinstance(await incidents.dispatch(update("go"), answer.incident.id), Recorded)
    return answer.incident.id


async def notes(incidents: Incidents, id: str) -> list[str]:
    return [entry.text for entry in await incidents.timeline(id) if entry.kind == "note"]


def nothing_due(store: Store) -> Callable[[], Any]:
    async def check() -> bool:
        now = (await store.server_now()).timestamp() * 1000
        return await store.redis.zcount(store.keys.timers, "-inf", now) == 0

    return check


async def test_what_is_due_is_said_and_what_is_not_stays(store: Store) -> None:
    incidents = dispatcher(
        store, setting(("now", 0, NobodyActed()), ("later", FAR, TriageOverdue()))
    )
    id = await opened(incidents)
    clock = Clock(store, incidents)
    await clock.sweep()
    assert await notes(incidents, id) == ["go", "nobody.acted"]
    assert await store.redis.zrange(store.keys.timers, 0, -1) == [f"{id}|later"]
    await clock.sweep()
    assert clock.counts == {"fired": 1}
    assert clock.swept_at > 0


async def test_due_by_a_given_clock(store: Store) -> None:
    now = T0
    incidents = dispatcher(store, setting(("five", 300, NobodyActed())), now=lambda: now)
    id = await opened(incidents)
    clock = Clock(store, incidents, now=lambda: now)
    now = T0 + timedelta(seconds=299)
    await clock.sweep()
    assert await notes(incidents, id) == ["go"]
    now = T0 + timedelta(seconds=300)
    await clock.sweep()
    assert await notes(incidents, id) == ["go", "nobody.acted"]


async def test_two_clocks_fire_each_timer_once(store: Store, redis_url: str) -> None:
    timers = [(f"t{i}", 0.0, DeployTick(deploy_id=str(i))) for i in range(40)]
    other = Store.open(redis_url)
    first, second = dispatcher(store, setting(*timers)), dispatcher(other)
    id = await opened(first)
    clocks = [Clock(store, first), Clock(other, second)]
    await asyncio.gather(*(clock.sweep() for clock in clocks))
    while await store.redis.zcard(store.keys.timers):
        await asyncio.gather(*(clock.sweep() for clock in clocks))
    await other.close()
    assert (await notes(first, id)).count("deploy.tick") == 40
    assert sum(clock.counts["fired"] for clock in clocks) == 40


async def test_it_runs_by_itself_and_a_timer_may_set_itself_again(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    ticks = 0

    def more(draft: Draft, action: Action) -> Draft:
        nonlocal ticks
        ticks += isinstance(action, DeployTick)
        return draft.timer("tick", 0.05, DeployTick(deploy_id="d")) if ticks < 3 else draft

    incidents = dispatcher(store, more)
    id = await opened(incidents)
    clock = Clock(store, incidents)
    async with running(clock.run()):
        await until(lambda: clock.counts["fired"] == 3)
        assert clock.running
    assert not clock.running
    assert (await notes(incidents, id)).count("deploy.tick") == 3
    assert await store.redis.zcard(store.keys.timers) == 0
    assert not [record for record in caplog.records if record.name.startswith("apscheduler")]


async def test_a_refused_timer_is_removed_and_logged(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    def more(draft: Draft, action: Action) -> Draft | Refused:
        if isinstance(action, NobodyActed):
            return Refused("state", "somebody acted")
        return setting(("now", 0, NobodyActed()))(draft, action)

    incidents = dispatcher(store, more)
    id = await opened(incidents)
    clock = Clock(store, incidents)
    await clock.sweep()
    assert clock.counts == {"refused": 1}
    assert "somebody acted" in caplog.text
    assert (
        await store.redis.zcard(store.keys.timers)
        == await store.redis.hlen(store.keys.timer_actions)
        == 0
    )
    assert await notes(incidents, id) == ["go"]


async def test_a_timer_of_an_incident_that_is_gone_is_removed(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    incidents = dispatcher(store, setting(("now", 0, NobodyActed())))
    id = await opened(incidents)
    await store.redis.delete(store.keys.incident(id))
    await Clock(store, incidents).sweep()
    assert await store.redis.zcard(store.keys.timers) == 0


async def test_an_answer_that_was_lost_is_asked_for_again_and_fires_once(
    store: Store,
    redis_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.CRITICAL)
    async with Proxy(redis_url, tmp_path / "p") as proxy:
        behind = Store.open(proxy.url)
        id = await opened(dispatcher(store, setting(("now", 0, NobodyActed()))))
        clock = Clock(store, dispatcher(behind))
        await behind.redis.ping()
        proxy.lose_answers = 1000
        with monkeypatch.context() as patch:
            patch.setattr("bot.store.incidents.DISPATCH_SECONDS", 2.0)
            await clock.sweep()
        assert clock.counts == {"unknown": 1}
        proxy.lose_answers = 0
        await clock.sweep()
        await behind.close()
    assert await notes(dispatcher(store), id) == ["go", "nobody.acted"]
    assert await store.redis.zcard(store.keys.timers) == 0


async def test_a_door_without_redis_leaves_the_timer(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    incidents = dispatcher(store, setting(("now", 0, NobodyActed())))
    id = await opened(incidents)
    nowhere = Store.open(f"unix://{tmp_path}/nothing")
    clock = Clock(store, dispatcher(nowhere))
    await clock.sweep()
    await nowhere.close()
    assert clock.counts == {"unknown": 1}
    assert await notes(incidents, id) == ["go"]
    await Clock(store, incidents).sweep()
    assert await notes(incidents, id) == ["go", "nobody.acted"]


async def test_what_cannot_be_decoded_is_set_aside(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    incidents = dispatcher(store, setting(("now", 0, NobodyActed())))
    id = await opened(incidents)
    await store.redis.zadd(store.keys.timers, {f"{id}|strange": 1, f"{id}|empty": 1})
    await store.redis.hset(store.keys.timer_actions, f"{id}|strange", '{"type":"from.the.future"}')
    clock = Clock(store, incidents)
    await clock.sweep()
    assert clock.counts == {"aside": 2, "fired": 1}
    assert await store.redis.zcard(store.keys.timers) == 0
    assert sorted(letter.effect_id for letter in await dead_letters(store)) == ["empty", "strange"]


async def test_a_rule_that_fails_does_not_stop_the_others_nor_spin(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    passed = 0.0
    monkeypatch.setattr("bot.timers.scheduler.time", SimpleNamespace(monotonic=lambda: passed))

    def more(draft: Draft, action: Action) -> Draft | Refused:
        if isinstance(action, TriageOverdue):
            raise KeyError("what somebody typed")
        return setting(("bad", 0, TriageOverdue()), ("good", 0, NobodyActed()))(draft, action)

    incidents = dispatcher(store, more)
    id = await opened(incidents)
    clock = Clock(store, incidents)
    await clock.sweep()
    await clock.sweep()
    assert clock.counts == {"failed": 1, "fired": 1}
    assert await notes(incidents, id) == ["go", "nobody.acted"]
    assert await store.redis.zrange(store.keys.timers, 0, -1) == [f"{id}|bad"]
    assert "KeyError" in caplog.text
    passed = 2 * SWEEP_SECONDS - 0.01
    await clock.sweep()
    assert clock.counts["failed"] == 1
    passed = 2 * SWEEP_SECONDS
    await clock.sweep()
    assert clock.counts["failed"] == 2, "tried again, later"


async def test_a_wall_clock_that_is_set_back_does_not_stop_it(
    store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Do as the trigger after the step is staged: its next run lies an hour ahead."""
    monkeypatch.setattr("bot.timers.scheduler.WATCH_SECONDS", 0.05)
    wall = [1000.0]
    clock = Clock(store, dispatcher(store), wall=lambda: wall[0])
    async with running(clock.run()):
        await until(lambda: clock.swept_at > 0)
        assert clock.job is not None
        clock.job.modify(next_run_time=datetime.now(UTC) + timedelta(hours=1))
        wall[0] -= 3600
        before = clock.swept_at
        await until(lambda: clock.swept_at > before)
    assert "the wall clock was set by -36" in caplog.text


async def test_it_lives_through_a_redis_that_is_away(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store.open(f"unix://{tmp_path}/nothing")
    clock = Clock(store, dispatcher(store))
    await clock.sweep()
    await clock.sweep()
    await store.close()
    assert not clock.running
    assert len([record for record in caplog.records if record.name == "bot.timers.scheduler"]) == 1
