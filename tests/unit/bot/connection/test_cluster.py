"""Redis Cluster: the slot is found and followed when it moves or its primary fails over.

No acknowledged commit is lost, none counts twice, and whoever cannot be served is told why.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.cli.export import export
from bot.cli.forget import forget
from bot.connection.client import AnswerLost, NotRecorded, keys_under
from bot.connection.cluster import PrimaryPool, read_map
from bot.self_test import check_at_start
from bot.store.incident_store import Already, Done, Store, TimeLimit
from handlers.dispatcher import Delivery, Recorded
from tests.support.redis.clustered import (
    IMPATIENT_MS,
    PATIENT_MS,
    SLOT,
    Cluster,
    Node,
    clustered,
    settled,
)
from tests.support.redis.redis_doctor import doctor, refused
from tests.support.redis.redis_rights import least
from tests.support.redis.replicated import eventually
from tests.support.redis.servers import Served, served
from tests.support.redis.stores import commit, new
from tests.support.worlds.small_world import declare, dispatcher, update


@pytest.fixture(scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    async with clustered(tmp_path_factory.mktemp("cluster")) as made:
        yield made


@pytest.fixture
async def primary(cluster: Cluster) -> Node:
    """The primary of the slot, which is empty, and has its replica."""
    node = await settled(cluster)
    await node.ask("FLUSHALL")
    return node


class Writer:
    """Opens incidents one after the other, and remembers which were acknowledged."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.acked: list[str] = []
        self.tried = 0

    async def open_next(self) -> bool:
        self.tried += 1
        number = self.tried
        try:
            answer = await commit(self.store, new(number, f"s{number}"), id=f"c{number}")
        except (NotRecorded, AnswerLost):
            return False
        if isinstance(answer, Done | Already):
            self.acked.append(f"INC-{number:04d}")
        return isinstance(answer, Done | Already)

    async def all_there_once(self) -> None:
        incidents = await self.store.get(self.acked)
        assert {incident.id for incident in incidents} == set(self.acked)
        for id in self.acked:
            assert (await self.store.load(id)).version == 1
            assert len(await self.store.timeline(id)) == len(new().done().entries)


async def test_all_that_the_bot_does_works_there(cluster: Cluster, primary: Node) -> None:
    await check_at_start(cluster.url, wait_replicas=1)
    findings = await doctor(cluster.url, redis_wait_replicas=1)
    assert {finding.state for finding in findings} == {"works"}
    [row] = [finding for finding in findings if finding.what == "Cluster"]
    assert f"slot {SLOT} has every key of the bot, and 127.0.0.1:{primary.port}" in row.says

    store = Store.open(cluster.url)
    incidents = dispatcher(store)
    opened = await incidents.dispatch(declare(), None)
    assert isinstance(opened, Recorded)
    await incidents.dispatch(update("<@U0ALICE> looks"), opened.incident.id)
    out = io.StringIO()
    assert await export(store, [], None, None, private=True, out=out) == 0
    assert "U0ALICE" in out.getvalue()
    output = io.StringIO()
    assert await forget(store, "U0ALICE", [], out=output) == 0
    assert "U0ALICE is forgotten" in output.getvalue()
    after = io.StringIO()
    await export(store, [], None, None, private=True, out=after)
    assert "U0ALICE" not in after.getvalue()
    await store.close()


async def test_a_moving_slot_is_not_written_and_what_was_refused_counts_once_afterwards(
    cluster: Cluster, primary: Node
) -> None:
    store, [target, _] = Store.open(cluster.url), await cluster.others(primary)
    delivery = Delivery(("seen",))
    await commit(store, new(1), id="c1", trigger=delivery)
    loaded = await store.load(None)
    change = new(2, "search").done()

    await cluster.begin_to_move(primary, target)

    async def refused_with_its_reason() -> bool:
        """The last try is cut off where the time of all of them is over."""
        try:
            await store.commit("c2", loaded, change, limit=TimeLimit(seconds=0.2))
        except AnswerLost:
            return False
        except NotRecorded as error:
            return "moving the bot's keys" in error.text
        raise AssertionError("it was written")

    await eventually(refused_with_its_reason)
    moved = await cluster.move_keys(primary, target, 3)
    assert moved == 3
    with pytest.raises(NotRecorded, match="moving the bot's keys"):  # of two keys one is there
        await store.load(None, Delivery(("seen", "never")))
    with pytest.raises(NotRecorded, match="moving the bot's keys"):
        await keys_under(store.redis, "{fb}")
    before = await _asked_away(primary)
    waits = asyncio.create_task(store.commit("c2", loaded, change, limit=TimeLimit(seconds=60)))

    async def met_it() -> bool:
        return await _asked_away(primary) > before

    await eventually(met_it)
    assert await target.ask("CLUSTER", "COUNTKEYSINSLOT", SLOT) == moved
    while await cluster.move_keys(primary, target):
        pass
    await cluster.end_to_move(target)

    assert await waits == Done(1)
    assert await store.commit("c2", loaded, change) == Already("INC-0002", 1)
    assert (await store.load(None, delivery)).handled_by == "INC-0001"
    assert len(await store.timeline("INC-0002")) == len(change.entries)
    assert _at(store) == target.port
    await store.close()


async def _asked_away(node: Node) -> int:
    """How often the node has answered ASK."""
    counters = await node.ask("INFO", "errorstats")
    return int(counters.get("errorstat_ASK", {"count": 0})["count"])


async def test_a_slot_that_moves_at_once_is_followed_by_everything(
    cluster: Cluster, primary: Node
) -> None:
    """Valkey 9 moves a slot as a whole (https://valkey.io/commands/cluster-migrateslots/)."""
    store, [target, _] = Store.open(cluster.url), await cluster.others(primary)
    others = [Store.open(cluster.url) for _ in range(4)]
    for other in others:
        await other.server_now()
    writer = Writer(store)
    await asyncio.gather(*(writer.open_next() for _ in range(20)))
    assert len(writer.acked) == 20
    await primary.ask("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", SLOT, SLOT, "NODE", target.id)

    async def there() -> bool:
        await writer.open_next()
        return (await cluster.primary(asked=target)) is target

    await eventually(there)
    # Each of these is the first that its connection hears of the move.
    first, second, third, fourth = others
    key = f"{store.keys.prefix}:x"
    await first.redis.hset(key, "a", "1")
    pipe = second.redis.pipeline(transaction=True)
    pipe.hget(key, "a")
    pipe.hdel(key, "a")
    assert await pipe.execute() == ["1", 1]
    assert (await third.load("INC-0001")).version == 1
    assert len(await keys_under(fourth.redis, "{fb}")) > 2 * len(writer.acked)
    assert await writer.open_next()
    assert len(writer.acked) == writer.tried
    await writer.all_there_once()
    for each in (store, *others):
        assert _at(each) == target.port
        await each.close()


async def test_a_planned_fail_over_loses_no_acknowledged_commit(
    cluster: Cluster, primary: Node
) -> None:
    writer = Writer(Store.open(cluster.url, wait_replicas=1))
    replica = cluster.partner(primary)
    for _ in range(10):
        assert await writer.open_next()
    assert await replica.ask("CLUSTER", "FAILOVER") == "OK"

    async def there() -> bool:
        return await writer.open_next() and _at(writer.store) == replica.port

    await eventually(there)
    await writer.all_there_once()
    await writer.store.close()


async def test_a_primary_that_was_frozen_acknowledges_nothing_that_is_lost(
    cluster: Cluster, primary: Node
) -> None:
    """It still takes itself for the primary when it wakes, and connections to it are open."""
    writer = Writer(Store.open(cluster.url, wait_replicas=1))
    await asyncio.gather(*(writer.open_next() for _ in range(10)))
    primary.freeze(True)
    replica = await cluster.fail_over(primary)
    primary.freeze(False)
    await asyncio.gather(*(writer.open_next() for _ in range(10)))
    await eventually(writer.open_next)
    await settled(cluster, replica)
    await writer.all_there_once()
    await writer.store.close()


async def test_a_primary_that_is_killed_is_replaced_and_the_bot_goes_on(
    cluster: Cluster, primary: Node
) -> None:
    careful = Writer(Store.open(cluster.url, wait_replicas=1))
    for _ in range(10):
        assert await careful.open_next()
    store = Store.open(cluster.url)
    writer = Writer(store)
    writer.tried = careful.tried
    assert await writer.open_next()
    primary.kill()
    replica = await cluster.fail_over(primary)
    await eventually(writer.open_next)
    assert _at(store) == replica.port
    writer.acked += careful.acked
    await writer.all_there_once()
    careful.tried = writer.tried
    assert not await careful.open_next(), "it has no replica now"
    primary.again()
    await eventually(careful.open_next)
    for each in (store, careful.store):
        await each.close()


async def test_a_cluster_that_is_down_is_said_and_waited_for(
    cluster: Cluster, primary: Node
) -> None:
    other, _ = await cluster.others(primary)
    lost = (other, cluster.partner(other))
    writer = Writer(Store.open(cluster.url))
    assert await writer.open_next()
    await cluster.patience(IMPATIENT_MS)
    for node in lost:
        node.freeze(True)

    async def down() -> bool:
        return "cluster_state:fail" in await primary.ask("CLUSTER", "INFO")

    await eventually(down)
    with pytest.raises(NotRecorded, match="cluster is down"):
        await commit(writer.store, new(2), id="down")
    for node in lost:
        node.freeze(False)
    # A primary that was called lost counts again after twice the patience that the nodes have
    # (Valkey, src/cluster_legacy.c CLUSTER_FAIL_UNDO_TIME_MULT): it stays short until then.
    await eventually(writer.open_next)
    await cluster.patience(PATIENT_MS)
    await writer.all_there_once()
    await writer.store.close()


async def test_a_plain_address_of_a_node_is_told_how_to_be_written(
    cluster: Cluster, primary: Node
) -> None:
    other, _ = await cluster.others(primary)
    await refused(f"redis://127.0.0.1:{other.port}", "part of a cluster", "redis+cluster://")
    findings = await doctor(f"redis://127.0.0.1:{primary.port}")
    [row] = [finding for finding in findings if "one node of a cluster" in finding.says]
    assert (row.state, "redis+cluster://" in row.mend) == ("unproven", True)


def _at(store: Store) -> int:
    """The port of the primary that the store uses."""
    pool = store.redis.connection_pool
    assert isinstance(pool, PrimaryPool)
    assert pool.slot.primary is not None
    return pool.slot.primary[1]


# --- one node alone -------------------------------------------------------------------------------


async def whole(server: Served) -> None:
    """Let one node serve all slots."""
    await server.ask("CLUSTER", "ADDSLOTSRANGE", 0, 16_383)

    async def serves() -> bool:
        return "cluster_state:ok" in str(await server.ask("CLUSTER", "INFO"))

    await eventually(serves)


async def test_what_is_no_cluster_is_said(tmp_path: Path) -> None:
    async with served(tmp_path / "a") as server:
        await refused(
            f"redis+cluster://127.0.0.1:{server.port}",
            "What answers there is no cluster",
            "redis://",
        )


async def test_a_slot_that_nobody_serves_and_a_node_that_is_not_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(tmp_path / "a", "--cluster-enabled", "yes") as server:
        url = f"redis+cluster://127.0.0.1:1,127.0.0.1:{server.port}"
        [finding] = await doctor(url)
        assert f"No node of the cluster serves slot {SLOT}" in finding.says
        await check_at_start(url)  # somebody may be mending it
        assert "No node of the cluster" in caplog.text
        await whole(server)
        await server.ask("CONFIG", "SET", "cluster-announce-port", 1)
        [finding] = await doctor(url)
        assert "connection refused" in finding.says
        assert "the cluster names 127.0.0.1:1" in finding.says
        assert "cluster-announce-hostname" in finding.mend
    [finding] = await doctor("redis+cluster://127.0.0.1:1")
    assert "connection refused" in finding.says


async def test_user_password_and_the_least_rights(tmp_path: Path) -> None:
    async with served(tmp_path / "a", "--cluster-enabled", "yes", "--requirepass", "p/w") as server:
        own = f"unix://:p%2Fw@{server.socket}"

        async def ask(*command: str | int) -> object:
            return await server.ask(*command, url=own)

        await ask("CLUSTER", "ADDSLOTSRANGE", 0, 16_383)

        async def serves() -> bool:
            return "cluster_state:ok" in str(await ask("CLUSTER", "INFO"))

        await eventually(serves)
        at = f"127.0.0.1:{server.port}"
        await check_at_start(f"redis+cluster://:p%2Fw@{at}")
        await refused(f"redis+cluster://:hunter2@{at}", "does not take this user and password")
        await refused(f"redis+cluster://{at}", "wants a password")
        await ask("ACL", "SETUSER", "firebreak", *least())
        user = f"redis+cluster://firebreak:p%2Fw@{at}"
        await refused(user, "does not let this user run CLUSTER SLOTS", "Rights in Redis")
        await ask("ACL", "SETUSER", "firebreak", "+cluster|slots")
        await check_at_start(user)
        unproven = {
            finding.what: finding for finding in await doctor(user) if finding.state != "works"
        }
        assert set(unproven) == {"An acknowledged click", "Memory of Redis", "Cluster"}
        assert "does not let this user run INFO" in unproven["Memory of Redis"].says
        assert "maxmemory-policy should be noeviction" in unproven["Memory of Redis"].mend
        assert "look by hand: appendonly" in unproven["An acknowledged click"].mend
        await ask("ACL", "SETUSER", "firebreak", "+info")
        await ask("CONFIG", "SET", "appendonly", "yes")
        unproven = {
            finding.what: finding for finding in await doctor(user) if finding.state != "works"
        }
        assert set(unproven) == {"An acknowledged click", "Cluster"}
        assert "look by hand: appendfsync" in unproven["An acknowledged click"].mend


@pytest.mark.parametrize(
    ("named", "place"),
    [
        ("10.0.0.7", ("10.0.0.7", 7)),
        ("shop-1.example.com", ("shop-1.example.com", 7)),
        (None, ("seed", 7)),
        ("", ("seed", 7)),
        ("?", ("seed", 7)),
    ],
)
def test_nodes_are_reached_by_what_they_announce(named: str | None, place: tuple[str, int]) -> None:
    """https://redis.io/docs/latest/commands/cluster-slots/#nested-result-array."""
    shards = [
        [0, SLOT - 1, ["a", 1, "id"]],
        [SLOT, SLOT, [named, 7, "id", ["hostname", "x"]], ["b", 2, "id"], ["c", 3, "id"]],
        [SLOT + 1, 16_383, ["a", 1, "id"]],
    ]
    cluster_map = read_map(shards, SLOT, ("seed", 6379))
    assert (cluster_map.primary, cluster_map.replicas) == (place, 2)
    assert cluster_map.nodes[0] == ("seed", 6379)
    assert set(cluster_map.nodes) == {("seed", 6379), ("a", 1), place, ("b", 2), ("c", 3)}
    assert read_map(shards[:1], SLOT, ("seed", 6379)).primary is None
