"""Redis behind sentinels.

The primary is found, a fail-over is followed, and a commit counts when its replicas have it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.cli.checks.durability import survives
from bot.connection.client import AnswerLost, NotRecorded, copied
from bot.store.incident_store import Already, Done, Store, TimeLimit
from handlers.dispatcher import Delivery, Recorded, Unknown
from tests.support.redis.replicated import MASTER, Replicated, eventually, replicated
from tests.support.redis.stores import commit, new
from tests.support.worlds.small_world import declare, dispatcher


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[Replicated]:
    async with replicated(tmp_path) as made:
        yield made


async def test_a_planned_fail_over_loses_no_acknowledged_commit(world: Replicated) -> None:
    store = Store.open(world.url, wait_replicas=1)
    acknowledged: list[str] = []
    number = 0

    async def one_more() -> bool:
        nonlocal number
        number += 1
        answer = await commit(store, new(number, service=f"s{number}"), id=f"c{number}")
        if isinstance(answer, Done | Already):
            acknowledged.append(f"INC-{number:04d}")
        return True

    for _ in range(20):
        await one_more()
    assert len(acknowledged) == 20

    async def begun() -> bool:  # refused (NOGOODSLAVE) until it has seen the replica's first INFO
        return bool(await world.ask(world.sentinel, "SENTINEL", "FAILOVER", MASTER))

    await eventually(begun)

    async def committed_on_the_new_primary() -> bool:
        try:
            await one_more()
        except (NotRecorded, AnswerLost):
            return False
        return (await store.redis.info("replication"))["role"] == "master" and await _serves(
            world, world.replica
        )

    await eventually(committed_on_the_new_primary)
    for _ in range(5):
        await one_more()
    ids = {incident.id for incident in await store.get(acknowledged)}
    assert ids == set(acknowledged)
    await store.close()


async def test_a_commit_that_no_replica_has_is_not_acknowledged_and_counts_once_when_said_again(
    world: Replicated,
) -> None:
    # It would undo what this test does.
    await world.ask(world.sentinel, "SENTINEL", "REMOVE", MASTER)
    direct = Store.open(f"redis://127.0.0.1:{world.primary}", wait_replicas=1)
    world.processes[world.replica].send_signal(19)  # SIGSTOP: it is connected, and copies nothing
    loaded = await direct.load("INC-0001")
    change = new().done()
    with pytest.raises(AnswerLost, match=r"0 of 1 replicas|did not answer in time"):
        await direct.commit("c1", loaded, change, limit=TimeLimit(seconds=2))
    world.processes[world.replica].send_signal(18)  # SIGCONT

    assert isinstance(
        await direct.commit("c1", loaded, change, limit=TimeLimit(seconds=60)), Already
    )
    assert len(await direct.timeline("INC-0001")) == len(change.entries)
    await direct.close()


async def test_what_no_replica_has_is_not_acknowledged_because_it_comes_a_second_time(
    world: Replicated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.store.incidents.DISPATCH_SECONDS", 2.0)
    await world.ask(world.sentinel, "SENTINEL", "REMOVE", MASTER)
    direct = Store.open(f"redis://127.0.0.1:{world.primary}", wait_replicas=1)
    incidents, click = dispatcher(direct), Delivery(("trigger:1",))
    world.processes[world.replica].send_signal(19)  # SIGSTOP
    for _ in range(2):
        assert isinstance(await incidents.dispatch(declare(), None, click), Unknown)
    world.processes[world.replica].send_signal(18)  # SIGCONT

    async def acknowledged() -> bool:
        return (
            isinstance(answer := await incidents.dispatch(declare(), None, click), Recorded)
            and answer.again
        )

    await eventually(acknowledged)
    await direct.close()


async def test_a_new_primary_that_lacks_the_commit_does_not_vouch_for_it(
    world: Replicated,
) -> None:
    """Between the commit and the wait for its replicas another server may have taken over."""
    store = Store.open(f"redis://127.0.0.1:{world.primary}", wait_replicas=1)
    assert isinstance(await commit(store, new(), id="c1"), Done | Already)
    fence = store.keys.fence
    await copied(store.redis, 1, 5, fence=fence, witness=store.keys.commit("c1"))
    with pytest.raises(AnswerLost, match="the new one does not have it"):
        await copied(store.redis, 1, 5, fence=fence, witness=store.keys.commit("c2"))
    await store.close()


async def test_a_hundred_at_once_wait_for_a_connection_and_nobody_is_sent_away(
    world: Replicated,
) -> None:
    store = Store.open(world.url)
    many = [commit(store, new(n, service=f"s{n}"), id=f"c{n}") for n in range(1, 101)]
    assert {type(outcome) for outcome in await asyncio.gather(*many)} == {Done}
    assert {
        loaded.version
        for loaded in await asyncio.gather(*(store.load("INC-0001") for _ in range(100)))
    } == {1}
    await store.close()


async def _serves(world: Replicated, port: int) -> bool:
    answer = await world.ask(port, "ROLE")
    assert isinstance(answer, list)
    return answer[0] == "master"


# --- what doctor says of it -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("info", "fsync", "wait", "state", "says"),
    [
        ({"aof_enabled": 1}, "always", 0, "works", "on disk before its answer"),
        ({"aof_enabled": 1}, "everysec", 0, "unproven", "up to a second"),
        ({"aof_enabled": 1}, "no", 0, "unproven", "some seconds"),
        ({"aof_enabled": 1}, None, 0, "unproven", "does not tell"),
        ({"aof_enabled": 0}, "always", 0, "unproven", "lost with the process"),
        ({"aof_enabled": 0, "connected_slaves": 2}, None, 1, "works", "loses nothing"),
        (
            {"aof_enabled": 1, "connected_slaves": 0},
            "always",
            1,
            "broken",
            "wait for 1 replicas, and 0",
        ),
    ],
)
def test_doctor_says_what_an_acknowledged_click_survives(
    info: dict[str, int], fsync: str | None, wait: int, state: str, says: str
) -> None:
    finding = survives(info, fsync, wait)
    assert finding.state == state
    assert says in finding.says
