"""Phase 1: what need not be asked, because the answers that are there tell it.

The calls of a triage are counted (docs/performance.md). Nothing here guesses: a question is left
out only where its answer follows from others.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from phases.ports.tracker_values import EventPicture
from phases.triage.picture.fire import MINUTE, Series, step_of, time_of


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


def nothing_failed(series: Series | None, since: datetime, until: datetime) -> bool:
    """Return whether no error at all came in a span, up to the step in which it ends."""
    return series is not None and not series.events(step_of(since), step_of(until))


def too_few_others(series: Series | None, since: datetime, own: int, least: int) -> bool:
    """Return whether all errors since then, without the incident's own, are fewer than `least`."""
    return series is not None and series.events(step_of(since), series.end) - own < least


def begin_of_step(at: datetime) -> datetime:
    return time_of(step_of(at))
