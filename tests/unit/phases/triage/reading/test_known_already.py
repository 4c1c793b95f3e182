"""What need not be asked: the answers that are there tell it, and only then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from phases.ports.tracker_values import EventPicture, Minutes
from phases.triage.picture.fire import MINUTE, STEP, Series
from phases.triage.reading.known_already import (
    first_in_minute,
    nothing_failed,
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
    assert not nothing_failed(None, SINCE, NOW)
    assert not too_few_others(None, SINCE, 0, 20)


def test_one_error_in_the_hour_before_is_enough_to_ask() -> None:
    began = LOUD
    hour = began - timedelta(hours=1)
    quiet = Series(Minutes(counts={began: 50, hour - STEP: 9}), hour - timedelta(days=1), NOW)
    stray = Series(Minutes(counts={began: 50, hour: 1}), hour - timedelta(days=1), NOW)
    assert nothing_failed(quiet, hour, began)
    assert not nothing_failed(stray, hour, began)


def test_others_are_asked_for_from_so_many_events_on() -> None:
    series = Series(Minutes(counts={LOUD: 70}), SINCE - timedelta(days=1), NOW)
    since = NOW - timedelta(hours=1)
    assert too_few_others(series, since, 51, 20)
    assert not too_few_others(series, since, 50, 20)
