"""What the first release has left in Redis is read by this one: `tests/data/first-release/redis.json`, a real bot's every key."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from small_world import Names, declare

from bot.outbox.stream import Queue
from bot.store.deploy_history import Deploys
from bot.store.incident_store import Store
from bot.store.incidents import Incidents
from bot.store.memory import RedisMemory
from bot.timers.scheduler import Clock
from handlers.dispatcher import Recorded
from phases.messages.actions import Action
from phases.messages.effects import EFFECT
from phases.record.incident import Incident, Status
from phases.record.memories import Question, Recalled
from phases.steps.change import Refused
from phases.workflow import step

DUMP = Path(__file__).parents[1] / "data" / "first-release" / "redis.json"


async def restore(redis: Redis, everything: dict[str, dict[str, Any]]) -> None:
    """Every key as it was, except how long it has to live."""
    for key, kept in everything.items():
        value = kept["value"]
        match kept["type"]:
            case "string":
                await redis.set(key, value)
            case "hash":
                await redis.hset(key, mapping=value)
            case "list":
                await redis.rpush(key, *value)
            case "set":
                await redis.sadd(key, *value)
            case "zset":
                await redis.zadd(key, dict(value))
            case "stream":
                for entry, fields in value["entries"]:
                    await redis.xadd(key, fields, id=entry)
                for name, pending in value["groups"].items():
                    await redis.xgroup_create(key, name, id="0", mkstream=True)
                    if pending:
                        await redis.xreadgroup(
                            name, pending[0]["consumer"], {key: ">"}, count=len(pending)
                        )
            case kind:
                raise AssertionError(f"{key} is a {kind}")


@pytest.fixture
def everything() -> dict[str, dict[str, Any]]:
    return json.loads(DUMP.read_text())


@pytest.fixture
async def left(store: Store, everything: dict[str, dict[str, Any]]) -> Store:
    """A store over what the first release has left."""
    await restore(store.redis, everything)
    return store


class Heard:
    """A door that keeps what is said to it."""

    def __init__(self, dispatcher: Incidents) -> None:
        self._dispatcher = dispatcher
        self.said: list[Action] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dispatcher, name)

    async def dispatch(self, action: Action, incident: str | None, *more: Any) -> Any:
        self.said.append(action)
        return await self._dispatcher.dispatch(action, incident, *more)


async def test_every_record_and_timeline_is_read(left: Store):
    ids = await left.ids("all")
    assert ids == ["INC-0002", "INC-0001"]
    second, first = await left.get(ids)
    assert first.status is Status.RESOLVED
    assert first.cause is not None
    assert first.adr is not None
    assert first.postmortem is not None
    assert second.open
    assert second.failures
    assert await left.ids("open") == ["INC-0002"]
    for incident in (first, second):
        assert incident.channel is not None
        assert await left.ids("all", f"channel:{incident.channel.id}") == [incident.id]
        assert len(await left.timeline(incident.id)) > 5
    # Nothing of a record is dropped in reading: written again, it is the same.
    for incident, kept in ((first, "INC-0001"), (second, "INC-0002")):
        record = await left.redis.hget(left.keys.incident(kept), "record")
        assert record is not None
        assert _without_new(
            json.loads(incident.model_dump_json()), json.loads(record)
        ) == json.loads(record)


def _without_new(now: Any, then: Any) -> Any:
    """`now` without the fields that `then` did not have: a later release may add some, with defaults."""
    if isinstance(now, dict) and isinstance(then, dict):
        return {
            name: _without_new(value, then[name]) for name, value in now.items() if name in then
        }
    if isinstance(now, list) and isinstance(then, list) and len(now) == len(then):
        return [_without_new(*pair) for pair in zip(now, then, strict=True)]
    return now


async def test_every_effect_is_read(left: Store):
    queue = Queue(left, "next")
    await queue.ensure_group()
    for waiting in await left.redis.zrange(left.keys.waiting, 0, -1):
        await left.redis.zadd(
            left.keys.waiting, {waiting: 0}
        )  # due, whatever this machine's clock says
    await queue.promote()
    held = [*await queue.reclaim(0), *await queue.read(left.redis, 50, 10)]
    effects = [EFFECT.validate_json(one.fields["effect"]) for one in held]
    assert {"say", "discord"} <= {effect.type for effect in effects}
    for incident in await left.get(await left.ids("all")):
        for failure in incident.failures:
            EFFECT.validate_json(failure.effect)


async def test_every_timer_is_read_and_its_action_is_taken(
    left: Store, everything: dict[str, dict[str, Any]]
):
    dispatcher = Heard(Incidents(left, step, Names()))
    clock = Clock(left, dispatcher, now=lambda: datetime(2100, 1, 1, tzinfo=UTC))
    timers = everything["{fb}:timers"]["value"]
    await clock.sweep()
    assert len(dispatcher.said) == len(timers) >= 3
    assert clock.counts == Counter(fired=len(timers))


async def test_the_memory_and_the_deploys_are_read(left: Store):
    memory = RedisMemory(left)
    asked = Question(service="shop", before="INC-0002", since=datetime(2020, 1, 1, tzinfo=UTC))
    assert await memory.recall(asked) == Recalled()
    assert await memory.catch_up() == 1
    assert await memory.catch_up() == 0
    recalled = await memory.recall(asked)
    (past,) = recalled.newest
    assert (past.id, recalled.in_span) == ("INC-0001", 1)
    assert past.cause
    assert past.issues
    assert [one.id for one in await memory.newest(None, 9)] == ["INC-0001"]
    deploys = await Deploys(left, watching=False).known("shop")
    assert len(deploys) >= 2


async def test_people_go_on_where_they_were(left: Store):
    """The open incident takes what is said to it, and its number, service and issues are still its own."""
    dispatcher = Incidents(left, step, Names())
    answer = await dispatcher.dispatch(declare("shop"), None)
    assert isinstance(answer, Refused)
    assert answer.owner == "INC-0002"
    other = await dispatcher.dispatch(declare("search"), None)
    assert isinstance(other, Recorded)
    assert isinstance(other.incident, Incident)
    assert other.incident.id == "INC-0003"
