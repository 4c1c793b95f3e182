"""The form that corrects an entry of the timeline: only what was changed, and nobody's lost."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.store.incident_store import Store
from handlers.views.correction import told_apart, with_ids, with_names
from phases.coordination.corrections import earliest_time
from phases.messages.commands import MergeDuplicates, MessageTouched, PostUpdate, TakeLead
from phases.messages.results import MessageRead
from phases.record.incident import Incident
from phases.record.timeline import Shown, correction_note
from sandbox.slack.block_kit.blocks import elements, plain
from sandbox.slack.people import Person
from tests.support.bots.stage import ephemeral_with
from tests.support.worlds.handlers_world import House, house


@pytest.fixture
async def home(store: Store) -> AsyncIterator[House]:
    async with house(store) as opened:
        yield opened


async def page(home: House, person: Person, incident: Incident) -> dict[str, Any]:
    before = max((m["ts"] for m in person.ephemerals()), default="")
    await person.command(f"/incident timeline {incident.id}")
    return await ephemeral_with(person, f"*{incident.id}*", after=before)


async def which(home: House, person: Person, incident: Incident) -> dict[str, Any]:
    await person.click(await page(home, person, incident), "incident.correct")
    return await person.open_modal("incident.correct", text="Which entry is wrong?")


def choices(view: dict[str, Any]) -> list[str]:
    select = next(e for _, e in elements(view["blocks"]) if e["type"] == "static_select")
    return [option["text"]["text"] for option in select["options"]]


async def form(home: House, person: Person, incident: Incident, words: str) -> dict[str, Any]:
    """The form, opened on the entry that has these words."""
    view = await which(home, person, incident)
    (choice,) = [text for text in choices(view) if words in text]
    await person.choose(view, "incident.correct_entry", choice)
    return await person.open_modal("incident.correct", text="What happened?")


def filled(view: dict[str, Any], kind: str) -> Any:
    field = next(e for _, e in elements(view["blocks"]) if e["type"] == kind)
    return field.get("initial_value") or field.get("initial_date_time")


async def entry(home: House, incident: Incident, words: str) -> Shown:
    matches = [
        candidate
        for candidate in await home.dispatcher.timeline(incident.id)
        if words in candidate.text
    ]
    assert len(matches) == 1, matches
    return matches[0]


async def updated(home: House, text: str = "cards work again") -> Incident:
    incident, _ = await home.decision()
    return await home.dispatch(PostUpdate(by="U0BOB", text=text), incident.id)


async def test_words_and_time_are_corrected_and_the_page_shows_it(home: House) -> None:
    alice, incident = home.slack.alice, await updated(home)
    before = await entry(home, incident, "cards work again")
    view = await form(home, alice, incident, "cards work again")
    assert filled(view, "plain_text_input") == "cards work again"
    assert filled(view, "datetimepicker") == int(before.at.timestamp())
    earlier = int((before.at - timedelta(minutes=10)).timestamp()) // 60 * 60
    await alice.submit(view, {"text": "cards work for most", "at": earlier})
    assert alice.modal() is None
    after = await entry(home, incident, "cards work")
    assert (after.text, int(after.at.timestamp())) == ("cards work for most", earlier)
    assert after.by == "U0BOB", "whose update it is"
    assert "corrected by <@U0ALICE>" in correction_note(after)
    shown = plain(
        await ephemeral_with(alice, "Corrected. What was recorded first stays in the record.")
    )
    assert "cards work for most" in shown
    assert "“cards work again”" in shown
    record = await home.dispatcher.load(incident.id)
    assert record is not None
    assert record.latest_update == "cards work again", "what was posted"


async def test_what_was_not_touched_stays_to_the_second(home: House) -> None:
    alice, incident = home.slack.alice, await updated(home)
    before = await entry(home, incident, "cards work again")
    view = await form(home, alice, incident, "cards work again")
    # A picker knows minutes: a client may send its own value back without the seconds.
    minutes = int(before.at.timestamp()) // 60 * 60
    ack = await alice.submit(view, {"at": minutes})
    assert "Nothing is different" in json.dumps(ack.body)
    await alice.submit(view, {"text": "cards  work for most", "at": minutes})
    after = await entry(home, incident, "cards")
    assert (after.text, after.at) == ("cards  work for most", before.at)


async def test_a_time_that_cannot_be_is_said_under_the_time(home: House) -> None:
    alice, incident = home.slack.alice, await updated(home)
    view = await form(home, alice, incident, "cards work again")
    day = timedelta(days=1)
    for at, says in (
        (incident.declared_at + day, "has not come yet"),
        (earliest_time(incident) - day, "too long before it began"),
    ):
        ack = await alice.submit(view, {"at": int(at.timestamp())})
        assert says in json.dumps(ack.body)
        assert '"at"' in json.dumps(ack.body)
    assert not (await entry(home, incident, "cards work again")).corrections
    blank = await alice.submit(view, {"text": "   "})
    assert "Say what happened" in json.dumps(blank.body)


async def test_two_who_correct_the_same_words_at_once_see_each_other(home: House) -> None:
    alice, bob, incident = home.slack.alice, home.slack.bob, await updated(home)
    hers = await form(home, alice, incident, "cards work again")
    his = await form(home, bob, incident, "cards work again")
    await bob.submit(his, {"text": "cards work in the EU"})
    await alice.submit(hers, {"text": "cards work for most"})
    again = await alice.open_modal("incident.correct", text="Changed while you wrote")
    assert "cards work in the EU" in plain(again)
    assert filled(again, "plain_text_input") == "cards work for most"
    assert (await entry(home, incident, "cards work")).text == "cards work in the EU"
    await alice.submit(again)
    after = await entry(home, incident, "cards work")
    assert after.text == "cards work for most"
    assert [correction.text for correction in after.corrections] == [
        "cards work in the EU",
        "cards work for most",
    ]


async def test_one_corrects_the_words_another_the_time_and_both_stay(home: House) -> None:
    alice, bob, incident = home.slack.alice, home.slack.bob, await updated(home)
    hers = await form(home, alice, incident, "cards work again")
    his = await form(home, bob, incident, "cards work again")
    before = await entry(home, incident, "cards work again")
    earlier = int((before.at - timedelta(minutes=3)).timestamp())
    await bob.submit(his, {"at": earlier})
    await alice.submit(hers, {"text": "cards work for most"})
    after = await entry(home, incident, "cards work")
    assert (after.text, int(after.at.timestamp())) == ("cards work for most", earlier)


async def test_a_correction_is_taken_back(home: House) -> None:
    alice, incident = home.slack.alice, await updated(home)
    before = await entry(home, incident, "cards work again")
    view = await form(home, alice, incident, "cards work again")
    await alice.submit(view, {"text": "cards fail", "at": int(before.at.timestamp()) - 300})
    view = await form(home, alice, incident, "cards fail")
    assert "“cards work again”" in plain(view)
    await alice.submit(view, {"back": ["As it was recorded first"]})
    after = await entry(home, incident, "cards work again")
    assert (after.at, correction_note(after), len(after.corrections)) == (before.at, "", 2)
    view = await form(home, alice, incident, "cards work again")
    assert "Take it back" not in plain(view)


async def test_a_pin_that_is_taken_off_meanwhile_is_not_corrected(home: House) -> None:
    alice, incident = home.slack.alice, await updated(home)
    ts = "1767000000.000100"
    told_first = MessageTouched(ts=ts, event_ts="1767000001.000000", pinned=True)
    await home.dispatch(told_first, incident.id)
    read = MessageRead(
        ts=ts,
        event_ts="1767000001.000000",
        at=incident.declared_at,
        text="db-2 is full",
        by="U0BOB",
    )
    await home.dispatch(read, incident.id)
    view = await form(home, alice, incident, "db-2 is full")
    gone = MessageRead(
        ts=ts, event_ts="1767000002.000000", at=incident.declared_at, text="", by=None
    )
    await home.dispatch(gone, incident.id)
    await alice.submit(view, {"text": "db-3 is full"})
    await alice.open_modal(text="was taken back meanwhile. Nothing was changed.")
    assert "db-" not in str(await home.dispatcher.timeline(incident.id))


async def test_people_are_named_in_the_form_and_mentioned_in_the_record(home: House) -> None:
    alice, (incident, _) = home.slack.alice, await home.decision()
    await home.dispatch(TakeLead(by="U0ALICE", lead="U0BOB"), incident.id)
    view = await form(home, alice, incident, "leads")
    text = filled(view, "plain_text_input")
    assert "<@" not in text
    assert "@bob" in text
    await alice.submit(view, {"text": text + " since noon"})
    assert "<@U0BOB> leads" in (await entry(home, incident, "since noon")).text


@given(st.lists(st.sampled_from(["<@U0ANN>", "<@U0BOB>", "<@U0EVE>", "<@U0X>", " ", ",", "a@b"])))
def test_whoever_is_mentioned_is_mentioned_again(words: list[str]) -> None:
    text = " ".join(words)
    names = told_apart({"U0ANN": "Ann", "U0BOB": "Ann Lee", "U0EVE": "Eve", "U0X": "Eve"})
    assert with_ids(with_names(text, names), text, names) == text


async def test_the_choice_names_times_as_this_persons_clock_shows_them(home: House) -> None:
    alice = home.slack.alice
    home.slack.workspace.users["U0ALICE"]["tz_offset"] = 5 * 3600 + 1800
    incident = await updated(home)
    at = (await entry(home, incident, "cards work again")).at + timedelta(hours=5, minutes=30)
    assert f"{at:%H:%M} @bob: cards work again" in choices(await which(home, alice, incident))


async def test_an_entry_of_a_duplicate_is_corrected_in_its_own_record(home: House) -> None:
    alice, gone = home.slack.alice, await updated(home)
    await alice.command("/incident the search is slow")
    original = await home.newest()
    assert original.id != gone.id
    await home.dispatch(MergeDuplicates(by="U0ALICE", others=(gone.id,)), original.id)
    view = await form(home, alice, original, "cards work again")
    assert filled(view, "plain_text_input") == "cards work again"
    await alice.submit(view, {"text": "cards work for most"})
    assert (await entry(home, gone, "cards work")).text == "cards work for most"
    after = await entry(home, original, "cards work")
    assert after.text == f"{gone.id}: cards work for most"
