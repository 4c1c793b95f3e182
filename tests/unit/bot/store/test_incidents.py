"""The dispatcher over the store.

Each answer of the script has its meaning for the sender; answers are lost, and many come at once.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from pathlib import Path

import pytest

from bot.connection.client import NotRecorded
from bot.store.incident_store import Store
from bot.store.incidents import Incidents
from handlers.dispatcher import Delivery, Recorded, TimerDue, Unknown
from phases.messages.actions import MeasureDue
from phases.messages.base import Action
from phases.messages.commands import Cancel, PostUpdate
from phases.record.incident import Channel
from phases.shared.change import Draft, Refused
from tests.support.worlds.small_world import T0, Proxy, declare, dispatcher, until, update


async def opened(incidents: Incidents, service: str = "checkout") -> str:
    answer = await incidents.dispatch(declare(service), None)
    assert isinstance(answer, Recorded)
    return answer.incident.id


async def notes(incidents: Incidents, id: str) -> list[str]:
    return [entry.text for entry in await incidents.timeline(id) if entry.kind == "note"]


async def test_declare_takes_the_next_number(store: Store) -> None:
    incidents = dispatcher(store)
    assert await opened(incidents, "checkout") == "INC-0001"
    assert await opened(incidents, "search") == "INC-0002"
    assert await store.owner("number:2") == "INC-0002"
    incident = await incidents.load("INC-0002")
    assert incident is not None
    assert incident.service == "search"
    assert await incidents.load("INC-0003") is None


async def test_a_taken_number_is_stepped_over(store: Store) -> None:
    await store.redis.set(store.keys.claim("number:1"), "INC-0001")
    await store.redis.set(store.keys.claim("number:2"), "INC-0002")
    assert await opened(dispatcher(store)) == "INC-0003"


async def test_an_open_incident_refuses_a_second_with_its_name(store: Store) -> None:
    incidents = dispatcher(store)
    await opened(incidents)
    answer = await incidents.dispatch(declare(), None)
    assert isinstance(answer, Refused)
    assert (answer.code, answer.owner, answer.claim) == (
        "taken",
        "INC-0001",
        "open:checkout:production",
    )
    assert "INC-0001 is already open for checkout" in answer.text
    assert isinstance(await incidents.dispatch(declare(else_of="INC-0001"), None), Recorded)
    assert isinstance(
        await incidents.dispatch(Cancel(by="U1", reason="false alarm"), "INC-0001"), Recorded
    )
    assert isinstance(await incidents.dispatch(declare(), None), Recorded)
    assert [incident.id for incident in await incidents.find(service="checkout")] == [
        "INC-0003",
        "INC-0002",
    ]
    assert len(await incidents.find(open_only=False)) == 3


async def test_find_by_channel(store: Store) -> None:
    def more(draft: Draft, action: Action) -> Draft:
        return (
            draft.set(channel=Channel(id="C7", name="x"))
            if isinstance(action, PostUpdate)
            else draft
        )

    incidents = dispatcher(store, more)
    await opened(incidents)
    await opened(incidents, "search")
    assert await incidents.find(channel="C7") == []
    await incidents.dispatch(update("hi"), "INC-0002")
    assert [incident.id for incident in await incidents.find(channel="C7")] == ["INC-0002"]
    assert [
        incident.id for incident in await incidents.find(channel="C7", service="checkout")
    ] == []


async def test_what_a_step_refuses_changes_nothing(store: Store) -> None:
    def more(draft: Draft, action: Action) -> Draft | Refused:
        return Refused("state", "no") if isinstance(action, PostUpdate) else draft

    incidents = dispatcher(store, more)
    id = await opened(incidents)
    assert await incidents.dispatch(update("x"), id, Delivery(("t",))) == Refused("state", "no")
    assert (await store.load(id)).version == 1
    assert not await store.redis.exists(store.keys.delivery("t"))
    missing = await incidents.dispatch(update("x"), "INC-0099")
    assert isinstance(missing, Refused)
    assert missing.code == "unknown"


async def test_a_delivery_that_comes_twice_counts_once_even_when_the_step_would_refuse_it_now(
    store: Store,
) -> None:
    def more(draft: Draft, action: Action) -> Draft | Refused:
        if (
            isinstance(action, PostUpdate)
            and len(draft.done().entries)
            and draft.incident.severity_by == "done"
        ):
            return Refused("stale", "already")
        return draft.set(severity_by="done") if isinstance(action, PostUpdate) else draft

    incidents = dispatcher(store, more)
    id = await opened(incidents)
    assert isinstance(await incidents.dispatch(update("x"), id, Delivery(("t",))), Recorded)
    again = await incidents.dispatch(update("x"), id, Delivery(("t",)))
    assert isinstance(again, Recorded)
    assert again.again
    assert await notes(incidents, id) == ["x"]

    answer = await incidents.dispatch(declare("search"), None, Delivery(("webhook",)))
    second = await incidents.dispatch(declare("search"), None, Delivery(("webhook",)))
    assert isinstance(answer, Recorded)
    assert isinstance(second, Recorded)
    assert (second.incident.id, second.again) == (answer.incident.id, True)


async def test_the_same_delivery_a_hundred_times_at_once(store: Store) -> None:
    incidents = dispatcher(store)
    id = await opened(incidents)
    answers = await asyncio.gather(
        *(incidents.dispatch(update("x"), id, Delivery(("t",))) for _ in range(100))
    )
    assert [answer.again for answer in answers if isinstance(answer, Recorded)].count(False) == 1
    assert await notes(incidents, id) == ["x"]


async def test_a_gone_timer_is_again(store: Store) -> None:
    incidents = dispatcher(store)
    id = await opened(incidents)
    answer = await incidents.dispatch(MeasureDue(), id, TimerDue(id, "guard", 1))
    assert isinstance(answer, Recorded)
    assert answer.again
    assert await notes(incidents, id) == []


async def test_late_is_refused(store: Store) -> None:
    incidents = dispatcher(store)
    id = await opened(incidents)
    answer = await incidents.dispatch(
        update("x"), id, deadline=await store.server_now() - timedelta(seconds=1)
    )
    assert isinstance(answer, Refused)
    assert answer.code == "late"
    assert await notes(incidents, id) == []


async def test_a_hundred_at_once_on_one_incident_over_two_replicas(
    store: Store, redis_url: str
) -> None:
    other = Store.open(redis_url)
    first, second = dispatcher(store), dispatcher(other)
    id = await opened(first)
    says = [(first if i % 2 else second).dispatch(update(f"n{i}"), id) for i in range(100)]
    answers = await asyncio.gather(*says)
    await other.close()
    assert all(isinstance(answer, Recorded) for answer in answers)
    assert sorted(await notes(first, id)) == sorted(f"n{i}" for i in range(100))
    assert (await store.load(id)).version == 101


async def test_a_hundred_declares_at_once_open_one_incident(store: Store, redis_url: str) -> None:
    other = Store.open(redis_url)
    first, second = dispatcher(store), dispatcher(other)
    answers = await asyncio.gather(
        *((first if i % 2 else second).dispatch(declare(), None) for i in range(100))
    )
    won = [answer for answer in answers if isinstance(answer, Recorded)]
    lost = [answer for answer in answers if isinstance(answer, Refused)]
    assert len(won) == 1
    assert len(lost) == 99
    assert {answer.owner for answer in lost} == {won[0].incident.id}
    assert len(await first.find()) == 1
    await other.close()


async def test_declares_of_different_things_all_get_their_own_number(store: Store) -> None:
    incidents = dispatcher(store)
    answers = await asyncio.gather(
        *(incidents.dispatch(declare(else_of="INC-0000"), None) for _ in range(20))
    )
    assert sorted(
        answer.incident.number for answer in answers if isinstance(answer, Recorded)
    ) == list(range(1, 21))


async def test_a_lost_answer_is_asked_for_again_and_counts_once(
    redis_url: str, store: Store, tmp_path: Path
) -> None:
    async with Proxy(redis_url, tmp_path / "p") as proxy:
        behind = Store.open(proxy.url)
        incidents = dispatcher(behind)
        id = await opened(incidents)
        proxy.lose_answers = 1
        proxy.forwarded = 0
        answer = await incidents.dispatch(update("x"), id)
        assert isinstance(answer, Recorded)
        assert not answer.again
        assert proxy.forwarded >= 2
        assert await notes(incidents, id) == ["x"]
        await behind.close()


async def test_answers_that_stay_lost_are_unknown_and_said_again_count_once(
    redis_url: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with Proxy(redis_url, tmp_path / "p") as proxy:
        behind = Store.open(proxy.url)
        incidents = dispatcher(behind)
        id = await opened(incidents)
        monkeypatch.setattr("bot.store.incidents.DISPATCH_SECONDS", 2.0)
        proxy.lose_answers = 1000
        began = asyncio.get_running_loop().time()
        with caplog.at_level(logging.CRITICAL):
            answer = await incidents.dispatch(update("x"), id, Delivery(("t",)))
        assert answer == Unknown()
        assert asyncio.get_running_loop().time() - began < 60, "some 100 tries"
        monkeypatch.undo()
        proxy.lose_answers = 0
        again = await incidents.dispatch(update("x"), id, Delivery(("t",)))
        assert isinstance(again, Recorded)
        assert again.again
        assert await notes(incidents, id) == ["x"]
        await behind.close()


async def test_a_commit_that_was_held_up_does_not_come_true_after_the_answer(
    redis_url: str,
    store: Store,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with Proxy(redis_url, tmp_path / "p") as proxy:
        behind = Store.open(proxy.url)
        incidents = dispatcher(behind)
        id = await opened(incidents)
        monkeypatch.setattr("bot.store.incidents.DISPATCH_SECONDS", 0.5)
        proxy.hold_requests = asyncio.Event()
        with caplog.at_level(logging.CRITICAL):
            assert isinstance(await incidents.dispatch(update("x"), id), Unknown)
        at = await store.server_now()

        async def later() -> bool:
            return await store.server_now() > at + timedelta(milliseconds=100)

        await until(later)
        proxy.forwarded = 0
        proxy.hold_requests.set()
        await behind.close()
    assert await notes(dispatcher(store), id) == []


async def test_no_redis_means_nothing_was_recorded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store.open(f"unix://{tmp_path}/nothing")
    incidents = dispatcher(store)
    with caplog.at_level(logging.CRITICAL):
        answer = await incidents.dispatch(declare(), None)
    assert isinstance(answer, Unknown)
    assert "Nothing was recorded" in answer.text
    with pytest.raises(NotRecorded):
        await incidents.find()
    await store.close()


async def test_a_full_redis_says_so(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    incidents = dispatcher(store)
    await store.redis.config_set("maxmemory", "1")
    try:
        with caplog.at_level(logging.CRITICAL):
            answer = await incidents.dispatch(declare(), None)
    finally:
        await store.redis.config_set("maxmemory", "0")
    assert isinstance(answer, Unknown)
    assert "memory" in answer.text
    assert "Nothing was recorded" in answer.text


async def test_a_service_that_left_the_catalogue_lives_on(store: Store) -> None:
    assert await opened(dispatcher(store), "gone") == "INC-0001"


async def test_time_comes_from_the_server_or_is_given(store: Store) -> None:
    first = await dispatcher(store).dispatch(declare(), None)
    assert isinstance(first, Recorded)
    assert abs(first.incident.declared_at - await store.server_now()) < timedelta(seconds=60)
    second = await dispatcher(store, now=lambda: T0).dispatch(declare("search"), None)
    assert isinstance(second, Recorded)
    assert second.incident.declared_at == T0


async def test_a_record_that_is_full_takes_no_more_from_people(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    def more(draft: Draft, action: Action) -> Draft:
        return (
            draft.set(rolled_back=tuple("x" * 100 for _ in range(400)))
            if isinstance(action, PostUpdate)
            else draft
        )

    incidents = dispatcher(store, more)
    id = await opened(incidents)
    with caplog.at_level(logging.CRITICAL):
        answer = await incidents.dispatch(update("x"), id)
    assert isinstance(answer, Refused)
    assert answer.code == "input"


async def test_a_record_of_another_world_is_not_overwritten(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    incidents = dispatcher(store)
    id = await opened(incidents)
    await store.redis.hset(store.keys.incident(id), "record", '{"id": 7}')
    await store.redis.hincrby(store.keys.incident(id), "version", 1)
    with caplog.at_level(logging.CRITICAL):
        answer = await incidents.dispatch(update("x"), id)
        assert isinstance(answer, Refused)
        assert answer.code == "version"
        assert await incidents.load(id) is None
    assert await store.redis.hget(store.keys.incident(id), "record") == '{"id": 7}'
