"""What becomes of corrected entries in a post-mortem: its draft, its contradictions, its file."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phases.postmortem.adr import adr_text
from phases.postmortem.contradictions.case import Case
from phases.postmortem.contradictions.named import contradictions
from phases.postmortem.contributing_factors import ALERT, first_alert
from phases.postmortem.draft import corrected_timeline, draft_parts
from phases.postmortem.entry_table import entries_with_links, with_entries
from phases.postmortem.form_parts import Parts
from phases.record.incident import Entry, Source
from phases.record.timeline import Shown, shown_timeline
from tests.support.values import incidents
from tests.support.values.incidents import NAMES, minute

RECOVERED, ROLLED_BACK = "users are fine again", "rolled back to v41"


def entries(*corrections: Entry) -> list[Shown]:
    """Somebody pinned too early that users were fine; then it was rolled back."""
    pinned = Entry(at=minute(5), kind="pin", text=RECOVERED, by="UANN")
    done = Entry(at=minute(9), kind="deploy", text=ROLLED_BACK)
    return shown_timeline([pinned, done, *corrections], {})


def moved(of: str, to: datetime, text: str = "", by: str = "UBOB") -> Entry:
    return Entry(at=minute(30), kind="correction", text=text, by=by, corrects=of, moved_to=to)


def named(parts: Parts, some: list[Shown]) -> list[str]:
    case = Case(incidents.incident(contradictions=()), parts, minute(40), some)
    return [contradiction.rule for contradiction in contradictions(case)]


def test_recovery_before_action_is_mended_by_a_correction() -> None:
    before = entries()
    parts = draft_parts(incidents.incident(), before, minute(40), NAMES)
    assert "recovery before action" in named(parts, before)
    after = entries(moved("0", minute(14)))
    fresh = draft_parts(incidents.incident(), after, minute(40), NAMES)
    assert "recovery before action" not in named(fresh, after)
    follows = parts.model_copy(
        update={"timeline": corrected_timeline(parts.timeline, after, NAMES)}
    )
    assert follows.timeline == fresh.timeline, "a draft that was saved follows"
    assert "recovery before action" not in named(follows, after)


def test_what_people_wrote_themselves_does_not_follow() -> None:
    parts = draft_parts(incidents.incident(), entries(), minute(40), NAMES)
    own_words = parts.timeline.replace(RECOVERED, "all fine")
    assert corrected_timeline(own_words, entries(moved("0", minute(14))), NAMES) == own_words


@given(
    st.lists(
        st.tuples(st.sampled_from("012"), st.integers(-9, 60), st.sampled_from(["", "x", "y"]))
    ),
    st.integers(0, 9),
)
def test_a_saved_draft_reads_as_a_new_one_whatever_was_corrected_when(
    corrected: list[tuple[str, int, str]], number_seen: int
) -> None:
    texts = ("first", "second", "third")
    recorded = [Entry(at=minute(n), kind="note", text=text) for n, text in enumerate(texts)]
    corrections = [moved(of, minute(to), text and f"{text}{of}") for of, to, text in corrected]
    saved = draft_parts(
        incidents.incident(),
        shown_timeline([*recorded, *corrections[:number_seen]], {}),
        minute(90),
    ).timeline
    now = shown_timeline([*recorded, *corrections], {})
    follows = corrected_timeline(saved, now, {}).splitlines()
    fresh = draft_parts(incidents.incident(), now, minute(90)).timeline.splitlines()
    assert sorted(follows) == sorted(fresh)
    times = [line[:20] for line in follows]
    assert times == sorted(times)


def test_the_file_lists_the_right_words_at_their_time_and_what_they_were() -> None:
    text = adr_text(incidents.incident(), entries(moved("0", minute(14), "fine")), 7, NAMES)
    rows = [line for line in text.splitlines() if line.startswith("| 2026")]
    assert rows == [
        "| 2026-11-22 14:12 UTC | deploy | rolled back to v41 |",
        "| 2026-11-22 14:17 UTC | pin | Ann: fine "
        "(corrected by Bob Lee: was 2026-11-22 14:08 UTC “users are fine again”) |",
    ]


def test_a_written_file_follows_in_its_list_alone_and_twice_is_once() -> None:
    text = adr_text(incidents.incident(), entries(), 7, NAMES)
    edited = text.replace("## Root cause", "Somebody wrote this by hand.\n\n## Root cause")
    after = entries(moved("0", minute(14)))
    follows = with_entries(edited, after, NAMES)
    assert follows != edited
    assert with_entries(follows, after, NAMES) == follows
    changed = set(edited.splitlines()) ^ set(follows.splitlines())
    assert len(changed) == 2
    assert all("users are fine again" in line for line in changed)
    assert with_entries("# Ours\n", after, NAMES) == "# Ours\n"
    assert with_entries(follows, [], NAMES) == follows


@pytest.mark.parametrize(
    ("to", "says"), [(minute(12), "came 12 min later."), (minute(-4), "came 4 min before.")]
)
def test_the_record_says_what_is_an_alert_and_people_when_it_came(to: datetime, says: str) -> None:
    record = incidents.incident(source=Source(kind="person", text="/incident by <@UANN>"))
    alert = Entry(at=minute(20), kind="evidence", text=f"{ALERT}SHOP-3: KeyError")
    note = Entry(at=minute(1), kind="evidence", text="a graph")
    some = shown_timeline(
        [alert, note, moved("0", to, "the pager"), moved("1", minute(2), ALERT)], {}
    )
    first = first_alert(record, some)
    assert first.endswith(says)
    assert record.detected_at == minute(0)
    case = Case(record, Parts(monitoring="The alert fired at once."), minute(40), some)
    assert "alert" not in [contradiction.rule for contradiction in contradictions(case)]


def test_a_line_that_another_entry_has_too_stays() -> None:
    twice = [Entry(at=minute(5), kind="note", text="looked at the pool") for _ in range(2)]
    saved = draft_parts(incidents.incident(), shown_timeline(twice, {}), minute(40)).timeline
    now = shown_timeline([*twice, moved("0", minute(2))], {})
    assert corrected_timeline(saved, now, {}) == saved


def test_what_was_decided_by_a_click_links_the_message_with_the_button() -> None:
    record = incidents.incident()
    (first,) = record.rounds
    opened = (first.opened_at, first.opened_at + timedelta(minutes=20))
    later = first.model_copy(update={"number": 2, "opened_at": opened[1]})
    record = record.model_copy(update={"rounds": (first, later)})
    every = [
        Entry(at=opened[0] - timedelta(minutes=1), kind="decision", text="before"),
        Entry(at=opened[0], kind="decision", text="first"),
        Entry(at=opened[0], kind="deploy", text="a deploy"),
        Entry(at=opened[1], kind="decision", text="second"),
        Entry(at=opened[1], kind="decision", text="linked", url="https://ci.example/1"),
    ]
    at = opened[1] + timedelta(minutes=5)
    some = shown_timeline([*every, moved("1", at), moved("3", opened[0])], {})
    links = {1: "https://s.slack.com/1", 2: "https://s.slack.com/2"}
    urls = {entry.text: entry.url for entry in entries_with_links(some, record, links)}
    assert urls == {
        "before": None,
        "first": links[1],
        "a deploy": None,
        "second": links[2],
        "linked": "https://ci.example/1",
    }, "by its recorded time"
    assert [entry.url for entry in entries_with_links(every, record, {})][:4] == [None] * 4
