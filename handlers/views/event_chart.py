"""The chart of an incident's events: what happened when, and the same numbers in words."""

from handlers.views.blocks import Block, Native, context
from handlers.views.charts import LABEL, chart
from handlers.views.text import spoken, when, words
from phases.record.incident import Incident
from phases.verification.event_chart import (
    Point,
    chart_in_words,
    chart_marks,
    chart_points,
    chart_unit,
    letter_of,
)


def pictured(incident: Incident) -> list[Block | Native]:
    """Return the chart; empty where recovery was not measured, or Sentry has no minutes."""
    measured = chart_points(incident)
    if incident.picture is None or not measured:
        return []
    happened = " · ".join(
        f"{words(mark.says, 60)} {when(mark.at, '{time}')}" for mark in chart_marks(incident)
    )
    drawing = chart(
        f"{incident.id}: events a minute",
        [_label(point) for point in measured],
        {"events a minute": [point.per_minute for point in measured]},
        axes=(f"{chart_unit(incident.picture)} since the alert", "events a minute"),
        plainly=[context(spoken(chart_in_words(incident)))],
    )
    return [drawing, context(happened)]


def _label(point: Point) -> str:
    """Return the minute and what happened then, as letters where the words do not fit."""
    label = " ".join((point.label, *dict.fromkeys(mark.word for mark in point.marks)))
    if len(label) <= LABEL:
        return label
    return " ".join((point.label, *dict.fromkeys(map(letter_of, point.marks))))
