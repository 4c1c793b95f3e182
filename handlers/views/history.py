"""Looking back: past incidents of a service, and trends over months.

Charts and tables come with the same numbers in words.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from handlers.views.blocks import Block, Message, Native, actions, button, context, message, section
from handlers.views.charts import SERIES, Cell, chart, table
from handlers.views.phrasing import SEVERITY_SIGNS
from handlers.views.text import channel, inline_code, link, when, words
from phases.memory.recall import outcome_text
from phases.memory.trends import Month, ServiceTrend, Trends
from phases.record.incident import Severity
from phases.record.memories import PastIncident
from phases.text.wording import capital, counted, lasting, listed

PAGE_SIZE = 10
"""The number of incidents on a page of a history."""
SERVICES_DESCRIBED = 10
"""The number of services that are described in words; all are in the table."""
FILES_SHOWN = 3


# --- history -------------------------------------------------------------------------------------


def history(
    memories: Sequence[PastIncident],
    service: str,
    titles: Mapping[str, str],
    *,
    start: int = 0,
    more: bool = False,
) -> Message:
    """Return a page of past incidents, newest first.

    `titles`: of the private ones that this person may see. `more`: older ones are not read.
    """
    of = f" of {words(service, 60)}" if service else ""
    if not memories:
        return message(f"No past incident{of}.", [section(f"No past incident{of} is remembered.")])
    page = memories[start : start + PAGE_SIZE]
    drills = sum(memory.drill for memory in memories)
    beside = f" and {counted(drills, 'drill')}" if drills else ""
    count = counted(len(memories) - drills, "past incident")
    total = f"{'at least ' if more else ''}{count}{beside}{of}"
    which = f", {start + 1} to {start + len(page)}" if len(memories) > PAGE_SIZE else ""
    blocks: list[Block | None] = [section(f"*{total[0].upper()}{total[1:]}*{which}, newest first")]
    blocks += [
        section(_line_of(memory, titles.get(memory.id, memory.title), bool(service)))
        for memory in page
    ]
    value = {"service": service, "start": 0}
    pages = (
        [button("‹ Newer", "incident.history_newer", {**value, "start": max(0, start - PAGE_SIZE)})]
        if start
        else []
    )
    if start + PAGE_SIZE < len(memories):
        pages.append(button("Older ›", "incident.history", {**value, "start": start + PAGE_SIZE}))
    return message(f"History{of}: {total}", [*blocks, actions(pages)])


def _line_of(memory: PastIncident, title: str, of_one_service: bool) -> str:
    severity = (
        f" {SEVERITY_SIGNS[Severity(memory.severity)]} SEV{memory.severity}"
        if memory.severity
        else ""
    )
    where = f" {channel(memory.channel)}" if memory.channel else ""
    marks = f"{' · drill' if memory.drill else ''}{' · private' if memory.private else ''}"
    service = "" if of_one_service else f" · {words(memory.service, 60)}"
    day = when(memory.at, "{date_short_pretty}")
    first = f"*{memory.id}*{where}{severity} · {day}{service}{marks} · {words(title, 150)}"
    if memory.private:
        return f"{first}\nover after {memory.minutes} min" if memory.minutes is not None else first
    text = words(outcome_text(memory.model_copy(update={"adr": None})), 500)
    return f"{first}\n{text}{f'; {link(memory.adr_url, memory.adr)}' if memory.adr else ''}"


# --- trends --------------------------------------------------------------------------------------


def trends(found: Trends, *, post: bool = False) -> Message:
    """Return the trends by service and month.

    `post`: for the channel, on the first of a month, about the one that has ended.
    """
    head = (
        _month_name(found.months[-1])
        if post
        else f"{_month_name(found.months[0])} to {_month_name(found.months[-1])}"
    )
    total = found.all.total
    if not total.incidents:
        beside = f" {capital(counted(total.drills, 'drill'))}." if total.drills else ""
        return message(
            f"Trends, {head}: no incident",
            [section(f"*Trends, {head}*: no incident has ended.{beside}")],
        )
    blocks: list[Block | Native | None] = [section(_headline(found, head, post))]
    if found.fragile is not None:
        since = f" since {_month_name(found.months[0])}" if post else ""
        blocks.append(
            section(
                f"*Most fragile{since}:* {words(found.fragile.says, 600)} Worth a structural fix."
            )
        )
    if files := _files(found):
        blocks.append(context(files))
    blocks.append(_incidents(found))
    blocks.append(_times(found))
    blocks.append(_table(found))
    blocks.append(
        context(
            "Minutes are medians. Impact: minutes in which users were hit. "
            "Open incidents count once users are fine again."
        )
    )
    month = found.all.months[-1] if post else total
    incidents = counted(month.incidents, "incident")
    text = f"Trends, {head}: {incidents}, {month.impact_minutes:,} min of user impact"
    return message(text, blocks)


def _headline(found: Trends, head: str, post: bool) -> str:
    row = found.all
    now, before = row.months[-1], row.months[-2] if len(row.months) > 1 else None
    if post:
        lines = [
            f"*Incidents in {head}: {now.incidents}*{_compared_with(now, before)}",
            _numbers(now),
        ]
        return "\n".join(line for line in lines if line)
    return f"*Trends, {head}: {counted(row.total.incidents, 'incident')}*\n{_numbers(row.total)}"


def _compared_with(now: Month, before: Month | None) -> str:
    return "" if before is None else f" ({before.incidents} the month before)"


def _numbers(month: Month) -> str:
    """Return the numbers of one month, or of all of them, in one line."""
    parts = [f"{month.impact_minutes:,} min of user impact"] if month.incidents else []
    parts += [spans] if (spans := _phase_minutes(month)) else []
    if month.with_cause:
        parts.append(f"{_percentage(month.by_deploys, month.with_cause)} caused by deploys")
    if month.items:
        parts.append(f"{month.items_done:,} of {counted(month.items, 'action item')} done")
    if month.drills:
        parts.append(
            counted(month.drills, "drill")
            if not month.incidents
            else f"and {counted(month.drills, 'drill')}"
        )
    return " · ".join(parts)


def _phase_minutes(month: Month) -> str:
    spans = (
        ("detect", month.detect_minutes),
        ("decide", month.decide_minutes),
        ("recover", month.recover_minutes),
    )
    return ", ".join(
        f"{lasting(timedelta(minutes=value))} to {name}"
        for name, value in spans
        if value is not None
    )


def _percentage(part: int, of: int) -> str:
    return f"{round(100 * part / of)} %"


def _files(found: Trends) -> str:
    every = [(row.service, name, times) for row in found.services for name, times in row.files]
    fragile = found.fragile and (found.fragile.service, found.fragile.area)
    others = [(name, times) for service, name, times in every if (service, name) != fragile]
    top = sorted(others, key=lambda pair: (-pair[1], pair[0]))
    names = listed([f"{inline_code(name)} {times} times" for name, times in top], most=FILES_SHOWN)
    which = "Other files" if len(others) < len(every) else "Files"
    return f"{which} that recur: {names}" if names else ""


def _incidents(found: Trends) -> Native:
    """A bar a month for each of the services with most incidents; the others together."""
    shown = found.services[: SERIES if len(found.services) <= SERIES else SERIES - 1]
    series: dict[str, list[int]] = {
        row.service: [month.incidents for month in row.months] for row in shown
    }
    if others := found.services[len(shown) :]:
        series["others"] = [
            sum(row.months[at].incidents for row in others) for at in range(len(found.months))
        ]
    plainly = "\n".join(
        f"{_month_name(name)}: {_by_service(found.services, at)}"
        for at, name in enumerate(found.months)
    )
    labels = [_month_name(name, short=True) for name in found.months]
    return chart(
        "Incidents by month",
        labels,
        series,
        axes=("", "incidents"),
        plainly=[section(f"*Incidents by month*\n{plainly}")],
    )


def _by_service(rows: Sequence[ServiceTrend], at: int) -> str:
    total = sum(row.months[at].incidents for row in rows)
    each = [
        f"{words(row.service, 60)} {row.months[at].incidents}"
        for row in rows
        if row.months[at].incidents
    ]
    return f"{total}{f' ({listed(each, most=SERIES)})' if each else ''}"


def _times(found: Trends) -> Native | None:
    """Median minutes by month; a month without an incident is left out of the lines."""
    months = [
        (name, month)
        for name, month in zip(found.months, found.all.months, strict=True)
        if month.incidents
    ]
    series = {
        "detect": [month.detect_minutes for _, month in months],
        "decide": [month.decide_minutes for _, month in months],
        "recover": [month.recover_minutes for _, month in months],
    }
    drawn = {
        name: [value or 0.0 for value in values] for name, values in series.items() if any(values)
    }
    if len(months) < 2 or not drawn:
        return None
    labels = [_month_name(name, short=True) for name, _ in months]
    plainly = "\n".join(f"{_month_name(name)}: {_phase_minutes(month)}" for name, month in months)
    return chart(
        "Minutes to detect, decide, recover",
        labels,
        drawn,
        kind="line",
        axes=("", "minutes"),
        plainly=[section(f"*How long it took*\n{plainly}")],
    )


def _table(found: Trends) -> Native:
    """A row a service and month, newest month first; in words a line a service."""
    head = (
        "Month",
        "Service",
        "Incidents",
        "Impact (min)",
        "Detect",
        "Decide",
        "Recover",
        "By deploys",
        "Items done",
    )
    rows: list[list[Cell]] = []
    for at in range(len(found.months) - 1, -1, -1):
        for row in found.services:
            month = row.months[at]
            if month.incidents:
                rows.append([found.months[at], row.service, *_cells(month)])
    lines = [
        f"*{words(row.service, 60)}*: {_line(row)}" for row in found.services[:SERVICES_DESCRIBED]
    ]
    if len(found.services) > SERVICES_DESCRIBED:
        lines.append(f"and {counted(len(found.services) - SERVICES_DESCRIBED, 'service')} more")
    drawn = table("By service and month", head, rows)
    return replace(drawn, plain=(section("\n".join(("*By service*", *lines))),))


def _cells(month: Month) -> list[Cell]:
    def minutes(value: float | None) -> Cell:
        return "" if value is None else value

    deploys = f"{month.by_deploys} of {month.with_cause}" if month.with_cause else ""
    items = f"{month.items_done} of {month.items}" if month.items else ""
    times = (month.detect_minutes, month.decide_minutes, month.recover_minutes)
    return [month.incidents, month.impact_minutes, *map(minutes, times), deploys, items]


def _line(row: ServiceTrend) -> str:
    numbers = _numbers(row.total)
    if not row.total.incidents:
        return numbers
    number = counted(row.total.incidents, "incident")
    return f"{number} · {numbers}" if numbers else number


def _month_name(month: str, *, short: bool = False) -> str:
    """Return `2026-11` as `November 2026` or `Nov 26`."""
    at = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
    return f"{at:%b} {at:%y}" if short else f"{at:%B %Y}"
