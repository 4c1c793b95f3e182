"""What comes at once for one incident: who goes first, and what needs no commit at all."""

from __future__ import annotations

import asyncio

from bot.outbox.stream import Queue
from bot.store.incident_store import Answer, Done, Loaded, Store
from bot.store.incidents import Incidents
from handlers.dispatcher import Delivery, EffectEnded, Recorded, Trigger
from phases.messages.base import Action
from phases.messages.commands import PostUpdate
from phases.messages.effects import Say
from phases.messages.results import EffectDone, MessagePosted
from phases.record.incident import MessageRef
from phases.shared.change import Draft
from tests.support.worlds.small_world import declare, dispatcher, update

ID = "INC-0001"
DONE = EffectDone(kind="say")
POSTED = MessagePosted(name="status", ref=MessageRef(channel="C1", ts="1.0"))


def quiet(draft: Draft, action: Action) -> Draft:
    """Updates want a sentence; its end is noted only where the update is called `told`."""
    if isinstance(action, PostUpdate):
        return draft.want(Say(text=action.text))
    if isinstance(action, EffectDone) and draft.before.latest_update != "told":
        return Draft(draft.before, draft.now)
    return draft


async def notes(incidents: Incidents) -> list[str]:
    return [entry.text for entry in await incidents.timeline(ID) if entry.kind == "note"]


async def held(store: Store) -> list[str]:
    queue = Queue(store, "here")
    await queue.ensure_group()
    return [held.entry for held in await queue.read(store.redis, 10, 1)]


async def wanted(store: Store, incidents: Incidents) -> str:
    """Open an incident with one effect, and return its entry as a worker holds it."""
    assert isinstance(await incidents.dispatch(declare(), None), Recorded)
    assert isinstance(await incidents.dispatch(update("go"), ID), Recorded)
    (entry,) = await held(store)
    return entry


async def test_an_effect_whose_result_changes_nothing_ends_without_a_commit(store: Store) -> None:
    incidents = dispatcher(store, quiet)
    entry = await wanted(store, incidents)
    answer = await incidents.dispatch(DONE, ID, EffectEnded(entry))
    assert isinstance(answer, Recorded)
    assert not answer.again
    assert (await store.load(ID)).version == 2
    assert await store.redis.xlen(store.keys.outbox) == 0
    again = await incidents.dispatch(DONE, ID, EffectEnded(entry))
    assert isinstance(again, Recorded)
    assert again.again


async def test_whether_it_changes_nothing_is_judged_by_the_newest_record(
    store: Store, redis_url: str
) -> None:
    incidents, other = dispatcher(store, quiet), Store.open(redis_url)
    entry = await wanted(store, incidents)
    assert isinstance(await dispatcher(other, quiet).dispatch(update("told"), ID), Recorded)
    assert isinstance(await incidents.dispatch(DONE, ID, EffectEnded(entry)), Recorded)
    assert await notes(incidents) == ["go", "told", "effect.done"]
    assert len(await held(store)) == 1, "that of the second update; the first one has ended"
    await other.close()


async def test_people_and_what_they_wait_for_go_before_housekeeping(store: Store) -> None:
    incidents = dispatcher(store)
    assert isinstance(await incidents.dispatch(declare(), None), Recorded)
    at_once: list[tuple[Action, Trigger | None]] = [
        (DONE, None),
        (update("timer"), None),
        (POSTED, None),
        (update("a"), Delivery(("a",))),
        (update("b"), Delivery(("b",))),
    ]
    answers = await asyncio.gather(
        *(incidents.dispatch(action, ID, trigger) for action, trigger in at_once)
    )
    assert all(isinstance(answer, Recorded) for answer in answers)
    assert await notes(incidents) == ["effect.done", "message.posted", "a", "b", "timer"]


class Late(Store):
    """Its next read is answered once `late` is set; it keeps the answers to its commits."""

    late: asyncio.Event | None = None
    has_read: asyncio.Event
    answers: tuple[Answer, ...] = ()

    async def load(self, incident: str | None, trigger: Trigger | None = None) -> Loaded:
        late, self.late = self.late, None
        loaded = await super().load(incident, trigger)
        if late is not None:
            self.has_read.set()
            await late.wait()
        return loaded

    async def commit(self, *given: object, **more: object) -> Answer:
        answer = await super().commit(*given, **more)  # pyright: ignore[reportArgumentType]
        self.answers += (answer,)
        return answer


async def test_a_record_that_was_on_its_way_while_a_newer_one_was_written_serves_no_step(
    redis_url: str,
) -> None:
    slow = Late.open(redis_url)
    incidents = dispatcher(slow)
    assert isinstance(await incidents.dispatch(declare(), None), Recorded)
    late = slow.late = asyncio.Event()
    slow.has_read = asyncio.Event()
    reading = asyncio.create_task(incidents.load(ID))
    await slow.has_read.wait()
    assert isinstance(await incidents.dispatch(update("x"), ID), Recorded)
    late.set()
    old = await reading
    assert old is not None
    assert old.latest_update is None
    assert isinstance(await incidents.dispatch(update("y"), ID), Recorded)
    assert slow.answers == (Done(1), Done(2), Done(3)), "none was a conflict"
    await slow.close()
