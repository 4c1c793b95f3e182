"""Entries of another version of the bot.

An unreadable one is set aside, never lost, never tried in circles, and taken up by a bot that can
read it.
"""

from __future__ import annotations

import json
import logging
from contextlib import AsyncExitStack

import pytest

from bot.cli.checks.store import store as look_at_store
from bot.config.settings import load
from bot.outbox.dead_letters import dead_letter_count, take_up
from bot.store.incident_store import Store
from bot.timers.scheduler import Clock
from handlers.dispatcher import Recorded
from phases.messages.actions import NobodyActed
from phases.messages.commands import PostUpdate
from phases.messages.effects import EFFECT, Say
from phases.shared.change import Refused
from tests.support.worlds.outbox_world import World, done
from tests.support.worlds.small_world import dispatcher, running, until

FUTURE = "a state of tomorrow"


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)


async def _write(store: Store, **changes: object) -> dict[str, object]:
    """As another version would have written it; how it was."""
    key = store.keys.incident("INC-0001")
    before = json.loads(await store.redis.hget(key, "record") or "{}")
    await store.redis.hset(key, "record", json.dumps({**before, **changes}))
    await store.redis.hincrby(key, "version", 1)
    return before


async def test_a_field_of_a_newer_bot_is_still_there_after_an_older_one_wrote(
    store: Store, redis_url: str
) -> None:
    world = World(store, redis_url)
    await world.want()
    source = {"kind": "person", "text": "/incident", "mood": "calm"}
    await _write(store, weather="rain", source=source)
    answer = await world.dispatcher.dispatch(PostUpdate(by="U0ALICE", text="on it"), "INC-0001")
    assert isinstance(answer, Recorded)
    record = json.loads(await store.redis.hget(store.keys.incident("INC-0001"), "record") or "{}")
    assert record["weather"] == "rain"
    assert record["source"]["mood"] == "calm"


async def test_an_effect_of_an_incident_that_cannot_be_read_waits_for_a_version_that_can(
    store: Store, redis_url: str
) -> None:
    world = World(store, redis_url, Say(text="hallo"))
    await world.want()
    before = await _write(store, status=FUTURE)
    outbox = world.outbox({"say": done})
    async with running(outbox.run()):
        await until(world.empty)
        assert await dead_letter_count(store) == 1
        assert await take_up(store) == 0, "this version cannot read it still"
        assert await dead_letter_count(store) == 1
    assert outbox.counts["aside"] == 1
    assert store.unreadable == {"INC-0001"}

    await _write(store, status=before["status"])  # a version that can read it is installed
    newer = world.outbox({"say": done})
    async with running(newer.run()):
        await until(lambda: newer.counts["done"] == 1)
    assert await dead_letter_count(store) == 0


async def test_what_only_a_newer_bot_knows_is_taken_up_by_it_once(
    store: Store, redis_url: str
) -> None:
    world = World(store, redis_url)
    await world.want()
    known = EFFECT.dump_json(Say(text="tomorrow's words")).decode()
    fields = {"incident": "INC-0001", "id": "INC-0001.9.1", "created": "1"}
    await store.redis.xadd(store.keys.outbox, {**fields, "effect": '{"type":"from.the.future"}'})
    outbox = world.outbox({"say": done})
    async with running(outbox.run()):
        await until(lambda: outbox.counts["aside"] == 1)
    [(entry, set_aside)] = await store.redis.xrange(store.keys.aside)
    assert await take_up(store) == 0
    await store.redis.xdel(store.keys.aside, entry)
    await store.redis.xadd(
        store.keys.aside, {**set_aside, "effect": known}
    )  # as the newer bot reads it
    assert [await take_up(store), await take_up(store)] == [1, 0]
    [(_, back)] = await store.redis.xrange(store.keys.outbox)
    assert (back["id"], back["effect"], "reason" in back) == ("INC-0001.9.1", known, False)


async def test_a_timer_of_an_incident_that_cannot_be_read_fires_once_it_can(
    store: Store, redis_url: str
) -> None:
    world = World(store, redis_url)
    await world.want()
    incidents = dispatcher(store)
    member = "INC-0001|later"
    await store.redis.zadd(store.keys.timers, {member: 1000})
    await store.redis.hset(store.keys.timer_actions, member, NobodyActed().model_dump_json())
    before = await _write(store, status=FUTURE)
    clock = Clock(store, incidents)
    for _ in range(3):
        await clock.sweep()
    assert clock.counts == {"aside": 1}, "once, not in circles"
    assert await dead_letter_count(store) == 1

    await _write(store, status=before["status"])
    assert await take_up(store) == 1
    await clock.sweep()
    assert clock.counts == {"aside": 1, "fired": 1}
    assert await store.redis.zcard(store.keys.timers) == 0


async def test_people_are_told_and_doctor_names_it(store: Store, redis_url: str) -> None:
    world = World(store, redis_url)
    await world.want()
    await _write(store, status=FUTURE)
    answer = await world.dispatcher.dispatch(PostUpdate(by="U0ALICE", text="on it"), "INC-0001")
    assert isinstance(answer, Refused)
    assert "INC-0001 cannot be read by this version" in answer.text
    given = load(slack_bot_token="xoxb-1", slack_signing_secret="s", redis_url=redis_url)
    async with AsyncExitStack() as stack:
        findings = await look_at_store(given, stack)
    [finding] = [row for row in findings if row.what == "Incidents"]
    assert (finding.state, "INC-0001" in finding.says, "newest" in finding.mend) == (
        "broken",
        True,
        True,
    )
