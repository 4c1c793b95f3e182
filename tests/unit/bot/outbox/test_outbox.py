"""Effects run at least once, and each one ends: done, failed, or set aside."""

from __future__ import annotations

import asyncio

import pytest

from bot.connection.client import GROUP, NotRecorded
from bot.outbox.dead_letters import dead_letter_count, dead_letters
from bot.store.incident_store import Store
from bot.store.job import Job
from phases.messages.base import Action, Effect
from phases.messages.commands import AddHypothesis
from phases.messages.effects import Page, Say, TellDiscord
from phases.messages.results import EffectDone, EffectFailed
from phases.ports.ports import PortError
from phases.shared.change import Draft, Refused
from tests.support.worlds.outbox_world import Perform, World, done, quick_outbox, wanting
from tests.support.worlds.small_world import running, until

__all__ = ["quick_outbox"]  # a fixture for every test here


async def test_an_effect_is_performed_and_its_result_ends_it(store: Store, redis_url: str) -> None:
    performed: list[tuple[Effect, Job]] = []

    async def say(effect: Say, job: Job) -> Action:
        performed.append((effect, job))
        return EffectDone(kind="say")

    world = World(store, redis_url, Say(text="hallo"))
    outbox = world.outbox({"say": say})
    async with running(outbox.run()):
        await world.want()
        await until(world.empty)
        assert outbox.running
    ((effect, job),) = performed
    assert effect == Say(text="hallo")
    assert (job.incident, job.effect_id, job.attempt) == ("INC-0001", "INC-0001.2.1", 1)
    assert abs((await store.server_now() - job.created).total_seconds()) < 60
    assert await world.notes() == ["go", "effect.done"]
    assert outbox.counts["done"] == 1


async def test_effects_that_wait_since_before_the_first_start_are_performed(
    store: Store, redis_url: str
) -> None:
    world = World(store, redis_url, Say(text="hallo"))
    await world.want()
    async with running(world.outbox({"say": done}).run()):
        await until(world.empty)


async def test_what_may_work_later_is_tried_again(store: Store, redis_url: str) -> None:
    attempts: list[int] = []

    async def say(effect: Say, job: Job) -> Action:
        attempts.append(job.attempt)
        if job.attempt < 3:
            raise PortError("slack", "not now", retryable=True, retry_after=0.05)
        return EffectDone(kind="say")

    world = World(store, redis_url, Say(text="hallo"))
    outbox = world.outbox({"say": say})
    async with running(outbox.run()):
        await world.want()
        await until(world.empty)
    assert attempts == [1, 2, 3]
    assert outbox.counts["retried"] == 2
    assert await store.redis.hlen(f"{store.keys.waiting}:fields") == 0
    assert await world.notes("failure") == []


async def test_what_may_be_done_when_redis_goes_away_is_told_so_at_the_next_try(
    store: Store, redis_url: str
) -> None:
    """Whoever performs it again looks first whether it is there already."""
    attempts: list[int] = []

    async def say(effect: Say, job: Job) -> Action:
        attempts.append(job.attempt)
        if len(attempts) == 1:
            # It is said, but neither its record nor the request for another try gets through.
            await store.redis.execute_command("CLIENT", "PAUSE", 1500, "ALL")
            raise NotRecorded("Redis cannot be reached.")
        return EffectDone(kind="say")

    world = World(store, redis_url, Say(text="hallo"))
    async with running(world.outbox({"say": say}).run()):
        await world.want()
        await until(lambda: len(attempts) > 1)
        await until(world.empty)
    assert attempts[0] == 1
    assert min(attempts[1:]) > 1


async def test_what_slack_asks_to_wait_for_is_waited_for_and_survives_the_bot(
    store: Store, redis_url: str
) -> None:
    jobs: list[Job] = []

    async def say(effect: Say, job: Job) -> Action:
        jobs.append(job)
        if job.attempt == 1:
            raise PortError("slack", "not now", retryable=True, retry_after=600)
        return EffectDone(kind="say")

    async def waiting() -> bool:
        return await store.redis.zcard(store.keys.waiting) == 1

    world = World(store, redis_url, Say(text="hallo"))
    async with running(world.outbox({"say": say}).run()):
        await world.want()
        await until(waiting)
    ((id, due),) = await store.redis.zrange(store.keys.waiting, 0, -1, withscores=True)
    assert 300 < due / 1000 - (await store.server_now()).timestamp() <= 600
    due = ((await store.server_now()).timestamp() + 0.3) * 1000
    await store.redis.zadd(store.keys.waiting, {id: due})  # as if nearly all of it had passed
    async with running(world.outbox({"say": say}).run()):
        await until(world.empty)
    assert (await store.server_now()).timestamp() * 1000 >= due
    assert [job.attempt for job in jobs] == [1, 2]
    assert jobs[0].effect_id == jobs[1].effect_id
    assert jobs[0].created == jobs[1].created


async def test_it_gives_up_after_its_time_and_says_so(
    store: Store, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted from the first try: the waits alone never reach it."""
    monkeypatch.setattr("bot.outbox.worker.GIVE_UP_SECONDS", 0.5)
    monkeypatch.setattr("bot.outbox.worker.LONGEST_WAIT_SECONDS", 0.05)

    async def say(effect: Say, job: Job) -> Action:
        raise PortError("slack", "Slack is down", retryable=True)

    world = World(store, redis_url, Say(text="hallo"))
    outbox = world.outbox({"say": say})
    async with running(outbox.run()):
        await world.want()
        await until(world.empty)
    assert await world.notes("failure") == ["INC-0001.2.1 say: Slack is down"]
    assert outbox.counts["failed"] == 1
    assert outbox.counts["retried"] >= 1


async def test_what_can_never_work_fails_at_once(store: Store, redis_url: str) -> None:
    async def say(effect: Say, job: Job) -> Action:
        raise PortError("slack", "is_archived", retryable=False)

    world = World(store, redis_url, Say(text="hallo"), Page(key="sev1", text="x"))
    async with running(world.outbox({"say": say}).run()):
        await world.want()
        await until(world.empty)
    assert sorted(await world.notes("failure")) == [
        "INC-0001.2.1 say: is_archived",
        "INC-0001.2.2 page: this bot cannot do that",
    ]


async def test_a_fault_of_the_bot_is_tried_three_times_and_its_text_stays_out_of_the_log(
    store: Store, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    attempts: list[int] = []
    typed = "-".join(("xoxb", "secret"))

    async def say(effect: Say, job: Job) -> Action:
        attempts.append(job.attempt)
        raise KeyError(typed)

    world = World(store, redis_url, Say(text="hallo"))
    outbox = world.outbox({"say": say})
    async with running(outbox.run()):
        await world.want()
        await until(world.empty)
    assert attempts == [1, 2, 3]
    assert await world.notes("failure") == [
        "INC-0001.2.1 say: the bot failed (KeyError); its log says where"
    ]
    assert "INC-0001.2.1" in caplog.text
    assert "test_outbox.py" in caplog.text
    assert "xoxb" not in caplog.text


async def test_nothing_runs_longer_than_its_time(
    store: Store, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.outbox.worker.PERFORM_SECONDS", 0.1)
    attempts: list[int] = []

    async def say(effect: Say, job: Job) -> Action:
        attempts.append(job.attempt)
        if job.attempt == 1:
            await asyncio.Event().wait()
        return EffectDone(kind="say")

    world = World(store, redis_url, Say(text="hallo"))
    async with running(world.outbox({"say": say}).run()):
        await world.want()
        await until(world.empty)
    assert attempts == [1, 2]


async def test_each_outside_system_has_its_bound_and_none_waits_for_another(
    store: Store, redis_url: str
) -> None:
    at_once: dict[str, int] = {}
    most: dict[str, int] = {}
    go = asyncio.Event()

    def counting(system: str) -> Perform:
        async def perform(effect: Effect, job: Job) -> Action:
            at_once[system] = at_once.get(system, 0) + 1
            most[system] = max(most.get(system, 0), at_once[system])
            await go.wait()
            at_once[system] -= 1
            return EffectDone(kind=effect.type)

        return perform

    slow = [Say(text=str(i)) for i in range(5)] + [Page(key=str(i), text="x") for i in range(5)]
    world = World(store, redis_url, *slow, TellDiscord())
    performers = {
        "say": counting("slack"),
        "page": counting("slack"),
        "discord": counting("discord"),
    }
    async with running(world.outbox(performers, limits={"slack": 3}).run()):
        await world.want()
        await until(lambda: most.get("discord") == 1 and most.get("slack") == 3)
        go.set()
        await until(world.empty)
    assert most == {"slack": 3, "discord": 1}


async def test_what_cannot_be_decoded_is_set_aside_and_counted(
    store: Store, redis_url: str
) -> None:
    world = World(store, redis_url, Say(text="hallo"))
    outbox = world.outbox({"say": done})
    broken = [
        {
            "incident": "INC-0001",
            "id": "INC-0001.9.1",
            "created": "1",
            "effect": '{"type":"from.the.future"}',
        },
        {"incident": "INC-0001", "id": "INC-0001.9.2", "created": "x", "effect": '{"type":"pin"}'},
        {"strange": "entry"},
    ]
    async with running(outbox.run()):
        for fields in broken:
            await store.redis.xadd(store.keys.outbox, fields)
        await world.want()
        await until(world.empty)
        await until(lambda: outbox.counts["aside"] == 3)
    letters = await dead_letters(store)
    assert await dead_letter_count(store) == 3
    assert {(letter.effect_id, letter.reason) for letter in letters} == {
        ("INC-0001.9.1", "1 fields do not fit any effect of this version"),
        ("INC-0001.9.2", "a number is no number"),
        ("", "field 'effect' is missing"),
    }
    effects = [fields.get("effect") for _, fields in await store.redis.xrange(store.keys.aside)]
    assert '{"type":"from.the.future"}' in effects


async def test_a_refused_result_ends_the_effect_and_is_logged(
    store: Store, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    def more(draft: Draft, action: Action) -> Draft | Refused:
        if isinstance(action, EffectDone):
            return Refused("state", "the incident was cancelled")
        return wanting(Say(text="hallo"))(draft, action)

    world = World(store, redis_url, more=more)
    outbox = world.outbox({"say": done})
    async with running(outbox.run()):
        await world.want()
        await until(world.empty)
    assert outbox.counts["refused"] == 1
    assert "INC-0001.2.1 refused (state): the incident was cancelled" in caplog.text
    assert (await store.redis.xpending(store.keys.outbox, GROUP))["pending"] == 0


async def test_a_result_whose_claim_is_taken_is_worked_out_again(
    store: Store, redis_url: str
) -> None:
    def more(draft: Draft, action: Action) -> Draft | Refused:
        if isinstance(action, AddHypothesis):
            return draft.claim(action.says)
        return wanting(Say(text="hallo"))(draft, action)

    async def number(effect: Say, job: Job) -> Action:
        return AddHypothesis(by="bot", says=f"adr:here:{job.attempt}")

    await store.redis.set(store.keys.claim("adr:here:1"), "INC-0099")
    world = World(store, redis_url, more=more)
    async with running(world.outbox({"say": number}).run()):
        await world.want()
        await until(world.empty)
    assert await store.owner("adr:here:2") == "INC-0001"


async def test_a_rule_that_fails_on_a_result_does_not_hold_the_entry_for_ever(
    store: Store, redis_url: str
) -> None:
    def more(draft: Draft, action: Action) -> Draft | Refused:
        if isinstance(action, EffectDone | EffectFailed):
            raise AssertionError("a bug")
        return wanting(Say(text="hallo"))(draft, action)

    world = World(store, redis_url, more=more)
    outbox = world.outbox({"say": done})
    async with running(outbox.run()):
        await world.want()
        await until(world.empty)
    assert outbox.counts["crashed"] == 3
    assert [letter.effect_id for letter in await dead_letters(store)] == ["INC-0001.2.1"]


async def test_what_was_done_for_an_incident_that_is_lost_is_let_go(
    store: Store, redis_url: str
) -> None:
    """A fail-over may lose the newest incidents.

    Their effects, held by a worker, must not be said for ever.
    """

    async def lost(effect: Effect, job: Job) -> Action:
        await store.redis.delete(store.keys.incident(job.incident), store.keys.outbox)
        return await done(effect, job)

    world = World(store, redis_url, Say(text="hallo"))
    await world.want()
    outbox = world.outbox({"say": lost})
    async with running(outbox.run()):
        await until(lambda: outbox.counts["refused"] == 1)
