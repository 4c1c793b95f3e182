"""What need not be asked: the answers that are there tell it, and only then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from phases.ports.tracker_values import EventPicture, Minutes
from phases.triage.picture.fire import MINUTE, STEP, Series
from phases.triage.reading.redundant_questions import (
    far_louder,
    first_in_minute,
    picture_tells_first,
    too_few_others,
)

NOW = datetime(2026, 5, 5, 14, 15, 30, tzinfo=UTC)
SINCE = NOW - timedelta(minutes=15)
LOUD = datetime(2026, 5, 5, 14, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("earlier", "tells"),
    [
        (None, True),
        (LOUD - MINUTE, False),
        (SINCE.replace(second=0), False),  # the minute that the window cuts: it may be inside
        (SINCE.replace(second=0) - MINUTE, True),
    ],
)
def test_the_first_event_of_the_window_is_that_of_the_loud_minute_if_none_came_before(
    earlier: datetime | None, tells: bool
) -> None:
    counts = {LOUD: 20} | ({earlier: 1} if earlier else {})
    assert picture_tells_first(counts, LOUD, SINCE) is tells


def test_trouble_older_than_the_window_is_not_told_by_the_window() -> None:
    assert not picture_tells_first({LOUD: 20}, SINCE - MINUTE, SINCE)
    assert not picture_tells_first({LOUD: 20}, None, SINCE)


def test_a_first_event_of_another_minute_leaves_the_beginning_to_the_minute() -> None:
    """Events of developers' machines are counted by minute, and are no part of the picture."""
    inside = LOUD + timedelta(seconds=42)
    assert first_in_minute(EventPicture(events=9, first=inside), LOUD) == inside
    for first in (None, LOUD - MINUTE, LOUD + MINUTE):
        assert first_in_minute(EventPicture(events=9, first=first), LOUD) == LOUD


def test_nothing_is_concluded_from_a_history_that_is_not_known() -> None:
    assert not far_louder(None, SINCE, 500, 5)
    assert not too_few_others(None, SINCE, 0, 20)


def test_what_failed_before_is_asked_where_it_may_be_most_of_the_fire_under_another_title() -> None:
    hour = LOUD - timedelta(hours=1)
    before = Minutes(counts={LOUD: 50, hour: 40, LOUD - STEP: 20, hour - STEP: 900})
    series = Series(before, hour - timedelta(days=1), NOW)
    assert far_louder(series, LOUD, 90, 6)
    assert not far_louder(series, LOUD, 15, 6)
    assert not far_louder(series, LOUD, 90, 45)
    assert far_louder(Series(Minutes(), hour, NOW), LOUD, 5, 6), "nothing failed before"


def test_others_are_asked_for_from_so_many_events_on() -> None:
    series = Series(Minutes(counts={LOUD: 70}), SINCE - timedelta(days=1), NOW)
    since = NOW - timedelta(hours=1)
    assert too_few_others(series, since, 51, 20)
    assert not too_few_others(series, since, 50, 20)
