"""Every Redis from 6.2 on, and Valkey, with all the bot's commands.

A refused write leaves nothing new in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from bot.cli.checks.store import HOLDS_SCRIPTS
from bot.outbox.stream import Queue
from bot.self_test import CannotUse, check_at_start, try_everything
from bot.store.incident_store import Store
from bot.store.incidents import Incidents
from handlers.dispatcher import EffectEnded, Recorded, TimerDue, Unknown
from phases.messages.actions import MeasureDue
from phases.messages.base import Action
from phases.messages.effects import SetTopic
from phases.shared.change import Draft
from tests.support.redis.replicated import eventually
from tests.support.redis.scripts import scripts
from tests.support.redis.servers import Served, installed_servers, served
from tests.support.worlds.small_world import declare, dispatcher, update


async def test_every_script_is_one_that_redis_6_2_can_read(store: Store) -> None:
    """Servers before 7 give the text to Lua as it is, within a function; Lua knows no shebang."""
    assert len(scripts()) > 20
    parse = "local made, why = loadstring(ARGV[1]) return why or 'read'"
    for script in scripts():
        answer = await store.redis.eval(parse, 0, f"return function()\n{script.text}\nend")  # pyright: ignore
        assert answer == "read", script.text[:200]
    shebang = await store.redis.eval(parse, 0, "return function()\n#!lua\nreturn 1\nend")  # pyright: ignore
    assert shebang != "read"


@pytest.fixture(params=installed_servers(), ids=lambda binary: binary.name)
async def server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path / "data", binary=request.param) as instance:
        if await instance.version() < (6, 2):
            pytest.skip("older than 6.2: see test_an_older_one_is_refused_with_its_version")
        yield instance


@pytest.fixture
async def store(server: Served) -> AsyncIterator[Store]:
    opened = Store.open(server.url)
    yield opened
    await opened.close()


async def test_all_that_the_bot_asks_of_it_and_nothing_is_left(store: Store) -> None:
    await try_everything(store)
    assert await store.redis.keys("*") == []


def more(draft: Draft, action: Action) -> Draft:
    """A step that wants something done, and sets a timer."""
    draft = draft.timer("rings", 60, MeasureDue())
    return draft.want(SetTopic())


async def a_commit_each(incidents: Incidents, store: Store, entry: str, at_ms: int) -> list[Any]:
    """A new incident, something said, a timer that rings, an effect that ends."""
    return [
        await incidents.dispatch(declare("search"), None),
        await incidents.dispatch(update("said"), "INC-0001"),
        await incidents.dispatch(update("rung"), "INC-0001", TimerDue("INC-0001", "rings", at_ms)),
        await incidents.dispatch(update("ended"), "INC-0001", EffectEnded(entry)),
    ]


async def started(store: Store) -> tuple[Incidents, str, int]:
    """An incident, an entry of the outbox that a worker holds, and the moment of its timer."""
    incidents = dispatcher(store, more)
    assert isinstance(await incidents.dispatch(declare(), None), Recorded)
    queue = Queue(store, "worker")
    await queue.ensure_group()
    await store.redis.xadd(
        store.keys.outbox, {"incident": "INC-0001", "id": "INC-0001.1.1", "effect": "{}"}
    )
    held = await queue.read(store.redis, 10, 1)
    at = await store.redis.zscore(store.keys.timers, "INC-0001|rings")
    assert at is not None
    return incidents, held[-1].entry, int(at)


async def contents(server: Served) -> dict[bytes, bytes]:
    """Every key with its value."""
    redis = Redis.from_url(server.url, protocol=2)
    try:
        return {key: await redis.dump(key) or b"" for key in await redis.keys("*")}
    finally:
        await redis.aclose()


async def nothing_is_written(
    store: Store, server: Served, says: str, refuse: Any, mend: Any
) -> None:
    incidents, entry, at_ms = await started(store)
    before = await contents(server)
    await refuse()
    try:
        answers = await a_commit_each(incidents, store, entry, at_ms)
        after = await contents(server)
    finally:
        await mend()
    for answer in answers:
        assert isinstance(answer, Unknown)
        assert says in answer.text
        assert "Nothing was recorded" in answer.text
    assert after == before
    assert all(
        isinstance(answer, Recorded)
        for answer in await a_commit_each(incidents, store, entry, at_ms)
    )


async def test_a_full_one(store: Store, server: Served) -> None:
    await nothing_is_written(
        store,
        server,
        "Redis is full: the memory",
        lambda: store.redis.config_set("maxmemory", "1"),
        lambda: store.redis.config_set("maxmemory", "0"),
    )


async def test_a_read_only_replica(store: Store, server: Served) -> None:
    await nothing_is_written(
        store,
        server,
        "read-only replica",
        lambda: server.ask("REPLICAOF", "127.0.0.1", 1),
        lambda: server.ask("REPLICAOF", "NO", "ONE"),
    )


async def test_one_that_has_too_few_replicas(store: Store, server: Served) -> None:
    if await server.version() < HOLDS_SCRIPTS:
        pytest.skip("this one does not hold scripts to min-replicas-to-write, and doctor says so")
    await nothing_is_written(
        store,
        server,
        "fewer replicas",
        lambda: store.redis.config_set("min-replicas-to-write", "1"),
        lambda: store.redis.config_set("min-replicas-to-write", "0"),
    )


async def test_one_that_cannot_save(store: Store, server: Served) -> None:
    taken = server.socket.parent / "dump.rdb"

    async def refuse() -> None:
        taken.mkdir()  # what it would save cannot be put there
        await store.redis.config_set("save", "3600 1000")
        await store.redis.bgsave()
        await eventually(lambda: _failed(store))

    async def mend() -> None:
        await store.redis.config_set("save", "")

    await nothing_is_written(store, server, "cannot save to its disk", refuse, mend)


async def _failed(store: Store) -> bool:
    info = await store.redis.info("persistence")
    return info["rdb_last_bgsave_status"] == "err" and not info["rdb_bgsave_in_progress"]


@pytest.mark.parametrize("binary", installed_servers(), ids=lambda binary: binary.name)
async def test_an_older_one_is_refused_with_its_version(binary: Path, tmp_path: Path) -> None:
    async with served(tmp_path / "data", binary=binary) as redis:
        version = await redis.version()
        if version >= (6, 2):
            pytest.skip("new enough")
        with pytest.raises(CannotUse, match=rf"version {version[0]}\.{version[1]}.*6\.2"):
            await check_at_start(redis.url)
        assert await redis.ask("DBSIZE") == 0


async def test_several_commits_at_once(store: Store) -> None:
    incidents = dispatcher(store)
    assert isinstance(await incidents.dispatch(declare(), None), Recorded)
    answers = await asyncio.gather(
        *(incidents.dispatch(update(f"n{n}"), "INC-0001") for n in range(30))
    )
    assert all(isinstance(answer, Recorded) for answer in answers)
    assert (await store.load("INC-0001")).version == 31
