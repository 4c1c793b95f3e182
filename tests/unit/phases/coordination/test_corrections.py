"""Corrections of the timeline.

What was recorded stays; what is shown follows the newest correction of words and of time; nothing
that was taken back comes back with a correction, and rules go by what was recorded.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.cli import export_format
from bot.store.incident_store import Store
from handlers.views.timeline import timeline
from phases.coordination.corrections import LONGEST_BEFORE, earliest_time
from phases.coordination.duplicates import joined_entry
from phases.coordination.ticket import catch_up_text
from phases.messages.commands import CorrectEntry
from phases.messages.effects import MendAdr
from phases.record.documents import Adr
from phases.record.incident import Entry, Incident
from phases.record.timeline import (
    CORRECTION,
    Shown,
    as_recorded,
    author_words,
    correction_note,
    correction_ref,
    entry_stub,
    shown_timeline,
)
from phases.shared.change import Change, Refused
from phases.workflow import step
from tests.support.bots.story import Story, verifying
from tests.support.values.factories import NOW, incident, service

ALICE, BOB = "U0ALICE", "U0BOB"
PIN = "message:1767000000.000100"


def at(minute: int) -> datetime:
    return NOW + timedelta(minutes=minute)


def entry(text: str, minute: int = 0, **more: str) -> Entry:
    return Entry(**{"at": at(minute), "kind": "note", "text": text, "by": ALICE, **more})


def correction(of: str, text: str = "", to: datetime | None = None, by: str = BOB) -> Entry:
    ref = correction_ref(of) if text else None
    return Entry(at=NOW, kind="correction", text=text, by=by, corrects=of, moved_to=to, ref=ref)


class History:
    """The list and the words beside it, as Redis has them."""

    def __init__(self, *entries: Entry) -> None:
        self.entries: list[Entry] = []
        self.words: dict[str, Entry] = {}
        for each in entries:
            self.add(each)

    def add(self, added: Entry) -> None:
        self.entries.append(entry_stub(added))
        if added.ref:
            self.words[added.ref] = added
        if added.hides:
            for ref in (added.hides, CORRECTION + added.hides):
                self.words.pop(ref, None)

    @property
    def shows(self) -> list[Shown]:
        return shown_timeline(self.entries, self.words)


def test_a_correction_is_shown_in_its_place_and_says_what_it_was() -> None:
    history = History(entry("rolled back", 5), entry("users are fine", 3))
    history.add(correction("1", "users were fine", at(9)))
    first, second = history.shows
    assert (first.text, second.text, second.at) == ("rolled back", "users were fine", at(9))
    assert (
        correction_note(second)
        == "corrected by <@U0BOB>: was 2026-11-22 03:05 UTC “users are fine”"
    )
    assert correction_note(first) == ""
    assert as_recorded(second) == history.entries[1], "the record keeps both"


def test_one_of_the_words_and_one_of_the_time_both_stay_in_either_order() -> None:
    words, time = correction("0", "at noon"), correction("0", to=at(4), by="U0CAROL")
    for some in ((words, time), (time, words)):
        (shown,) = History(entry("at one"), *some).shows
        assert (shown.text, shown.at) == ("at noon", at(4))
        assert "<@U0BOB>" in correction_note(shown)
        assert "<@U0CAROL>" in correction_note(shown)


def test_a_correction_is_corrected_and_taken_back() -> None:
    history = History(entry("v41 is up"))
    history.add(correction("0", "v42 is up", at(2)))
    history.add(correction("0", "v43 is up", by="U0CAROL"))
    (shown,) = history.shows
    assert (shown.text, shown.at) == ("v43 is up", at(2))
    history.add(correction("0", "v41 is up", at(0), by="U0CAROL"))
    (shown,) = history.shows
    assert (shown.text, shown.at, correction_note(shown)) == ("v41 is up", at(0), "")
    assert len(shown.corrections) == 3, "the record keeps all of them"


def test_a_pins_correction_goes_with_it_and_its_words_are_erased() -> None:
    pin = entry("the secret plan", kind="pin", ref=PIN)
    history = History(pin, correction(PIN, "the secret plans"), correction(PIN, to=at(7)))
    assert [(each.text, each.at) for each in history.shows] == [("the secret plans", at(7))]
    history.add(entry("a plan", kind="pin", ref=PIN))
    assert [each.text for each in history.shows] == ["the secret plans"], "until it is taken back"
    history.add(Entry(at=NOW, kind="withdrawn", text="", hides=PIN))
    assert history.shows == []
    assert "plan" not in str(history.words) + str(history.entries)
    history.add(entry("a plan", kind="pin", ref=PIN))
    assert [(each.text, each.at) for each in history.shows] == [("a plan", at(0))], "pinned again"


IDS = ["0", "1", "2", PIN, "message:2"]
MOVES = st.one_of(
    st.tuples(st.just("note"), st.sampled_from("abc"), st.integers(0, 9)),
    st.tuples(st.just("pin"), st.sampled_from("abc"), st.integers(0, 9)),
    st.tuples(st.just("unpin"), st.just(""), st.just(0)),
    st.tuples(st.sampled_from(IDS), st.sampled_from(["", "x", "y"]), st.integers(-1, 9)),
)


@given(st.lists(MOVES, max_size=12))
def test_whatever_happens_in_which_order_the_newest_of_each_is_shown(
    moves: list[tuple[str, str, int]],
) -> None:
    """Against a list in which everything is changed in place."""
    history, model = History(), dict[str, list[object]]()
    for what, text, minute in moves:
        before = list(history.entries)
        if what == "note":
            model[str(len(history.entries))] = [text, at(minute), "", None]
            history.add(entry(text, minute))
        elif what == "pin":
            known = model.get(PIN, ["", None, "", None])
            model[PIN] = [text, at(minute), known[2], known[3]]
            history.add(entry(text, minute, kind="pin", ref=PIN))
        elif what == "unpin":
            model.pop(PIN, None)
            history.add(Entry(at=NOW, kind="withdrawn", text="", hides=PIN))
        elif what in model and (text or minute >= 0):
            model[what][2] = text or model[what][2]
            model[what][3] = at(minute) if minute >= 0 else model[what][3]
            history.add(correction(what, text, at(minute) if minute >= 0 else None))
        assert history.entries[: len(before)] == before, "no line is changed or lost"
    right = {id: (new or text, to or time) for id, (text, time, new, to) in model.items()}
    assert {each.id: (each.text, each.at) for each in history.shows} == right
    times = [each.at for each in history.shows]
    assert times == sorted(times)
    for line in history.shows:
        assert bool(correction_note(line)) == (right[line.id] != tuple(model[line.id][:2]))
    restored = [Entry.model_validate_json(each.model_dump_json()) for each in history.entries]
    assert shown_timeline(restored, history.words) == history.shows, "through Redis and back"


# --- the rule -------------------------------------------------------------------------------------


def correct(of: Incident, **more: object) -> Change | Refused:
    action = CorrectEntry.model_validate({"by": BOB, "entry": "0", **more})
    return step(of, action, service(), NOW)


def test_a_correction_is_one_entry_of_its_own() -> None:
    change = correct(incident(), text=" rolled back to v41 ", at=NOW - timedelta(hours=1))
    assert isinstance(change, Change)
    (added,) = change.entries
    assert (added.text, added.by, added.at) == ("rolled back to v41", BOB, NOW)
    assert (added.corrects, added.moved_to) == ("0", NOW - timedelta(hours=1))
    assert change.incident == incident(), "measured times stay as they are"
    assert change.effects == ()


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({}, "Nothing is different"),
        ({"text": "  "}, "Nothing is different"),
        ({"at": NOW + timedelta(seconds=1)}, "has not come yet"),
        ({"at": earliest_time(incident()) - timedelta(seconds=1)}, "too long before it began"),
        ({"text": "a", "at": NOW + timedelta(days=365)}, "has not come yet"),
    ],
)
def test_what_cannot_be_is_refused(more: dict[str, object], says: str) -> None:
    answer = correct(incident(), **more)
    assert isinstance(answer, Refused)
    assert (answer.code, says in answer.text) == ("input", True)


def test_the_earliest_time_is_two_weeks_before_it_began() -> None:
    assert earliest_time(incident()) == incident().detected_at - LONGEST_BEFORE
    assert isinstance(correct(incident(), at=earliest_time(incident())), Change)
    assert isinstance(correct(incident(), at=NOW), Change)


@given(st.integers(-30 * 24 * 60, 30 * 24 * 60) | st.integers(-(10**8), 10**8))
def test_whatever_time_is_chosen_it_is_taken_or_refused(minutes: int) -> None:
    time = NOW + timedelta(minutes=minutes)
    answer = correct(incident(), at=time)
    assert isinstance(answer, Change) == (earliest_time(incident()) <= time <= NOW)


def test_the_file_of_a_written_post_mortem_follows() -> None:
    adr = Adr(number=1, name="ADR-0001", path="0001.md", url=None)
    written = incident(adr=adr)
    change = correct(written, text="rolled back")
    assert isinstance(change, Change)
    assert change.effects == (MendAdr(whole=False),)
    private = correct(incident(adr=adr, private=True), text="rolled back")
    assert isinstance(private, Change)
    assert private.effects == (), "the file of a private incident lists no entries"


# --- who reads it ---------------------------------------------------------------------------------


def test_a_duplicates_entry_is_corrected_in_its_own_record() -> None:
    history = History(entry("at one"))
    history.add(correction("0", "at noon"))
    (shown,) = [joined_entry("INC-0002", each) for each in history.shows]
    assert (shown.text, shown.of, shown.id) == ("INC-0002: at noon", "INC-0002", "0")
    assert correction_note(shown) == "corrected by <@U0BOB>: was “at one”"
    (same,) = [joined_entry("INC-0002", each) for each in History(entry("at one")).shows]
    assert correction_note(same) == ""


def test_a_warning_stays_a_warning_and_one_that_was_corrected_in_is_heard() -> None:
    history = History(entry("do not roll back", kind="update"))
    history.add(correction("0", "rolling back is fine"))
    both = [(each.text, each.by) for each in author_words(history.shows[0])]
    assert both == [("do not roll back", ALICE), ("rolling back is fine", BOB)]
    history.add(correction("0", "do not roll back", by=BOB))
    assert [each.text for each in author_words(history.shows[0])] == ["do not roll back"]


def test_the_ticket_hears_of_what_was_recorded_meanwhile_at_its_right_time() -> None:
    history = History(entry("before", 0), entry("rolled back", 5))
    history.add(correction("1", to=at(-3)))
    lines = catch_up_text(history.shows, at(2)).splitlines()
    assert lines[1:] == [
        "2026-11-22 02:59 UTC rolled back (corrected by <@U0BOB>: was 2026-11-22 03:07 UTC)"
    ]


def test_the_page_shows_it_and_durations_stay_as_measured() -> None:
    record = verifying().record
    history = History(entry("turned it off", 1))
    assert "as measured" not in str(timeline(record, history.shows).blocks)
    history.add(correction("0", to=at(0)))
    shows = str(timeline(record, history.shows).blocks)
    assert "corrected by <@U0BOB>: was" in shows
    assert "as measured" in shows


def test_a_page_of_long_lines_loses_none() -> None:
    many = [entry(f"line {n}. " + "x" * 290, n, kind="update") for n in range(30)]
    blocks = str(timeline(incident(), many).blocks)
    assert all(f"line {n}." in blocks for n in range(30))


# --- kept -----------------------------------------------------------------------------------------


def test_old_entries_are_readable_and_an_older_bot_shows_a_correction_as_a_line() -> None:
    old = '{"at":"2026-01-01T10:00:00Z","kind":"note","text":"a","by":null,"url":null}'
    (shown,) = shown_timeline([Entry.model_validate_json(old)], {})
    assert (shown.text, shown.id, correction_note(shown)) == ("a", "0", "")


async def test_a_corrected_pin_is_gone_from_redis_once_it_is_taken_back(store: Store) -> None:
    story = Story()
    loaded = await store.load(story.record.id)
    pin = entry("the secret plan", kind="pin", ref=PIN)
    change = Change(story.record, entries=(*story.last.entries, pin))
    await store.commit("c0", loaded, change)
    number = len(story.last.entries)
    for name, entries in (
        ("c1", (correction(PIN, "the secret plans"), correction("0", "declared"))),
        ("c2", (Entry(at=NOW, kind="withdrawn", text="", hides=PIN),)),
    ):
        assert any("secret" in each.text for each in await store.timeline(story.record.id))
        loaded = await store.load(story.record.id)
        assert loaded.incident is not None
        await store.commit(name, loaded, Change(loaded.incident, entries=entries))
    raw_entries = await store.redis.lrange(store.keys.timeline(story.record.id), 0, -1)
    words = await store.redis.hgetall(store.keys.words(story.record.id))
    assert "secret" not in str(raw_entries) + str(words)
    assert len(raw_entries) == number + 4
    assert (await store.timeline(story.record.id))[0].text == "declared"


@given(st.lists(st.sampled_from(["x", "y", ""]), max_size=4))
def test_what_is_exported_is_imported_with_its_corrections(texts: list[str]) -> None:
    history = History(entry("a"), entry("pinned", 1, kind="pin", ref=PIN))
    for number, text in enumerate(texts):
        history.add(correction(("0", PIN)[number % 2], text, at(number)))
    line = export_format.line(
        incident().model_dump_json(),
        [each.model_dump_json() for each in history.entries],
        {ref: each.model_dump_json() for ref, each in history.words.items()},
        None,
        [],
    )
    back = export_format.read(line)
    entries = [Entry.model_validate_json(each) for each in back.entries]
    words = {ref: Entry.model_validate_json(each) for ref, each in back.words.items()}
    assert shown_timeline(entries, words) == history.shows
