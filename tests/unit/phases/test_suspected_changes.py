"""A change without a deploy, as a suspect: by its time, and by the events that carry a flag."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phases.record.changes import ChangeSeen, FlagEvidence
from phases.record.findings import DeploySeen, Release
from phases.shared.suspected_changes import (
    ARGUMENT,
    change_in_words,
    change_is_known,
    change_key,
    change_leads,
    changes_near,
    merge_changes,
    suspected_changes,
    switched_on,
    taking_back_in_words,
)

BEGAN = datetime(2026, 5, 5, 14, 0, tzinfo=UTC)


def change(before: float, name: str = "new-pricing", **fields: object) -> ChangeSeen:
    given = {"name": name, "at": BEGAN - timedelta(minutes=before), "kind": "flag", **fields}
    return ChangeSeen.model_validate(given)


def deploy(before: float) -> DeploySeen:
    at = BEGAN - timedelta(minutes=before)
    return DeploySeen(release=Release(version="v3"), service="shop", started_at=at, source="ci")


def flag_evidence(on: int, events: int, others_on: int = 0, others: int = 0) -> FlagEvidence:
    return FlagEvidence(
        flag="new-pricing", on=on, events=events, others_on=others_on, others=others
    )


def first_leads(
    changes: tuple[ChangeSeen, ...],
    before: float | None = None,
    counts: FlagEvidence | None = None,
) -> bool:
    """Return whether the likeliest goes before a deploy so many minutes before the beginning."""
    suspected = suspected_changes(changes, BEGAN, counts)
    return bool(suspected) and change_leads(
        suspected[0], None if before is None else deploy(before)
    )


@pytest.mark.parametrize(
    ("flag", "deployed", "counts", "expected"),
    [
        (2, 9, None, True),  # nearer than the deploy
        (9, 2, None, False),  # the deploy is nearer
        (2, None, None, True),
        (40, None, None, False),  # by its time alone it is too old
        (9, 2, flag_evidence(98, 100, 2, 50), True),  # who has it fails, who has it not does not
        (40, 9, flag_evidence(98, 100, 2, 50), True),
        (9, 2, flag_evidence(98, 100, 49, 50), False),  # it is on for everybody: that tells nothing
        (2, 9, flag_evidence(98, 100, 49, 50), True),
        (2, 9, flag_evidence(3, 100, 2, 50), False),  # it is off where it fails
        (2, 9, flag_evidence(1, 3), True),  # too few events to say anything
        (2, 9, flag_evidence(60, 100), False),  # a third of what fails has it off
        (-0.5, 3, None, False),  # it burned already, and a deploy was out
        (180, None, None, False),
        (-0.1, 9, None, True),  # two clocks
        (-0.5, None, None, True),
        (-3, None, None, False),  # it came after the trouble
    ],
)
def test_a_change_leads_by_its_time_or_by_its_events(
    flag: float, deployed: float | None, counts: FlagEvidence | None, expected: bool
) -> None:
    assert first_leads((change(flag),), deployed, counts) is expected


KILLED = FlagEvidence(flag="new-pricing", on=0, off=90, events=100, others_on=0, others=40)


@pytest.mark.parametrize(
    ("told", "counts", "expected"),
    [
        (None, KILLED, True),
        (None, KILLED.model_copy(update={"off": 20}), False),  # most of what fails asks for none
        (None, KILLED.model_copy(update={"others_on": 4}), False),  # it is on for a part
        ("created", KILLED, False),
        ("on", KILLED, False),
    ],
)
def test_a_kill_switch_is_known_by_the_events_where_nobody_tells_its_value(
    told: str | None, counts: FlagEvidence, expected: bool
) -> None:
    found = suspected_changes((change(2, new=told),), BEGAN, counts)
    assert change_leads(found[0], deploy(90)) is expected
    assert found[0].yields_to(deploy(90)) is not expected
    if expected:
        assert found[0].yields_to(deploy(9)), "a deploy within the hour goes before it"
        assert taking_back_in_words(found[0].change) == "turn flag new-pricing back on"


def test_a_release_that_is_likely_all_the_same_goes_before_a_change() -> None:
    (by_time,) = suspected_changes((change(2),), BEGAN, None)
    (apart,) = suspected_changes((change(2),), BEGAN, flag_evidence(98, 100, 0, 50))
    (alone,) = suspected_changes((change(2),), BEGAN, flag_evidence(98, 100))
    assert [change_leads(s, deploy(9), likely=False) for s in (by_time, apart, alone)] == [True] * 3
    assert [change_leads(s, deploy(9), likely=True) for s in (by_time, apart, alone)] == [
        False,
        True,
        False,
    ]


def test_what_is_back_already_is_no_suspect() -> None:
    again = change(-2, new="off")
    assert changes_near((again, change(2, new="on")), BEGAN) == ()
    assert len(changes_near((change(-2, "other", new="off"), change(2, new="on")), BEGAN)) == 1


def test_of_one_name_the_nearest_is_asked_about_and_events_choose_among_flags() -> None:
    older, newer, other = change(30), change(3), change(1, "banner")
    assert changes_near((older, newer, other), BEGAN) == (other, newer)
    suspected = suspected_changes((older, newer, other), BEGAN, flag_evidence(99, 100, 0, 40))
    assert suspected[0].change == newer, "the events speak for it, though another one is nearer"


def test_two_sources_tell_of_one_change_and_the_one_with_values_is_believed() -> None:
    by_webhook = change(2, old="off", new="on", source="webhook")
    logged = change(2.3, source="sentry")
    assert merge_changes((by_webhook,), (logged,)) == (by_webhook,)
    assert merge_changes((by_webhook,), (change(20, source="sentry"),)) == (
        by_webhook,
        change(20, source="sentry"),
    )


def test_a_change_is_said_and_taken_back_in_plain_words() -> None:
    on, off = change(2, old="off", new="on", by="ann"), change(2, old="true", new="false")
    pool = change(2, "pool.size", kind="config", old="20", new="5")
    zone = change(2, "eu-west", kind="infrastructure")
    assert change_in_words(on, author=True) == "flag new-pricing was turned on by ann"
    assert change_in_words(off) == "flag new-pricing was turned off"
    assert change_in_words(pool) == "setting pool.size was changed: 20 → 5"
    assert change_in_words(zone) == "infrastructure eu-west was changed"
    assert taking_back_in_words(on) == "turn off flag new-pricing"
    assert taking_back_in_words(off) == "turn flag new-pricing back on"
    assert taking_back_in_words(pool) == "set setting pool.size back to 20"
    assert taking_back_in_words(zone) == "take the change of infrastructure eu-west back"
    assert [switched_on(c) for c in (on, off, pool, zone)] == [True, False, False, False]
    assert switched_on(change(2, "maintenance", kind="config", new="enabled"))


@given(st.text(max_size=60))
def test_no_name_becomes_an_option_or_a_second_line(name: str) -> None:
    if ARGUMENT.fullmatch(name):
        assert not name.startswith("-")
        assert name.isprintable()
        assert not set(name) & set("$`;|&<>\\\"'*?")


def test_names_that_teams_give_their_flags_may_become_arguments() -> None:
    for name in ("new-pricing", "checkout.v2:eu", "New pricing", "team/flag_1", "a@b"):
        assert ARGUMENT.fullmatch(name), name
    for name in ("-rf", "--all", "", " x", "a;b", "$(x)", "a\nb"):
        assert not ARGUMENT.fullmatch(name), name


def test_a_change_is_heard_once_whoever_tells_it() -> None:
    keys = (change_key(change(2)), "deploy:v3@2026-05-05T14:00:00+00:00", "change:flag:x@y")
    assert change_is_known(change(2.4), keys)
    assert not change_is_known(change(9), keys)
    assert not change_is_known(change(2, "other"), keys)


@given(
    st.floats(-5, 200),
    st.floats(-5, 200),
    st.integers(0, 200),
    st.integers(0, 200),
    st.integers(0, 200),
    st.integers(0, 200),
)
def test_a_flag_that_hardly_any_failing_event_has_on_never_leads(
    flag: float, deployed: float, on: int, more: int, others_on: int, others_off: int
) -> None:
    counts = flag_evidence(on, on + more, others_on, others_on + others_off)
    if counts.events >= 5 and on <= counts.events / 2:
        assert not first_leads((change(flag),), deployed, counts)
