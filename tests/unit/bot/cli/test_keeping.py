"""`firebreak export`, `import` and `forget`.

Nothing is lost on the way, a second run changes nothing, and a person can be forgotten everywhere.
"""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.cli.export import export
from bot.cli.export_format import Unreadable, read
from bot.cli.forget import forget
from bot.cli.import_ import import_lines
from bot.connection.embedded import embedded
from bot.store.drafts import RedisDrafts
from bot.store.incident_store import Store
from bot.store.past_incidents import RedisMemory
from handlers.views.text import person, spoken
from phases.messages.actions import RetryDue
from phases.messages.effects import Invite, Say
from phases.postmortem.form_parts import Parts
from phases.record.claims import fingerprint_claim
from phases.record.incident import Entry, Incident, MessageRef, Status
from phases.shared.change import Timer
from phases.text.cleaning import FORGOTTEN
from tests.support.redis.keeping import past, put
from tests.support.redis.stores import dump
from tests.support.values import incidents
from tests.support.values.draws import draws
from tests.support.values.factories import report

T0 = incidents.T0


async def exported(
    store: Store,
    *ids: str,
    since: date | None = None,
    until: date | None = None,
    private: bool = True,
) -> list[str]:
    out = io.StringIO()
    await export(store, ids, since, until, private=private, out=out)
    return out.getvalue().splitlines()


@pytest.fixture
async def other(tmp_path: Path) -> AsyncIterator[Store]:
    async with embedded(tmp_path / "other") as url:
        store = Store.open(url)
        yield store
        await store.close()


async def test_what_is_exported_here_is_the_same_when_it_is_exported_there(
    store: Store, other: Store
):
    pinned = Entry(at=T0, kind="pin", text="look at <#C1>", by="UANN", ref="message:1.1")
    taken = Entry(at=T0, kind="pin", text="a slip", by="UANN", ref="message:1.2")
    await put(store, past(1), *incidents.entries(), pinned, taken)
    await put(store, past(2, private=True, service="search"), *incidents.entries())
    timer = Timer("retry", T0 + timedelta(days=9), RetryDue(effect_id="x"))
    await put(store, past(3), timers=(timer,))
    await put(store, past(4, status=Status.DECIDING, recovered_at=None), timers=(timer,))
    lines = await exported(store)
    assert [json.loads(line)["id"] for line in lines] == [
        "INC-0001",
        "INC-0002",
        "INC-0003",
        "INC-0004",
    ]
    assert [json.loads(line)["private"] for line in lines] == [False, True, False, False]
    assert len(json.loads(lines[0])["proofs"]) == 6

    output = io.StringIO()
    assert await import_lines(other, lines, output) == 0
    assert "imported: 4; here already: 0; lines not imported: 0" in output.getvalue()
    assert "line 4: INC-0004 is open" in output.getvalue()
    left = [json.loads(line) for line in await exported(other)]
    open_one = json.loads(lines[3])
    assert left == [*(json.loads(line) for line in lines[:3]), {**open_one, "timers": []}]
    for id in ("INC-0001", "INC-0002"):
        assert await other.timeline(id) == await store.timeline(id)
        assert await other.get([id]) == await store.get([id])
    assert await RedisMemory(other).newest(None, 9) == await RedisMemory(store).newest(None, 9)
    assert await other.ids("open") == ["INC-0004"]
    assert await other.owner("open:shop:production") == "INC-0004"

    before = await dump(other)
    assert await import_lines(other, lines, output) == 0
    assert "imported: 0; here already: 4" in output.getvalue()
    assert await dump(other) == before


async def test_an_open_incident_goes_on_in_its_new_place_and_its_live_messages_are_updated(
    store: Store, other: Store
):
    timer = Timer("update", T0 + timedelta(days=9), RetryDue(effect_id="x"))
    messages = {"status": MessageRef(channel="C1", ts="1.1")}
    await put(
        store,
        past(1, status=Status.DECIDING, recovered_at=None, messages=messages),
        timers=(timer,),
    )
    lines = await exported(store)
    output = io.StringIO()
    assert await import_lines(other, lines, output) == 0
    assert "timers left out: update" in output.getvalue()
    assert "--go-on" in output.getvalue()
    assert await other.redis.zcard(other.keys.timers) == 0
    await other.redis.flushall()

    assert await import_lines(other, lines, output, go_on=True) == 0
    assert "goes on here (timers: update)" in output.getvalue()
    assert await exported(other) == lines
    assert await other.redis.zrange(other.keys.marks, 0, -1) == ["INC-0001|status"]
    assert not await other.redis.keys("*:commit:*")  # nothing that would be gone a moment later
    before = await dump(other)
    assert await import_lines(other, lines, output, go_on=True) == 0
    assert await dump(other) == before


async def test_only_some_are_exported(store: Store):
    for number, days in ((1, 0), (2, 10), (3, 20)):
        await put(store, past(number, detected_at=T0 + timedelta(days=days), private=number == 2))
    day = T0.date()

    async def ids(*only: str, **which: Any) -> list[str]:
        return [json.loads(line)["id"][-1] for line in await exported(store, *only, **which)]

    assert await ids("INC-0003", "INC-0009") == ["3"]
    assert await ids(since=day + timedelta(days=10)) == ["2", "3"]
    assert await ids(until=day + timedelta(days=10), private=False) == ["1"]


async def test_no_secret_and_no_address_leaves_the_house(store: Store):
    words = "xoxb-12345678-abcdefgh of bob@example.com, running shop@1.3.0, password=hunter2"
    await put(
        store, past(1, title="it fails", description=words), Entry(at=T0, kind="note", text=words)
    )
    (line,) = await exported(store)
    for hidden in ("xoxb", "example.com", "hunter2"):
        assert hidden not in line
    assert "shop@1.3.0" in line
    read(line)


async def test_each_bad_line_is_named_and_the_good_ones_are_taken(store: Store, other: Store):
    await put(store, past(1))
    await put(store, past(2))
    first, second = await exported(store)
    wrong = json.loads(second)
    wrong["incident"]["number"] = 7
    odd = json.loads(second)
    odd["timeline"] = [{"at": "yesterday", "kind": "note", "text": ""}]
    later = json.dumps({**json.loads(second), "firebreak": 2})
    lines = ["{", first, "[]", json.dumps(wrong), "", json.dumps(odd), later, second]
    output = io.StringIO()
    assert await import_lines(other, lines, output) == 1
    messages = output.getvalue().splitlines()
    assert [message.split(":")[0] for message in messages[:-1]] == [
        "line 1",
        "line 3",
        "line 4",
        "line 6",
        "line 7",
    ]
    assert "at: input should be a valid datetime" in messages[3]
    assert messages[-1] == "Incidents imported: 2; here already: 0; lines not imported: 5."


async def test_another_incident_of_the_same_number_is_left_as_it_is(store: Store, other: Store):
    await put(store, past(1))
    await put(other, past(1, ulid="01JD00000000000000000OTHER", title="not this one"))
    output = io.StringIO()
    assert await import_lines(other, await exported(store), output) == 1
    assert "line 1: not imported: INC-0001 is another incident here." in output.getvalue()
    assert [incident.title for incident in await other.get(["INC-0001"])] == ["not this one"]


async def test_a_service_that_burns_here_keeps_its_incident(store: Store, other: Store):
    await put(store, past(1, status=Status.DECIDING))
    await other.redis.set(other.keys.claim("open:shop:production"), "INC-0009")
    output = io.StringIO()
    assert await import_lines(other, await exported(store), output) == 1
    assert "INC-0009 is open here on shop (production), too" in output.getvalue()
    assert await other.get(["INC-0001"]) == []


async def test_what_was_open_beside_each_other_is_so_again(store: Store, other: Store):
    """A drill and a private incident hold nothing.

    "something else" shares the issues of an earlier incident.
    """
    measured = {"status": Status.DECIDING, "recovered_at": None, "triage": report()}
    await put(store, past(1, **measured))
    await put(store, past(2, **measured, else_reason="INC-0001"))
    await put(store, past(3, **measured, private=True))
    await put(store, past(4, **measured, drill=True))
    assert await import_lines(other, await exported(store), io.StringIO()) == 0
    assert [incident.id for incident in await other.get([f"INC-000{n}" for n in (1, 2, 3, 4)])] == [
        *("INC-0001", "INC-0002", "INC-0003", "INC-0004")
    ]
    assert await other.redis.get(other.keys.claim("open:shop:production")) == "INC-0001"
    issue = report().issue_ids[0]
    assert await other.redis.get(other.keys.claim(fingerprint_claim(issue))) == "INC-0001"
    await other.redis.flushall()
    assert await import_lines(other, [(await exported(store))[2]], io.StringIO()) == 0
    assert await other.redis.get(other.keys.claim("open:shop:production")) is None, (
        "nobody runs into a private one"
    )


@settings(
    max_examples=draws(50),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    st.text(max_size=200)
    | st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda children: st.dictionaries(
            st.sampled_from(["firebreak", "incident", "timeline", "memory", "timers", "id"]),
            children,
        ),
    ).map(json.dumps)
)
def test_no_line_breaks_the_import(text: str):
    with pytest.raises(Unreadable):
        read(text)


# --- forget ---------------------------------------------------------------------------------------

ANN, BOB = "U0ANN0001", "U0BOB0001"


async def test_a_person_is_forgotten_everywhere_and_nobody_else(store: Store):
    note = Entry(
        at=T0,
        kind="note",
        text=f"<@{ANN}|ann> and <@{BOB}> say:\n{ANN}0 is no person, Ann Lee is",
        by=ANN,
    )
    pin = Entry(at=T0, kind="pin", text="x", by=ANN, ref="message:1.1")
    incident = past(1, lead=ANN, declared_by=BOB, invited=(ANN, BOB), cause=None)
    wanted = (Invite(people=(ANN, BOB)), Say(text=f"<@{ANN}> leads"))
    await put(store, incident, note, pin, effects=wanted)
    parts = Parts(
        timeline=f"<@{ANN}> came", root_cause="", monitoring="", tests="", items=(), revisit=""
    )
    for who in (ANN, BOB):
        await RedisDrafts(store).keep("INC-0001", who, parts, T0, writing=True)
    await store.redis.set(f"{{fb}}:delivery:C1:1.1:message:{ANN}", "INC-0001", ex=900)
    version = await store.redis.hget(store.keys.incident("INC-0001"), "version")

    output = io.StringIO()
    assert await forget(store, ANN, ["Ann Lee"], output) == 0
    for line in (
        "records: 1 changed",
        "timelines: 2 changed",
        "drafts: 2 changed",
        "what waits to be done: 2 changed",
    ):
        assert line in output.getvalue()
    left = json.dumps({key: str(value) for key, value in (await dump(store)).items()})
    assert f'{ANN}"' not in left
    assert f"{ANN}>" not in left
    assert "Ann Lee" not in left
    assert f"{ANN}0 is no person" in left, "a longer id is another one"
    assert left.count(BOB) >= 4
    (now,) = await store.get(["INC-0001"])
    assert (now.lead, now.declared_by, now.invited) == (FORGOTTEN, BOB, (FORGOTTEN, BOB))
    assert now == Incident.model_validate_json(incident.model_dump_json().replace(ANN, FORGOTTEN))
    assert await store.redis.hget(store.keys.incident("INC-0001"), "version") != version, (
        "who has read it reads it again"
    )
    assert await store.redis.ttl(f"{{fb}}:delivery:C1:1.1:message:{FORGOTTEN}") > 0

    before = await dump(store)
    output = io.StringIO()
    assert await forget(store, ANN, ["Ann Lee"], output) == 0
    assert output.getvalue() == f"{ANN} stands nowhere: nothing was changed.\n"
    assert await dump(store) == before


async def test_who_was_forgotten_does_not_come_back_with_an_import(store: Store):
    await put(store, past(1, lead=ANN))
    lines = await exported(store)
    await forget(store, ANN, [], io.StringIO())
    assert await import_lines(store, lines, io.StringIO()) == 0
    assert [incident.lead for incident in await store.get(["INC-0001"])] == [FORGOTTEN]


def test_somebody_is_said_of_who_was_forgotten():
    assert person(FORGOTTEN) == "somebody"
    assert spoken(f"<@{FORGOTTEN}> leads; <@{BOB}> helps") == f"somebody leads; <@{BOB}> helps"
