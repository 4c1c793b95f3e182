"""Every answer of the commit script, and that what is written is written together."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta

import pytest

from bot.connection.client import GROUP, NotRecorded
from bot.store.incident_store import (
    Already,
    Conflict,
    Done,
    Duplicate,
    Gone,
    Late,
    Loaded,
    Store,
    Taken,
    TimeLimit,
)
from handlers.dispatcher import Delivery, EffectEnded, TimerDue
from phases.messages.actions import DeployTick, NobodyActed
from phases.messages.effects import OpenChannel, Say
from phases.record.incident import Channel, MessageRef, Status
from phases.shared.change import Draft
from tests.support.redis.stores import commit, dump, new
from tests.support.worlds.small_world import T0


async def test_everything_of_a_change_is_written_in_one_commit(store: Store) -> None:
    draft = new().set(
        channel=Channel(id="C1", name="inc-0001"),
        messages={"status": MessageRef(channel="C1", ts="1.10")},
    )
    draft.note("declared", "it burns").note("note", 'zwei\n"drei" \u2028').want(
        OpenChannel(), Say(text="hallo ü")
    )
    draft.timer("nobody", 600, NobodyActed()).timer("tick", 3, DeployTick(deploy_id="d"))
    draft.claim("open:checkout:production").claim("fingerprint:1", seconds=60).dirty(
        "status", "tree"
    )
    assert await commit(store, draft) == Done(1)

    loaded = await store.load("INC-0001")
    assert (loaded.incident, loaded.version) == (draft.incident, 1)
    assert [entry.text for entry in await store.timeline("INC-0001")] == [
        "it burns",
        'zwei\n"drei" \u2028',
    ]
    effects = [fields for _, fields in await store.redis.xrange(store.keys.outbox)]
    assert [fields["id"] for fields in effects] == ["INC-0001.1.1", "INC-0001.1.2"]
    assert [json.loads(fields["effect"])["type"] for fields in effects] == ["open.channel", "say"]
    assert {fields["incident"] for fields in effects} == {"INC-0001"}
    assert abs(int(effects[0]["created"]) / 1000 - loaded.server_now.timestamp()) < 60
    assert await store.redis.zrange(store.keys.timers, 0, -1, withscores=True) == [
        ("INC-0001|tick", T0.timestamp() * 1000 + 3000),
        ("INC-0001|nobody", T0.timestamp() * 1000 + 600_000),
    ]
    assert (
        await store.redis.hget(store.keys.timer_actions, "INC-0001|tick")
        == '{"type":"deploy.tick","deploy_id":"d"}'
    )
    assert await store.owner("open:checkout:production") == "INC-0001"
    assert 0 < await store.redis.pttl(store.keys.claim("fingerprint:1")) <= 60_000
    assert await store.redis.pttl(store.keys.claim("open:checkout:production")) == -1
    assert set(await store.redis.zrange(store.keys.marks, 0, -1)) == {
        "INC-0001|status",
        "INC-0001|tree",
    }
    for index in ("all", "open", "channel:C1", "service:checkout"):
        assert await store.ids(index) == ["INC-0001"]
    assert all(key.startswith("{fb}:") for key in await store.redis.keys("*"))


async def test_the_same_commit_again_is_a_success(store: Store) -> None:
    loaded = await store.load("INC-0001")
    assert await store.commit("c1", loaded, new().note("a", "once").done()) == Done(1)
    before = await dump(store)
    assert await store.commit("c1", loaded, new().note("a", "once").done()) == Already(
        "INC-0001", 1
    )
    assert await dump(store) == before


async def test_already_is_answered_even_after_the_deadline(store: Store) -> None:
    loaded = await store.load("INC-0001")
    await store.commit("c1", loaded, new().done())
    again = await store.commit(
        "c1", loaded, new().done(), limit=TimeLimit(loaded.server_now - timedelta(seconds=1))
    )
    assert again == Already("INC-0001", 1)


async def test_a_delivery_counts_once(store: Store) -> None:
    assert await commit(store, new(), "c1", Delivery(("trigger:1",))) == Done(1)
    assert 0 < await store.redis.pttl(store.keys.delivery("trigger:1")) <= 15 * 60 * 1000
    before = await dump(store)
    changed = Draft((await store.get(["INC-0001"]))[0], T0).note("x", "twice")
    assert await commit(store, changed, "c2", Delivery(("event:9", "trigger:1"))) == Duplicate(
        "INC-0001"
    )
    assert await dump(store) == before
    told_twice = await store.load("INC-0001", Delivery(("event:9", "trigger:1")))
    assert told_twice.handled_by == "INC-0001"
    assert (await store.load("INC-0001", Delivery(("event:9",)))).handled_by is None
    assert (await store.load("INC-0001", Delivery(()))).handled_by is None


async def test_a_timer_fires_once_and_only_as_it_was_set(store: Store) -> None:
    await commit(store, new().timer("nobody", 10, NobodyActed()), "c1")
    at = round(T0.timestamp() * 1000) + 10_000
    open_ = Draft((await store.get(["INC-0001"]))[0], T0)
    assert await commit(store, open_, "c2", TimerDue("INC-0001", "nobody", at - 1)) == Gone()
    assert await commit(store, open_, "c3", TimerDue("INC-0001", "other", at)) == Gone()
    assert (await store.load("INC-0001", TimerDue("INC-0001", "nobody", at))).handled_by is None
    assert await commit(store, open_, "c4", TimerDue("INC-0001", "nobody", at)) == Done(2)
    assert (
        await store.redis.zcard(store.keys.timers)
        == await store.redis.hlen(store.keys.timer_actions)
        == 0
    )
    assert await commit(store, open_, "c5", TimerDue("INC-0001", "nobody", at)) == Gone()
    assert (await store.load("INC-0001", TimerDue("INC-0001", "nobody", at))).handled_by == ""


async def test_a_fired_timer_may_set_itself_again_and_others_are_replaced_or_cancelled(
    store: Store,
) -> None:
    await commit(
        store,
        new()
        .timer("tick", 3, NobodyActed())
        .timer("a", 5, NobodyActed())
        .timer("b", 5, NobodyActed()),
    )
    at = round(T0.timestamp() * 1000)
    draft = Draft((await store.get(["INC-0001"]))[0], T0)
    draft.timer("tick", 6, NobodyActed()).timer("a", 9, NobodyActed()).cancel("b", "unknown")
    assert await commit(store, draft, "c2", TimerDue("INC-0001", "tick", at + 3000)) == Done(2)
    assert await store.redis.zrange(store.keys.timers, 0, -1, withscores=True) == [
        ("INC-0001|tick", at + 6000),
        ("INC-0001|a", at + 9000),
    ]
    assert sorted(await store.redis.hkeys(store.keys.timer_actions)) == [
        "INC-0001|a",
        "INC-0001|tick",
    ]


async def test_an_effect_ends_once_and_leaves_the_outbox_with_its_result(store: Store) -> None:
    await commit(store, new().want(OpenChannel()))
    open_ = Draft((await store.get(["INC-0001"]))[0], T0)
    assert await commit(store, open_, "c2", EffectEnded("0-1")) == Gone()  # no consumer group yet
    await store.redis.xgroup_create(store.keys.outbox, GROUP, id="0")
    ((entry, _),) = await store.redis.xrange(store.keys.outbox)
    assert await commit(store, open_, "c3", EffectEnded(entry)) == Gone()  # nobody holds it
    assert await commit(store, open_, "c3", EffectEnded("no entry id")) == Gone()
    await store.redis.xreadgroup(GROUP, "me", {store.keys.outbox: ">"})
    assert (await store.load("INC-0001", EffectEnded(entry))).handled_by is None
    assert await commit(store, open_, "c4", EffectEnded(entry)) == Done(2)
    assert await store.redis.xlen(store.keys.outbox) == 0
    assert (await store.redis.xpending(store.keys.outbox, GROUP))["pending"] == 0
    assert await commit(store, open_, "c5", EffectEnded(entry)) == Gone()
    assert (await store.load("INC-0001", EffectEnded(entry))).handled_by == ""


async def test_late_is_decided_by_the_clock_of_the_server(store: Store) -> None:
    loaded = await store.load("INC-0001")
    before = await dump(store)
    change = new().done()
    assert (
        await store.commit(
            "c1", loaded, change, limit=TimeLimit(loaded.server_now - timedelta(milliseconds=10))
        )
        == Late()
    )
    assert await dump(store) == before
    assert await store.commit(
        "c1", loaded, change, limit=TimeLimit(loaded.server_now + timedelta(minutes=5))
    ) == Done(1)


async def test_what_was_read_before_the_clock_was_set_back_is_read_anew(store: Store) -> None:
    """Its timers would come an hour late: they were reckoned from a time that is not yet."""
    loaded = await store.load("INC-0001")
    before = await dump(store)
    ahead = dataclasses.replace(loaded, server_now=loaded.server_now + timedelta(hours=1))
    assert await store.commit("c1", ahead, new().done()) == Conflict(0)
    assert await dump(store) == before
    assert await store.commit("c1", loaded, new().done()) == Done(1)


async def test_who_writes_second_is_told_so(store: Store) -> None:
    await commit(store, new())
    loaded = await store.load("INC-0001")
    draft = Draft((await store.get(["INC-0001"]))[0], T0).note("a", "a")
    assert await store.commit("c2", loaded, draft.done()) == Done(2)
    before = await dump(store)
    assert await store.commit("c3", loaded, draft.done()) == Conflict(2)
    assert await store.commit("c4", Loaded(None, 0, T0), new().done()) == Conflict(2)
    assert await dump(store) == before


async def test_claims_have_one_owner(store: Store) -> None:
    await commit(store, new(1).claim("open:checkout:production").claim("soft", soft=True), "c1")
    before = await dump(store)
    second = new(2).note("x", "x").claim("open:checkout:production")
    assert await commit(store, second, "c2") == Taken("open:checkout:production", "INC-0001")
    assert await dump(store) == before

    # A soft claim never refuses; what belongs to another cannot be released.
    assert await commit(store, new(2).claim("soft", soft=True), "c3") == Done(1)
    other = Draft((await store.get(["INC-0002"]))[0], T0).give_up_claim(
        "open:checkout:production", "soft", "nobody's"
    )
    assert await commit(store, other, "c4") == Done(2)
    assert await store.owner("open:checkout:production") == await store.owner("soft") == "INC-0001"

    first = Draft((await store.get(["INC-0001"]))[0], T0).claim(
        "open:checkout:production", seconds=100
    )
    assert await commit(store, first, "c5") == Done(2)  # one's own: renewed
    assert 0 < await store.redis.pttl(store.keys.claim("open:checkout:production")) <= 100_000
    assert await commit(
        store, Draft(first.incident, T0).give_up_claim("open:checkout:production"), "c6"
    ) == Done(3)
    assert await store.owner("open:checkout:production") is None


async def test_who_writes_second_hears_of_it_before_any_claim(store: Store) -> None:
    """Its claims may follow from a state that is no more."""
    await commit(store, new(1), "c1")
    await commit(store, new(2).claim("deploying:checkout"), "c2")
    loaded = await store.load("INC-0001")
    draft = Draft((await store.get(["INC-0001"]))[0], T0)
    assert await store.commit("c3", loaded, draft.done()) == Done(2)
    assert await store.commit("c4", loaded, draft.claim("deploying:checkout").done()) == Conflict(2)


async def test_a_number_that_was_used_is_taken_even_without_its_record(store: Store) -> None:
    await commit(store, new(1).claim("number:1"))
    await store.redis.delete(store.keys.incident("INC-0001"))
    assert await commit(store, new(1).claim("number:1"), "c2") == Taken("number:1", "INC-0001")


async def test_indexes_follow_the_record(store: Store) -> None:
    await commit(store, new(1).set(channel=Channel(id="C1", name="a")), "c1")
    await commit(store, new(2, "search"), "c2")
    await commit(store, new(10), "c3")
    assert await store.ids("open") == ["INC-0010", "INC-0002", "INC-0001"]
    assert await store.ids("open", "service:checkout") == ["INC-0010", "INC-0001"]
    draft = Draft((await store.get(["INC-0001"]))[0], T0)
    draft.set(channel=Channel(id="C2", name="b"), status=Status.CANCELLED)
    await commit(store, draft, "c4")
    assert await store.ids("open") == ["INC-0010", "INC-0002"]
    assert await store.ids("all") == ["INC-0010", "INC-0002", "INC-0001"]
    assert await store.ids("channel:C1") == []
    assert await store.ids("channel:C2") == ["INC-0001"]
    assert (await store.load(None)).next_number == 11


async def test_a_server_without_the_script_gets_it_again(store: Store) -> None:
    await commit(store, new(1), "c1")
    await store.redis.script_flush()
    assert await commit(store, new(2), "c2") == Done(1)


async def test_a_full_redis_refuses_before_the_first_write(store: Store) -> None:
    await commit(store, new(1), "c1")
    before = await dump(store)
    loaded = await store.load("INC-0002")
    await store.redis.config_set("maxmemory", "1")
    try:
        with pytest.raises(NotRecorded, match="memory") as refused:
            await store.commit("c2", loaded, new(2).note("x", "x").done())
    finally:
        await store.redis.config_set("maxmemory", "0")
    assert refused.value.refused
    assert await dump(store) == before


async def test_a_replica_refuses(store: Store) -> None:
    loaded = await store.load("INC-0001")
    await store.redis.replicaof("127.0.0.1", "1")
    try:
        with pytest.raises(NotRecorded):
            await store.commit("c1", loaded, new().done())
    finally:
        await store.redis.replicaof("NO", "ONE")
    assert await store.redis.dbsize() == 0


async def test_a_time_without_a_zone_is_no_time(store: Store) -> None:
    with pytest.raises(ValueError, match="time zone"):
        await store.commit(
            "c1",
            await store.load("INC-0001"),
            new().done(),
            limit=TimeLimit(T0.replace(tzinfo=None)),
        )
