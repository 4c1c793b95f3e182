"""The picture of an incident in the message that says it is over: a chart, what happened when, and
the same numbers in words.
"""

from __future__ import annotations

from handlers.views.blocks import Block, Native, context
from handlers.views.charts import LABEL, chart
from handlers.views.text import spoken, when, words
from phases.record.incident import Incident
from phases.verification.event_chart import Point, in_words, letter, marks, points, unit


def pictured(incident: Incident) -> list[Block | Native]:
    """Empty where recovery was not measured, or Sentry has no minutes."""
    found = points(incident)
    if incident.picture is None or not found:
        return []
    happened = " · ".join(
        f"{words(mark.says, 60)} {when(mark.at, '{time}')}" for mark in marks(incident)
    )
    drawing = chart(
        f"{incident.id}: events a minute",
        [_label(point) for point in found],
        {"events a minute": [point.per_minute for point in found]},
        x=f"{unit(incident.picture)} since the alert",
        y="events a minute",
        plainly=[context(spoken(in_words(incident)))],
    )
    return [drawing, context(happened)]


def _label(point: Point) -> str:
    """`3 rollback`: the minute, and what happened then; by its letters where the words do not fit."""
    words_ = " ".join((point.label, *dict.fromkeys(mark.word for mark in point.marks)))
    return (
        words_
        if len(words_) <= LABEL
        else " ".join((point.label, *dict.fromkeys(map(letter, point.marks))))
    )
