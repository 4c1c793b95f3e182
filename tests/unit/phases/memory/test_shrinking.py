"""A month after its end a record is small, and still says how it went."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.store.incident_store import Loaded, Store
from bot.store.incidents import Incidents
from bot.store.past_incidents import RedisMemory
from bot.timers.scheduler import Clock
from handlers import views
from phases.memory.compaction import SHRINK, SHRINK_SECONDS, SHRUNK_LIMIT_BYTES, compacted
from phases.memory.steps import shrink_later
from phases.messages import actions as said
from phases.postmortem.adr import summary
from phases.postmortem.proofs import proofs
from phases.record.documents import ActionItem
from phases.record.durations import durations
from phases.record.incident import Entry, Incident, Status, as_json
from phases.record.service import Service
from phases.shared.change import Change, Draft, Timer
from phases.workflow import step
from tests.support.values import incidents
from tests.support.values.block_limits import incidents as any_incident
from tests.support.values.draws import draws
from tests.support.worlds.small_world import Names

MONTH = timedelta(seconds=SHRINK_SECONDS)
END = incidents.minute(600)
LONG = "The importer wrote accounts without a region, and nobody reads the total without one. " * 20


def closed() -> Incident:
    """As big as they come: everything was long."""
    items = tuple(
        ActionItem(kind="tests", text=f"{n} {LONG}"[:300], owner="<@UANN>", done=True)
        for n in range(25)
    )
    written = incidents.written(
        timeline=LONG, root_cause=LONG, monitoring=LONG, tests=LONG, items=items
    )
    return incidents.incident(
        status=Status.CLOSED,
        closed_at=END,
        resolved_at=END,
        description=LONG[:2000],
        postmortem=written,
    )


def test_it_says_what_it_said_before() -> None:
    big = closed()
    small = Incident.model_validate_json(as_json(compacted(big, END + MONTH)))
    assert len(as_json(small).encode()) <= SHRUNK_LIMIT_BYTES < len(as_json(big).encode())
    assert proofs(small) == proofs(big)
    assert durations(small) == durations(big)
    first, *rest = summary(big, incidents.NAMES).splitlines()
    # Of 25 items not all are kept.
    assert [first, *rest[:-1]] == summary(small, incidents.NAMES).splitlines()[:-1]
    assert (small.adr, small.ticket, small.status, small.lead) == (
        big.adr,
        big.ticket,
        big.status,
        big.lead,
    )
    assert "Over for a month" in str(views.status(small, END + MONTH, Service(name="shop")).blocks)


def test_what_never_began_does_not_take_the_place_of_what_was_done() -> None:
    """As where an incident was cancelled while a rollback waited."""
    done = closed().rounds[0]
    assert done.action is not None
    waiting = done.action.model_copy(update={"result": "waiting", "proof": None})
    second = done.model_copy(update={"number": 2, "action": waiting})
    big = closed().model_copy(update={"rounds": (done, second)})
    assert [round.number for round in compacted(big, END).rounds] == [1]


@settings(max_examples=draws(60), suppress_health_check=list(HealthCheck))
@given(any_incident(), st.sampled_from([Status.CLOSED, Status.CANCELLED]))
def test_it_is_small_whatever_was_written(incident: Incident, status: Status) -> None:
    small = compacted(incident.model_copy(update={"status": status}), END)
    assert len(as_json(small).encode()) <= SHRUNK_LIMIT_BYTES
    again = Incident.model_validate_json(as_json(small))
    assert (again.id, again.status, again.recovered_at, again.shrunk_at) == (
        incident.id,
        status,
        incident.recovered_at,
        END,
    )
    assert [p.complete for p in proofs(again)] == [p.complete for p in proofs(incident)]
    assert views.status(again, END, Service(name="shop")).blocks


def after(before: Incident, status: Status) -> Change:
    draft = Draft(before, END).set(status=status)
    shrink_later(draft)
    return draft.done()


def test_the_timer_is_set_at_the_end_and_taken_back_when_it_goes_on() -> None:
    before = incidents.incident(status=Status.RESOLVED)
    change = after(before, Status.CLOSED)
    assert change.timers == (Timer(SHRINK, END + MONTH, said.ShrinkDue()),)
    assert after(closed(), Status.CLOSED).timers == ()
    again = after(compacted(closed(), END), Status.DECIDING)
    assert again.cancels == (SHRINK,)
    assert again.incident.shrunk_at is None
    cancelled = step(
        incidents.incident(status=Status.DECIDING),
        said.Cancel(by="UANN", reason="a test"),
        Service(name="shop"),
        END,
    )
    assert isinstance(cancelled, Change)
    assert SHRINK in [timer.name for timer in cancelled.timers]


def test_only_what_is_over_becomes_small() -> None:
    for status in Status:
        incident = closed().model_copy(update={"status": status})
        answer = step(incident, said.ShrinkDue(), Service(name="shop"), END)
        assert isinstance(answer, Change)
        assert (answer.incident.shrunk_at is not None) == (
            status in (Status.CLOSED, Status.CANCELLED)
        )


async def test_the_clock_makes_it_small_and_the_memory_and_the_timeline_stay(store: Store):
    """Whoever sweeps, whenever: the timer is in Redis."""
    entry = Entry(at=END, kind="note", text=LONG[:2000])
    timer = Timer(SHRINK, END + MONTH, said.ShrinkDue())
    await store.commit(
        "c", Loaded(None, 0, datetime.now(UTC)), Change(closed(), entries=(entry,), timers=(timer,))
    )
    remembered = await RedisMemory(store).newest(None, 9)
    dispatcher = Incidents(store, step, Names())
    early = Clock(store, dispatcher, now=lambda: END + MONTH - timedelta(minutes=1))
    await early.sweep()
    assert early.counts["fired"] == 0
    clock = Clock(store, dispatcher, now=lambda: END + MONTH)
    await clock.sweep()
    assert clock.counts["fired"] == 1
    record = await store.redis.hget(store.keys.incident("INC-0042"), "record")
    assert record is not None
    assert len(record.encode()) <= SHRUNK_LIMIT_BYTES
    (stored,) = await store.timeline("INC-0042")
    assert (stored.at, stored.text) == (entry.at, entry.text)
    assert await RedisMemory(store).newest(None, 9) == remembered
    assert remembered[0].features == ("cart", "payment", "search")
