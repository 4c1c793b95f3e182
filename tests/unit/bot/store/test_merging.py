"""Several incidents change in one commit: all of them, or none, whoever writes meanwhile."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

from bot.config.catalogue import Catalogue
from bot.store.incident_store import Conflict, Store
from bot.store.incidents import Incidents
from handlers.dispatcher import Recorded
from phases.messages.commands import Declare, MergeDuplicates, PostUpdate, SplitOff
from phases.record.claims import fingerprint_claim
from phases.record.incident import Incident, Source, Status
from phases.record.service import Service
from phases.shared.change import Change, Refused
from phases.workflow import step

SERVICES = [Service(name=name) for name in ("shop", "search", "mail")]
IDS = ("INC-0001", "INC-0002", "INC-0003")


async def three(store: Store) -> Incidents:
    incidents = Incidents(store, step, Catalogue(SERVICES))
    for number, service in enumerate(SERVICES):
        declared = Declare(
            ulid=f"01JD{number:022d}",
            title=f"{service.name} is slow",
            service=service.name,
            environment="production",
            source=Source(kind="person", text="/incident"),
            by="U0ALICE",
            seeds=(f"4{number}",),
        )
        assert isinstance(await incidents.dispatch(declared, None), Recorded)
    return incidents


async def records(incidents: Incidents) -> list[Incident]:
    loaded = [await incidents.load(id) for id in IDS]
    return [incident for incident in loaded if incident is not None]


async def test_where_one_of_three_was_written_meanwhile_nothing_of_all_is(store: Store) -> None:
    incidents = await three(store)
    loaded = [await store.load(id) for id in IDS]
    read = [load.incident for load in loaded if load.incident is not None]
    action = MergeDuplicates(by="U0BOB", others=IDS[1:], records=tuple(read[1:]))
    change = step(read[0], action, SERVICES[0], datetime.now(UTC))
    assert isinstance(change, Change)
    await incidents.dispatch(PostUpdate(by="U0BOB", text="the disk is full"), IDS[2])
    before = [await store.load(id) for id in IDS]
    lines = [len(await store.timeline(id)) for id in IDS]
    answer = await store.commit(uuid4().hex, loaded[0], change, also=loaded[1:])
    assert isinstance(answer, Conflict)
    after = [await store.load(id) for id in IDS]
    assert [(load.version, load.incident) for load in after] == [
        (load.version, load.incident) for load in before
    ]
    assert [len(await store.timeline(id)) for id in IDS] == lines
    assert await store.owner(fingerprint_claim("41")) == IDS[1]

    # The dispatcher reads them anew, and then it is done once.
    merge = MergeDuplicates(by="U0BOB", others=(*IDS[1:], IDS[1]))
    assert isinstance(await incidents.dispatch(merge, IDS[0]), Recorded)
    original, *gone = await records(incidents)
    assert original.merged == IDS[1:]
    assert {duplicate.duplicate_of for duplicate in gone} == {IDS[0]}
    assert await store.owner(fingerprint_claim("41")) == IDS[0]
    texts = [entry.text for entry in await incidents.timeline(IDS[0])]
    assert texts.count("INC-0003: the disk is full") == 1
    assert isinstance(await incidents.dispatch(merge, IDS[0]), Refused), "once"


async def test_a_split_gives_claims_and_timeline_back_in_one_commit(store: Store) -> None:
    incidents = await three(store)
    await incidents.dispatch(MergeDuplicates(by="U0BOB", others=IDS[1:]), IDS[0])
    split = SplitOff(by="U0BOB", others=IDS[:1])
    assert isinstance(await incidents.dispatch(split, IDS[1]), Recorded)
    original, parted, stays = await records(incidents)
    assert (original.merged, parted.duplicate_of, stays.duplicate_of) == (IDS[2:], None, IDS[0])
    assert (parted.status, original.seeds) == (Status.DECIDING, ("40", "42"))
    assert await store.owner(fingerprint_claim("41")) == IDS[1]
    assert await store.owner(fingerprint_claim("42")) == IDS[0]
    assert await store.owner("open:search:production") == IDS[1]
    assert not any("INC-0002: " in entry.text for entry in await incidents.timeline(IDS[0]))
    assert isinstance(await incidents.dispatch(split, IDS[1]), Refused), "once"


async def test_merges_at_the_same_time_leave_each_duplicate_in_one_place(store: Store) -> None:
    incidents = await three(store)
    others = Incidents(store, step, Catalogue(SERVICES))
    await asyncio.gather(
        incidents.dispatch(MergeDuplicates(by="U0BOB", others=IDS[1:]), IDS[0]),
        others.dispatch(MergeDuplicates(by="U0ALICE", others=IDS[2:]), IDS[1]),
        others.dispatch(MergeDuplicates(by="U0ALICE", others=IDS[:1]), IDS[2]),
    )
    every = {record.id: record for record in await records(incidents)}
    assert any(record.open for record in every.values())
    for incident in every.values():
        direct = [id for id in incident.merged if every[id].duplicate_of == incident.id]
        assert len(set(incident.merged)) == len(incident.merged)
        for id in direct:
            assert not every[id].open
        if incident.duplicate_of is not None:
            assert incident.id in every[incident.duplicate_of].merged
            assert not incident.open
