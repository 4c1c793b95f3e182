"""Phase 5: the chart of an incident: events a minute until it was over, and what happened when.

The same numbers come as points for Slack's chart, as Mermaid for the ADR, and as a line of words.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from phases.ports.tracker_values import Minutes
from phases.record.findings import Picture
from phases.record.incident import ActionKind, Incident
from phases.record.tokens import what_was_done
from phases.text.wording import short, stamp

BEFORE_WINDOWS = 2  # "from 30 minutes before the alert": two windows
POINTS = 20  # https://docs.slack.dev/reference/block-kit/blocks/data-visualization-block
QUICK_SECONDS = (5, 10, 15, 20, 30)  # spans of a drill's short windows
LONGEST = timedelta(days=1)  # as far back as minutes are asked for
MINUTE = timedelta(minutes=1)
NAME = 40  # characters of what a mark says


class Mark(NamedTuple):
    at: datetime
    word: str
    """`deploy`, `alert`, `rollback`, `hotfix`, `fixed`, `recovered`."""
    says: str


class Point(NamedTuple):
    label: str
    """Minutes (or seconds) since the alert: `-12`, `0`, `3`."""
    per_minute: float
    marks: tuple[Mark, ...]
    """The marks within its time."""


def chart_begin(detected: datetime, now: datetime, window: timedelta) -> datetime:
    """Return the begin of the picture of an incident that was detected then, in whole minutes."""
    return _whole_minute(max(detected - BEFORE_WINDOWS * window, now - LONGEST))


def chart_of(
    minutes: Minutes, detected: datetime, now: datetime, window: timedelta
) -> Picture | None:
    """Return at most 20 equal spans of whole minutes, one of which begins with the alert's.

    The result is None where Sentry has no minutes.
    """
    begin, alert = chart_begin(detected, now, window), _whole_minute(detected)
    if not minutes.known or alert < begin or now <= alert:
        return None
    # One span more than fits evenly: the first is cut, so that the alert's begins with the alert.
    step = next(
        s for s in range(1, 2 * round(LONGEST / MINUTE)) if _spans(begin, alert, now, s) <= POINTS
    )
    first = alert - (alert - begin) // (step * MINUTE) * step * MINUTE
    counts = [0] * _spans(begin, alert, now, step)
    for at, events in minutes.counts.items():
        if first <= at < now:
            counts[min(int((at - first) // (step * MINUTE)), len(counts) - 1)] += events
    return Picture(begin=first, until=now, seconds=60 * step, counts=tuple(counts))


def quick_chart(
    detected: datetime, now: datetime, window: timedelta
) -> tuple[Picture, list[tuple[datetime, datetime]]] | None:
    """Return a picture to be filled, and the spans to count events in, for very short windows.

    There whole minutes would show nothing.
    """
    alert = detected.replace(microsecond=0)
    for seconds in QUICK_SECONDS:
        span = timedelta(seconds=seconds)
        before, since = BEFORE_WINDOWS * window // span, max(1, (now - alert) // span)
        if before + since <= POINTS and now > alert:
            starts = [alert + number * span for number in range(-before, since)]
            spans = list(zip(starts, [*starts[1:], now], strict=True))
            return Picture(begin=starts[0], until=now, seconds=seconds, counts=()), spans
    return None


def _spans(begin: datetime, alert: datetime, now: datetime, step: int) -> int:
    """Before the alert and since; what is left over of less than a minute belongs to the last."""
    return (alert - begin) // (step * MINUTE) + max(1, -(-((now - alert) // MINUTE) // step))


def chart_points(incident: Incident) -> tuple[Point, ...]:
    """Events a minute, span by span; empty where there is no picture."""
    picture = incident.picture
    if picture is None:
        return ()
    all_marks, span = chart_marks(incident), timedelta(seconds=picture.seconds)
    step = MINUTE if span >= MINUTE else timedelta(seconds=1)
    alert = incident.detected_at.replace(microsecond=0)
    alert = _whole_minute(alert) if step is MINUTE else alert
    spans: list[Point] = []
    for number, events in enumerate(picture.counts):
        start = picture.begin + number * span
        last = number == len(picture.counts) - 1
        end = picture.until if last else start + span
        inside = tuple(
            mark for mark in all_marks if start <= mark.at < end or (last and mark.at >= end)
        )
        spans.append(
            Point(
                f"{round((start - alert) / step)}",
                _rounded(events / ((end - start) / MINUTE)),
                inside,
            )
        )
    return tuple(spans)


def chart_marks(incident: Incident) -> list[Mark]:
    """Deploy, alert, actions and recovery within the picture, oldest first."""
    if incident.picture is None:
        return []
    happened = [
        Mark(incident.detected_at, "alert", "alert"),
        *_deploy_marks(incident),
        *_action_marks(incident),
    ]
    if incident.recovered_at is not None:
        happened.append(Mark(incident.recovered_at, "recovered", "recovered"))
    begin, end = incident.picture.begin, incident.picture.until + MINUTE
    return sorted(mark for mark in happened if begin <= mark.at <= end)


def _deploy_marks(incident: Incident) -> Iterator[Mark]:
    """Yield the deploys of the suspect, where there is one, else all."""
    report = incident.triage
    for deploy in report.deploys if report else ():
        if (
            report is None
            or report.suspect is None
            or report.suspect.version == deploy.release.version
        ):
            yield Mark(
                deploy.started_at, "deploy", short(f"deploy of {deploy.release.version}", NAME)
            )


def _action_marks(incident: Incident) -> Iterator[Mark]:
    for round in incident.rounds:
        action = round.action
        if action is None or action.result in ("not started", "waiting"):
            continue
        fixed = action.kind is ActionKind.FIXED
        words = "fixed another way" if fixed else what_was_done(action)
        yield Mark(action.started_at or action.at, action.kind.value, short(words, NAME))


# --- in words and for the ADR ------------------------------------------------------------------


def chart_in_words(incident: Incident) -> str:
    """Return `Events a minute, each for 3 min: 0, 0, alert 42, 40, rollback to 1.2.0 3, 0.`"""
    spans = chart_points(incident)
    if incident.picture is None or not spans:
        return ""
    texts = (
        f"{''.join(f'[{mark.says}] ' for mark in point.marks)}{_plain_number(point.per_minute)}"
        for point in spans
    )
    seconds = incident.picture.seconds
    span = f"{seconds // 60} min" if seconds >= 60 else f"{seconds} s"
    return f"Events a minute, each for {span}: {', '.join(texts)}."


def chart_unit(picture: Picture) -> str:
    """Return the unit of the labels."""
    return "minutes" if picture.seconds >= 60 else "seconds"


def mermaid_chart(incident: Incident) -> list[str]:
    """Return a chart in Markdown; letters stand for what happened, without anybody's words.

    https://mermaid.js.org/syntax/xyChart.html
    """
    spans = chart_points(incident)
    if incident.picture is None or not spans:
        return []
    unit = chart_unit(incident.picture)
    labels = (
        f'"{p.label}{" " if p.marks else ""}{"".join(letter_of(m) for m in p.marks)}"'
        for p in spans
    )
    top = max(1, *(p.per_minute for p in spans))
    return [
        "```mermaid",
        "xychart-beta",
        '    title "Events a minute"',
        f'    x-axis "{unit.capitalize()} since the alert" [{", ".join(labels)}]',
        f'    y-axis "Events a minute" 0 --> {_plain_number(top)}',
        f"    bar [{', '.join(f'{_plain_number(p.per_minute)}' for p in spans)}]",
        "```",
    ]


def letters_explained(incident: Incident) -> list[str]:
    """Return the meaning of the letters, and the time of each."""
    return [f"{letter_of(mark)}: {mark.says}, {stamp(mark.at)}" for mark in chart_marks(incident)]


def letter_of(mark: Mark) -> str:
    """D(eploy), A(lert), R(ollback), H(otfix), F(ixed), and E for the end."""
    return {"recovered": "E"}.get(mark.word, mark.word[0].upper())


def _whole_minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


def _rounded(per_minute: float) -> float:
    """Round in one way: the same number is shown everywhere."""
    return round(per_minute, 1) if per_minute < 100 else float(round(per_minute))


def _plain_number(number: float) -> str:
    """Without thousands' commas: it stands in lists."""
    return f"{number:.1f}".removesuffix(".0")
