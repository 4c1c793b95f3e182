"""Pins of people in the timeline, told in any order.

One message is one entry with its newest words, and nothing that was taken back stays.
"""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from bot.store.incident_store import Store
from handlers.views.timeline import PAGE, timeline
from phases.coordination.pinned_messages import PINS_FOLLOWED
from phases.messages.commands import MessageTouched
from phases.messages.effects import ReadMessage
from phases.messages.results import MessageRead
from phases.record.incident import Entry, Incident
from phases.record.timeline import entry_line, entry_stub, shown_timeline
from phases.record_limit import fit
from phases.shared.change import Change, Draft
from phases.workflow import step
from tests.support.bots.story import Story
from tests.support.values.factories import NOW, incident, service

TS = "1767000000.000100"


def applied(of: Incident, action: MessageTouched | MessageRead) -> Change:
    change = step(of, action, service(), NOW)
    assert isinstance(change, Change)
    return change


def touched(second: int, *, pinned: bool = False, ts: str = TS) -> MessageTouched:
    return MessageTouched(ts=ts, event_ts=f"17670000{second:02d}.000000", pinned=pinned)


def read(second: int, text: str, ts: str = TS) -> MessageRead:
    return MessageRead(
        ts=ts,
        event_ts=f"17670000{second:02d}.000000",
        at=NOW - timedelta(minutes=1),
        text=text,
        by="U0BOB",
    )


class Room:
    """One message and what Slack tells of it; `entries` and `words` as Redis has them."""

    def __init__(self) -> None:
        self.incident = incident()
        self.entries: list[Entry] = []
        self.words: dict[str, Entry] = {}
        self.wanted: list[ReadMessage] = []

    def tell(self, action: MessageTouched | MessageRead) -> None:
        change = applied(self.incident, action)
        self.incident = change.incident
        for entry in change.entries:
            self.entries.append(entry_stub(entry))
            if entry.ref:
                self.words[entry.ref] = entry
            if entry.hides:
                self.words.pop(entry.hides, None)
        self.wanted += [e for e in change.effects if isinstance(e, ReadMessage)]

    @property
    def shows(self) -> list[str]:
        return [entry.text for entry in shown_timeline(self.entries, self.words)]


def test_two_people_pin_one_message_and_it_is_one_entry() -> None:
    room = Room()
    room.tell(touched(1, pinned=True))
    room.tell(read(1, "the pool is full"))
    room.tell(touched(2, pinned=True))
    room.tell(read(2, "the pool is full"))
    assert room.shows == ["the pool is full"]
    assert len(room.entries) == 1


def test_edits_are_followed_and_what_is_taken_back_is_erased() -> None:
    room = Room()
    room.tell(touched(1, pinned=True))
    room.tell(read(1, "the pool is ful"))
    room.tell(touched(2))
    room.tell(read(2, "the pool is full"))
    assert room.shows == ["the pool is full"]
    room.tell(touched(3))
    room.tell(read(3, ""))
    assert room.shows == []
    assert room.words == {}
    assert "pool" not in str(room.entries), "the list never held the words"
    room.tell(touched(4, pinned=True))
    room.tell(read(4, "the pool is full"))
    assert room.shows == ["the pool is full"], "pinned again"


def test_edits_of_what_nobody_pinned_are_nothing() -> None:
    room = Room()
    room.tell(touched(1))
    assert (room.wanted, room.incident.pins) == ([], {})


@given(st.permutations(range(8)), st.lists(st.sampled_from(["", "a", "b"]), min_size=4, max_size=4))
def test_whatever_comes_in_which_order_the_newest_is_what_is_shown(
    order: list[int], texts: list[str]
) -> None:
    """Events and the ends of their readings come in any order.

    Each event announces its reading before it is read.
    """
    room = Room()
    events = [touched(n, pinned=True) for n in range(4)]
    due: list[int] = []
    for number in order:
        if number < 4:
            before = len(room.wanted)
            room.tell(events[number])
            if len(room.wanted) > before:
                due.append(number)
        elif due:
            index = due.pop(number % len(due))
            room.tell(read(index, texts[index]))
    for index in due:
        room.tell(read(index, texts[index]))
    assert room.shows == ([texts[3]] if texts[3] else [])


def test_the_newest_pins_are_followed_and_the_record_stays_small() -> None:
    record = incident()
    for number in range(3 * PINS_FOLLOWED):
        record = applied(record, touched(1, pinned=True, ts=f"17670{number:05d}.000100")).incident
    assert len(record.pins) == PINS_FOLLOWED
    draft = Draft(record, NOW)
    fit(draft)
    assert len(draft.incident.model_dump_json()) < 8_000


async def test_what_is_taken_back_is_gone_from_redis(store: Store) -> None:
    story = Story()
    record = story.record
    change = Change(record, entries=story.last.entries)
    loaded = await store.load(record.id)
    await store.commit("c0", loaded, change)
    for number, (second, text) in enumerate(((1, "the secret plan"), (2, "the plan"), (3, "")), 1):
        loaded = await store.load(record.id)
        assert loaded.incident is not None
        first = applied(loaded.incident, touched(second, pinned=True))
        await store.commit(f"t{number}", loaded, first)
        loaded = await store.load(record.id)
        assert loaded.incident is not None
        await store.commit(f"r{number}", loaded, applied(loaded.incident, read(second, text)))
        raw_entries = await store.redis.lrange(store.keys.timeline(record.id), 0, -1)
        everything = str(raw_entries) + str(await store.redis.hgetall(store.keys.words(record.id)))
        lines = [entry.text for entry in await store.timeline(record.id)]
        if text:
            assert text in everything
            assert lines == [text, "/incident by <@U0ALICE>: checkout is failing"], "by time"
        else:
            assert lines == ["/incident by <@U0ALICE>: checkout is failing"]
        assert ("secret" in everything) == (number == 1)


def test_what_people_said_stands_under_their_name() -> None:
    entry = Entry(at=NOW, kind="pin", text="db-2 is full", by="U0BOB", ref="message:1")
    assert entry_line(entry) == "<@U0BOB>: db-2 is full"
    assert entry_line(entry.model_copy(update={"by": None})) == "a bot: db-2 is full"
    assert (
        entry_line(Entry(at=NOW, kind="lead", text="<@U0BOB> leads", by="U0ALICE"))
        == "<@U0BOB> leads"
    )


def test_a_long_timeline_comes_page_by_page() -> None:
    entries = [
        Entry(at=NOW + timedelta(seconds=n), kind="note", text=f"line {n}.")
        for n in range(2 * PAGE + 5)
    ]
    newest = str(timeline(incident(), entries).blocks)
    assert f"line {2 * PAGE + 4}." in newest
    assert "line 3." not in newest
    assert "Older" in newest
    assert "Newer" not in newest
    oldest = str(timeline(incident(), entries, until=5).blocks)
    assert "line 3." in oldest
    assert "Older" not in oldest
    assert "Newer" in oldest
