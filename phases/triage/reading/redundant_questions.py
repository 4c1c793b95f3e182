"""Phase 1: what need not be asked, because the answers that are there tell it.

The calls of a triage are counted (docs/performance.md). Nothing here guesses: a question is left
out only where its answer follows from others.
"""

from collections.abc import Mapping
from datetime import datetime

from phases.ports.tracker_values import EventPicture
from phases.shared.counts import Measured, most_usual
from phases.triage.picture.false_alarms import BEFORE
from phases.triage.picture.fire import CHANCE, MINUTE, Series, step_of


def picture_tells_first(
    minutes: Mapping[datetime, int], loud: datetime | None, since: datetime
) -> bool:
    """Return whether the first event of the window is the first of the loud minute, too."""
    if loud is None or loud < since:
        return False
    return not any(count for at, count in minutes.items() if since - MINUTE < at < loud)


def first_in_minute(picture: EventPicture, loud: datetime | None) -> datetime | None:
    """Return the picture's first event; the loud minute where it is not of that minute."""
    first = picture.first
    inside = first is not None and loud is not None and loud <= first < loud + MINUTE
    return first if inside else loud


def far_louder(series: Series | None, began: datetime, events: int, minutes: float) -> bool:
    """Return whether no renaming explains most of so many events in so many minutes.

    All that failed in the hour before, going on like that, would bring less than half of them.
    """
    if series is None:
        return False
    before = series.events(step_of(began - BEFORE), step_of(began))
    rate = Measured(before / (BEFORE / MINUTE), BEFORE / MINUTE)
    return not before or 2 * most_usual(rate, minutes, CHANCE) < events


def too_few_others(series: Series | None, since: datetime, own: int, least: int) -> bool:
    """Return whether all errors since then, without the incident's own, are fewer than `least`."""
    return series is not None and series.events(step_of(since), series.end) - own < least
