"""The short record always says what the record says, whoever wrote that."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import date
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.cli.export import export
from bot.cli.forget import forget
from bot.cli.import_ import import_lines
from bot.config.catalogue import Catalogue
from bot.connection.client import connect
from bot.connection.embedded import embedded
from bot.store import short_records as kept
from bot.store.incident_store import Done, Store
from bot.store.incidents import Incidents
from bot.store.short_records import READ, short_records
from handlers.dispatcher import Recorded
from phases.coordination.short_records import Index, mine_first, short_record, worse_first
from phases.messages import actions as said
from phases.record.documents import ActionItem, Adr
from phases.record.findings import Look, LookVerdict
from phases.record.incident import Channel, Incident, Severity, Status
from phases.record.service import Service
from phases.shared.change import Draft
from phases.workflow import step
from tests.support.redis.older import OlderStore
from tests.support.redis.stores import commit, new
from tests.support.values.factories import declare, incident, postmortem, report
from tests.support.worlds.small_world import T0

INDEXES: tuple[Index, ...] = get_args(Index)
ALICE, BOB = "U0ALICE01", "U0BOB0001"
PATIENCE = 60.0
"""A busy machine is no slow Redis."""


async def behind(store: Store, index: Index = "open") -> list[str]:
    """Return the incidents whose short record has to be made anew."""
    return (await store.run(READ, index=index, limit=1_000))[2]


async def checked(store: Store) -> None:
    """Every list says what the records say, and is made anew once at most."""
    for index in INDEXES:
        records = await store.get(await store.ids(index))
        assert await short_records(store, index) == [short_record(record) for record in records]
        assert await behind(store, index) == []


async def test_lists_are_newest_first_over_any_number_of_answers(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await short_records(store, "open") == []
    for number in range(1, 6):
        assert await commit(store, new(number), f"c{number}") == Done(1)
    for at_once in (1, 2, 5, 6):
        monkeypatch.setattr(kept, "AT_ONCE", at_once)
        assert [record.number for record in await short_records(store, "open")] == [5, 4, 3, 2, 1]
    assert await behind(store) == [], "the commit keeps them"


async def test_what_an_older_release_wrote_is_made_anew_once(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "TOGETHER", 2)
    older = OlderStore(store.redis)
    for number in range(1, 6):
        await commit(older, new(number), f"c{number}")
    assert len(await behind(store)) == 5
    await checked(store)
    await commit(older, Draft((await store.get(["INC-0003"]))[0], T0).set(lead=BOB), "c6")
    assert await behind(store) == ["INC-0003"], "it changed one that had its short record"
    assert (await short_records(store, "open"))[2].lead == BOB
    await checked(store)


async def test_one_that_was_read_before_another_commit_is_not_kept(store: Store) -> None:
    await commit(store, new())
    record = short_record((await store.get(["INC-0001"]))[0])
    await store.run(kept.KEEP, incidents=["INC-0001"], versions=[7], records=['[7,"stale"]'])
    assert await short_records(store, "open") == [record]


@pytest.mark.parametrize("change", [lambda row: row[:-1], lambda row: [*row, "of tomorrow"]])
async def test_rows_of_other_releases_are_read(
    store: Store, change: Callable[[list[Any]], list[Any]]
) -> None:
    await commit(store, new())
    name = store.keys.incident("INC-0001")
    row = json.loads(str(await store.redis.hget(name, "short")))  # pyright: ignore[reportGeneralTypeIssues]
    await store.redis.hset(name, "short", json.dumps(change(row), separators=(",", ":")))  # pyright: ignore[reportGeneralTypeIssues]
    await checked(store)


async def test_a_record_that_cannot_be_read_is_left_out(store: Store) -> None:
    await commit(store, new())
    await commit(store, new(2), "c2")
    await store.redis.hset(store.keys.incident("INC-0001"), mapping={"version": 2, "record": "{}"})  # pyright: ignore[reportGeneralTypeIssues]
    assert [record.id for record in await short_records(store, "open")] == ["INC-0002"]


def test_theirs_come_first_then_the_worse_then_the_newer() -> None:
    def open_incident(number: int, severity: int | None, **fields: Any) -> Incident:
        given = {"lead": None, "declared_by": None, "service": "shop"}
        worth = Severity(severity) if severity else None
        more = {"id": f"INC-{number:04d}", "number": number, "severity": worth}
        return incident(**{**given, **more, **fields})

    every = [
        open_incident(1, 2, service="search"),
        open_incident(2, 4, lead=ALICE),
        open_incident(3, 1),
        open_incident(4, 3),
        open_incident(5, 3),
        open_incident(6, None, declared_by=ALICE),
        open_incident(7, 1, status=Status.MITIGATED, lead=ALICE),
    ]
    burning, owing = mine_first(worse_first(map(short_record, every)), ALICE, ["search"])
    assert [record.number for record in burning] == [1, 6, 2, 3, 5, 4]
    assert [record.number for record in owing] == [7]


# --- after any sequence of actions ----------------------------------------------------------------

SERVICES = Catalogue((Service(name="shop"), Service(name="search")))
WHO = st.sampled_from([ALICE, BOB])
ITEMS = st.lists(
    st.builds(
        ActionItem,
        kind=st.sampled_from(["tests", "gates"]),
        text=st.just("x"),
        owner=st.sampled_from(["", f"<@{ALICE}>", f"<@{BOB}|bob>", "the team"]),
        due=st.sampled_from([None, date(2026, 12, 24)]),
    ),
    min_size=1,
    max_size=3,
)


@dataclass(frozen=True)
class Next:
    """What usually comes next in a life, so that lives come to their end."""

    items: Sequence[ActionItem]

    def actions(self, record: Incident) -> list[said.Action]:
        number = record.round.number if record.round else 1
        written = postmortem(items=tuple(self.items))
        match record.status:
            case Status.DECLARED:
                channel = Channel(id=f"C{record.number}", name="inc")
                return [said.ChannelOpened(channel=channel), said.Triaged(report=report())]
            case Status.DECIDING:
                return [said.DecideFixed(by=BOB, round=number, sentence="flag off")]
            case Status.VERIFYING:
                look = Look(number=1, at=record.declared_at, verdict=LookVerdict.RECOVERED)
                return [said.Looked(round=number, look=look)]
            case Status.MITIGATED:
                return [
                    said.SubmitPostmortem(postmortem=written),
                    said.AdrNumbered(repository="/srv/adr", number=record.number),
                    said.AdrWritten(adr=Adr(number=record.number, path="docs/adr/1.md")),
                    said.Resolve(by=BOB),
                ]
            case _:
                return [said.MarkItem(by=BOB, number=1, done=True)]


@dataclass(frozen=True)
class Forget:
    person: str


@dataclass(frozen=True)
class Moved:
    """Everything is exported and imported into an empty Redis."""


WORDS = st.one_of(
    st.builds(said.TakeLead, by=WHO, lead=WHO),
    st.builds(said.SetSeverity, by=WHO, severity=st.sampled_from(Severity)),
    st.builds(said.NameCause, by=WHO, text=st.just("tax table empty")),
    st.builds(said.MarkItem, by=WHO, number=st.integers(1, 3), done=st.booleans()),
    st.builds(said.Cancel, by=WHO, reason=st.just("load test")),
    st.builds(said.Reopen, by=WHO),
    st.builds(said.ChannelArchived, channel=st.sampled_from(["C1", "C2"]), by=WHO),
    st.builds(said.SplitOff, by=WHO, others=st.sampled_from([("INC-0001",), ("INC-0002",)])),
    st.builds(
        said.MergeDuplicates,
        by=WHO,
        others=st.sampled_from([("INC-0001",), ("INC-0002",), ("INC-0001", "INC-0003")]),
    ),
)
DECLARED = st.builds(
    lambda service, private, drill, by: declare(
        service=service, private=private, drill=drill, by=by
    ),
    st.sampled_from(["shop", "search"]),
    st.booleans(),
    st.booleans(),
    WHO,
)
DONE = st.one_of(
    st.tuples(st.just(0), DECLARED, st.booleans()),
    st.tuples(st.integers(1, 4), st.builds(Next, ITEMS), st.booleans()),
    st.tuples(st.integers(1, 4), st.builds(Next, ITEMS), st.booleans()),
    st.tuples(st.integers(1, 4), WORDS, st.booleans()),
    st.tuples(st.just(0), st.builds(Forget, WHO) | st.builds(Moved), st.just(False)),
)
"""On which incident, what, and by an older release."""


class Place:
    """A Valkey, with a bot of this release and one of an older release on it."""

    def __init__(self, runner: asyncio.Runner, store: Store) -> None:
        self.runner, self.store = runner, store
        self.bots = [
            Incidents(each_store, step, SERVICES) for each_store in (store, OlderStore(store.redis))
        ]
        self.met: set[str] = set()
        self.declared = 0

    async def life(self, words: Sequence[tuple[int, Any, bool]]) -> None:
        await self.store.redis.flushall()
        only_this = True
        for number, what, older in words:
            only_this = only_this and not older and not isinstance(what, Forget)
            await self.act(number, what, self.bots[older])
            if only_this:
                assert [await behind(self.store, index) for index in INDEXES] == [[], []]
            await checked(self.store)
            self.met |= {
                record.status for record in await self.store.get(await self.store.ids("all"))
            }

    async def act(self, number: int, what: Any, bot: Incidents) -> None:
        id = f"INC-{number:04d}" if number else None
        if isinstance(what, Forget):
            await forget(self.store, what.person, [], io.StringIO())
        elif isinstance(what, Moved):
            out = io.StringIO()
            await export(self.store, (), None, None, private=True, out=out)
            await self.store.redis.flushall()
            await import_lines(self.store, out.getvalue().splitlines(), io.StringIO(), go_on=True)
        elif isinstance(what, Next):
            if (record := await bot.load(id or "")) is not None:
                for action in what.actions(record):
                    await bot.dispatch(action, id)
        else:
            if id is None:
                self.declared += 1
                what = what.model_copy(update={"ulid": f"01JD{self.declared:022d}"})
            answer = await bot.dispatch(what, id)
            if isinstance(answer, Recorded) and answer.incident.merged:
                self.met.add("merged")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    stack = AsyncExitStack()

    async def opened() -> Place:
        url = await stack.enter_async_context(embedded(tmp_path_factory.mktemp("short")))
        store = Store(connect(url, read_seconds=PATIENCE))
        stack.push_async_callback(store.close)
        await store.redis.config_set("appendfsync", "no")  # pyright: ignore[reportGeneralTypeIssues]
        return Place(runner, store)

    with asyncio.Runner() as runner:
        yield runner.run(opened())
        runner.run(stack.aclose())


@settings(max_examples=30, deadline=None)
@given(words=st.lists(DONE, min_size=4, max_size=14))
def test_after_any_sequence_of_actions_it_says_what_the_record_says(
    place: Place, words: list[tuple[int, Any, bool]]
) -> None:
    first = (0, declare(service="shop", by=ALICE), False)
    place.runner.run(place.life([first, *words]))


def test_the_lives_above_are_whole_ones(place: Place) -> None:
    """From the declaration to the end, and two that become one."""
    words: list[tuple[int, Any, bool]] = [
        (0, declare(service="shop", by=ALICE), False),
        (0, declare(service="search", by=ALICE), True),
        (1, said.MergeDuplicates(by=BOB, others=("INC-0002",)), False),
        *[(1, Next([ActionItem(kind="tests", text="x", owner=f"<@{BOB}>")]), False)] * 6,
    ]
    place.met.clear()
    place.runner.run(place.life(words))
    assert place.met >= {*Status} - {Status.MITIGATING} | {"merged"}, place.met
