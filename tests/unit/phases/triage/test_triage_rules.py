"""The rules of triage as values: began, baseline, users, features, severity, and the small ones."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phases.messages.commands import ManualTriage
from phases.ports.ports import HotfixRef
from phases.ports.tracker_values import EventPicture, IssueRow, Minutes, UserShare
from phases.record.documents import Ticket
from phases.record.findings import BlastRadius, Choice, IssueSeen, Share, Word
from phases.record.incident import Severity
from phases.record.service import ReleaseNames
from phases.text.wording import counted, lasting, listed, per_minute_text
from phases.triage.measure import by_version, known_fix
from phases.triage.picture.beginning import baseline, first_loud_minute
from phases.triage.picture.blast_radius import (
    NEW,
    UserCount,
    blast_radius,
    count_users,
    feature_of,
    hit_features,
    incident_issues,
    severity_of,
)
from phases.triage.picture.fire import find_fire
from phases.triage.reading.questions import one_way_match
from phases.triage.reported import manual_report
from tests.support.worlds.sentry_world import NOW, SHOP, ago, incident

WINDOW = timedelta(minutes=15)
MINUTE = timedelta(minutes=1)
FLOOR = NOW.replace(second=0)


def minutes(*pairs: tuple[int, int], incomplete: tuple[int, ...] = ()) -> Minutes:
    """(minutes ago, events) …"""
    return Minutes(
        counts={FLOOR - a * MINUTE: n for a, n in pairs},
        incomplete=tuple(FLOOR - a * MINUTE for a in incomplete),
    )


def began(counts: Minutes, usual: float = 0.0) -> int | None:
    """Minutes ago."""
    at = first_loud_minute(counts, NOW - WINDOW, NOW, usual)
    return None if at is None else round((FLOOR - at) / MINUTE)


@pytest.mark.parametrize(
    ("counts", "usual", "expected"),
    [
        (minutes((3, 5), (2, 5), (1, 5), (0, 2)), 0.0, 3),
        (minutes((200, 50), (3, 5), (2, 5)), 0.0, 3),  # an earlier run is another story
        (minutes((14, 5), (4, 5), (3, 5)), 0.0, 14),  # nine quiet minutes do not end a run
        (minutes((15, 5), (4, 5), (3, 5)), 0.0, 4),  # ten do
        (
            minutes((30, 5), (25, 5), (20, 5), (12, 5)),
            0.0,
            30,
        ),  # a run reaches far behind the window
        (minutes((9, 1), (3, 10), (2, 10)), 0.0, 3),  # under a fifth of the loudest is not loud
        (minutes((9, 2), (3, 10), (2, 10)), 0.0, 9),
        (minutes((9, 8), (3, 10)), 3.0, 3),  # under three times the baseline is not loud
        (minutes((9, 2), (3, 2)), 3.0, None),
        (minutes((0, 7)), 0.0, 0),  # the minute that is not complete yet
        (minutes((40, 9)), 0.0, None),
        (Minutes(), 0.0, None),
    ],
)
def test_began_is_the_earliest_loud_minute_of_the_run(
    counts: Minutes, usual: float, expected: int | None
) -> None:
    assert began(counts, usual) == expected


@given(st.dictionaries(st.integers(0, 60), st.integers(1, 500), min_size=1), st.floats(0, 20))
def test_began_is_a_minute_with_events_and_its_run_reaches_the_window(
    counts: dict[int, int], usual: float
) -> None:
    event_counts = minutes(*counts.items())
    at = first_loud_minute(event_counts, NOW - WINDOW, NOW, usual)
    if at is not None:
        assert event_counts.counts[at] >= 3 * usual
        assert any(at <= m and m > NOW - WINDOW - MINUTE for m in event_counts.counts)


def test_baseline_is_over_the_day_before_trouble_or_all_there_is() -> None:
    counts = minutes((300, 60), (200, 60), (5, 99), (0, 7), incomplete=(0,))
    assert baseline(counts, ago(5), None) == pytest.approx((120 / 1440, 1440))
    assert baseline(counts, ago(5), ago(245)) == pytest.approx((60 / 240, 240))  # a younger project
    assert baseline(counts, ago(5), ago(19)) == (0.0, 0.0)  # under 15 minutes of it
    # Not asked for is not silent.
    assert baseline(counts, ago(5), None, ago(245)) == pytest.approx((60 / 240, 240))
    assert baseline(counts, ago(5), None, ago(9999)) == pytest.approx((120 / 1440, 1440))
    # What may still grow is left out.
    assert baseline(minutes((30, 50), incomplete=(30,)), ago(5), None)[0] == 0.0


def row(**fields: object) -> IssueRow:
    basic = {
        "id": "1",
        "short_id": "SHOP-1",
        "title": "x",
        "url": None,
        "project": "shop",
        "level": "error",
    }
    return IssueRow.model_validate({**basic, "first_seen": ago(9000), "events": 20, **fields})


@pytest.mark.parametrize(
    ("fields", "belongs"),
    [
        ({"first_seen": ago(59), "events": 1}, True),
        ({"first_seen": ago(61), "events": 9}, False),
        (
            {"first_seen": ago(61), "events": 10},
            True,
        ),  # first seen in the last day: its baseline is zero
        (
            {"first_seen": ago(61), "events": 10, "events_before": 5000, "minutes_before": 1440},
            True,
        ),
        (
            {"events": 10, "events_before": 320, "minutes_before": 1440},
            True,
        ),  # 0.67 a minute is three times 0.22
        ({"events": 10, "events_before": 330, "minutes_before": 1440}, False),
        ({"first_seen": ago(5), "events": 0}, False),
        ({"first_seen": ago(5), "level": "warning"}, False),
        ({"first_seen": ago(5), "level": "fatal", "status": "ignored"}, True),
        ({"events": 1, "id": "7"}, True),  # somebody named it
    ],
)
def test_which_issues_belong(fields: dict[str, object], belongs: bool) -> None:
    rows = [row(**fields)]
    belonging = incident_issues(rows, NOW, WINDOW, {"7"}, find_fire(rows, None, NOW, WINDOW, NEW))
    assert bool(belonging) == belongs


# --- users and features ---------------------------------------------------------------------------


def picture(events: int, count: int | None, **fields: object) -> EventPicture:
    return EventPicture.model_validate({"events": events, "user_count": count, **fields})


ATTACKER_AND_OTHERS = (
    *(UserShare(key=f"a{n}", events=3, addresses=1) for n in range(10)),
    *(UserShare(key=f"b{n}", events=1, addresses=None) for n in range(12)),
)
"""Ten names from one address, beside twelve people of whose address Sentry was not told."""


@pytest.mark.parametrize(
    ("event_picture", "day", "expected"),
    [
        (picture(0, 0), None, UserCount(Word.NOBODY, 0, False)),
        (picture(50, 1), None, UserCount(Word.ONE, 1, False)),
        (picture(50, 2), None, UserCount(Word.MANY, 2, False)),
        (picture(50, 10, addresses=1), 5, UserCount(Word.ONE, 1, False)),
        (picture(50, 9, addresses=1), 5, UserCount(Word.MANY, 9, False)),
        (
            picture(50, 10, addresses=1),
            1,
            UserCount(Word.MANY, 10, False),
        ),  # everybody comes from there: a proxy
        (picture(50, 10, addresses=2), 5, UserCount(Word.MANY, 10, False)),
        (
            picture(50, 22, addresses=1, users=ATTACKER_AND_OTHERS),
            5,
            UserCount(Word.MANY, 13, False),
        ),
        (
            picture(50, 3, events_without_user=25),
            None,
            UserCount(Word.MANY, 3, False),
        ),  # exactly half is not more than half
        (picture(50, 1, events_without_user=26), None, UserCount(Word.MANY, None, True)),
        (picture(9, 1, events_without_user=8), None, UserCount(Word.ONE, None, True)),
        (picture(9, 0, events_without_user=9), None, UserCount(Word.ONE, None, True)),
        (picture(9, 2, events_without_user=7), None, UserCount(Word.MANY, 2, True)),
        (picture(10, 0, events_without_user=10), None, UserCount(Word.MANY, None, True)),
        (picture(20, 0, events_of_not_users=20), None, UserCount(Word.NOBODY, 0, False)),
        (picture(20, 1, events_of_not_users=18), None, UserCount(Word.ONE, 1, False)),
        (picture(5, None), None, UserCount(Word.MANY, None, True)),
    ],
)
def test_users(event_picture: EventPicture, day: int | None, expected: UserCount) -> None:
    users = count_users(event_picture, day)
    assert (users.word, users.count, users.inferred) == (
        expected.word,
        expected.count,
        expected.inferred,
    )


def test_two_regions_or_organisations_infer_many() -> None:
    places = (Share(name="a", events=1), Share(name="b", events=1))
    assert count_users(picture(2, 0, events_without_user=2, regions=places), None).word is Word.MANY
    assert (
        count_users(picture(2, 0, events_without_user=2, organisations=places), None).word
        is Word.MANY
    )


def test_one_value_from_ten_addresses_is_counted_by_addresses() -> None:
    shared = (UserShare(key="a", events=9, addresses=10), UserShare(key="b", events=9, addresses=9))
    assert count_users(picture(18, 2, users=shared), None).count == 11


def test_features_fold_by_pattern_and_count_from_three_events_and_five_percent() -> None:
    assert feature_of("/cart/add", SHOP.features) == "cart"
    assert feature_of("/about", SHOP.features) == "/about"
    assert feature_of("", SHOP.features) is None
    shares = [Share(name=n, events=e) for n, e in (("a", 95), ("b", 5), ("c", 4), ("d", 2))]
    assert [s.name for s in hit_features(shares, 100)] == ["a", "b"]
    assert [s.name for s in hit_features(shares, 10)] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("users_word", "features", "inferred", "events", "expected"),
    [
        (Word.MANY, Word.MANY, False, 3, Severity.SEV1),
        (Word.MANY, Word.ONE, False, 300, Severity.SEV2),
        (Word.ONE, Word.MANY, False, 300, Severity.SEV3),
        (Word.MANY, Word.MANY, True, 9, Severity.SEV3),
        (Word.MANY, Word.MANY, True, 10, Severity.SEV1),
        (Word.NOBODY, Word.NOBODY, False, 0, Severity.SEV4),
    ],
)
def test_severity(
    users_word: Word, features: Word, inferred: bool, events: int, expected: Severity
) -> None:
    report = manual_report(
        ManualTriage(by="U1", users=Word.ONE, features=Word.ONE, report="x"), SHOP, NOW
    )
    blast = BlastRadius(users=users_word, features=features, inferred=inferred)
    assert severity_of(report.model_copy(update={"blast": blast, "events": events})) is expected


@given(
    st.integers(0, 50),
    st.integers(0, 50),
    st.integers(0, 50),
    st.integers(0, 50),
    st.integers(0, 60),
)
def test_a_picture_of_any_numbers_becomes_sentences_that_hold_them(
    named: int, unnamed: int, bots: int, distinct: int, addresses: int
) -> None:
    events = named + unnamed + bots
    event_picture = picture(
        events,
        min(distinct, named),
        events_without_user=unnamed,
        events_of_not_users=bots,
        addresses=addresses,
    )
    blast = blast_radius(event_picture, 5, {}, WINDOW, 0.2)
    assert blast.sentences
    assert all(s[0].isupper() or s[0].isdigit() for s in blast.sentences)
    assert (blast.users is Word.NOBODY) == (named + unnamed == 0)
    if blast.users is not Word.NOBODY:
        assert f"{counted(events, 'event')} in the last 15 min" in blast.sentences[0]


# --- the rest -------------------------------------------------------------------------------------


def test_the_manual_form_is_marked_and_recommends_nothing_measured() -> None:
    form = ManualTriage(
        by="U1",
        users=Word.MANY,
        features=Word.MANY,
        feature_names=("cart", " pay "),
        report="all red",
    )
    report = manual_report(form, SHOP, NOW)
    assert report.manual_by == "U1"
    assert report.events == 0
    assert report.recommendation.choice is Choice.INVESTIGATE
    assert report.recommendation.target is None
    assert report.blast.sentences == (
        "Many users, many features: cart and pay.",
        "Reported by a person, not measured.",
    )
    assert severity_of(report) is Severity.SEV1
    nobody = manual_report(form.model_copy(update={"users": Word.NOBODY}), SHOP, NOW)
    assert severity_of(nobody) is Severity.SEV4


def test_versions_are_read_as_the_catalogue_writes_them() -> None:
    shares = [Share(name=n, events=e) for n, e in (("shop-web@v1", 3), ("v1", 2), ("", 1))]
    assert by_version(shares, ReleaseNames(sentry="shop-web@{version}")) == {
        "v1": 3,
        "?v1": 2,
        "": 1,
    }


@pytest.mark.parametrize(
    ("subject", "known"),
    [
        ("Fixes SHOP-1", True),
        ("fix/shop-1-cart", True),
        ("Fixes SHOP-12", False),
        ("Fixes WORKSHOP-1", False),
        ("for ENG-7: cart", True),
        ("nothing of it", False),
    ],
)
def test_a_fix_is_known_by_what_it_names(subject: str, known: bool) -> None:
    issues = [IssueSeen(id="1", short_id="SHOP-1", title="x", first_seen=NOW, events=1)]
    burning = incident(ticket=Ticket(id="t", identifier="ENG-7", url="https://linear.app/ENG-7"))
    fix = known_fix([HotfixRef(name="b", commit="c", subject=subject)], burning, issues)
    assert fix == ("b" if known else None)


def test_one_way_patterns() -> None:
    assert one_way_match("migrations/7/up.sql", "migrations/**")
    assert one_way_match("app/schema.sql", "**/*.sql")
    assert one_way_match("schema.sql", "**/*.sql")
    assert not one_way_match("app/migrations.py", "migrations/**")


def test_words() -> None:
    assert counted(1, "user") == "1 user"
    assert counted(1240, "user") == "1,240 users"
    assert [per_minute_text(x) for x in (0, 0.01, 0.25, 3.0, 14.26, 123.4)] == [
        "0",
        "under 0.1",
        "0.2",
        "3",
        "14.3",
        "123",
    ]
    assert [lasting(timedelta(seconds=x)) for x in (4, 90, 7100, 7260, 180000)] == [
        "4 s",
        "2 min",
        "118 min",
        "2 h 1 min",
        "2 days",
    ]
    assert listed(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
