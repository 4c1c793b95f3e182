"""The timeline as a person reads it: how long each part took, then the entries by page."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.views.blocks import (
    Block,
    Element,
    Message,
    actions,
    button,
    context,
    message,
    section,
)
from handlers.views.text import clock, link, person, spoken, when, words
from phases.record.durations import durations
from phases.record.incident import Entry, Incident
from phases.record.timeline import line
from phases.text.wording import lasting

PAGE = 30
"""Entries at once: they fit Slack's limits, and a phone's patience."""
LINE, PINNED = 150, 300


def timeline(incident: Incident, entries: Sequence[Entry], *, until: int | None = None) -> Message:
    """The newest page, or the one that ends before entry number `until`."""
    end = len(entries) if until is None else max(0, min(until, len(entries)))
    begin = max(0, end - PAGE)
    shown = entries[begin:end]
    lines = [
        f"{_at(each, before)} {_entry(each)}"
        for each, before in zip(shown, (None, *shown), strict=False)
    ]
    blocks: list[Block | None] = [section(_head(incident, begin, end, len(entries)))]
    blocks += [context("\n".join(lines[at : at + 10])) for at in range(0, len(lines), 10)]
    blocks.append(actions(_pages(incident, begin, end, len(entries))))
    if not entries:
        blocks.append(context("Nothing has happened yet."))
    elif incident.open:
        blocks.append(
            context("React with :pushpin: to a message in the incident's channel to add it here.")
        )
    return message(f"{incident.id}: timeline", blocks)


def _head(incident: Incident, begin: int, end: int, total: int) -> str:
    took = durations(incident)
    parts = (
        ("to detect", took.to_detect),
        ("to decide", took.to_decide),
        ("to act", took.to_act),
        ("to recover", took.to_recover),
    )
    known = " · ".join(f"{lasting(span)} {name}" for name, span in parts if span is not None)
    which = f"\n{begin + 1} to {end} of {total}" if end - begin < total else ""
    return f"*{incident.id}* {words(incident.title, 200)}" + (f"\n{known}" if known else "") + which


def _at(entry: Entry, before: Entry | None) -> str:
    """The time of day; with its day, where another day begins."""
    same_day = before is not None and before.at.date() == entry.at.date()
    return clock(entry.at) if same_day else when(entry.at, "{date_short_pretty} {time_secs}")


def _entry(entry: Entry) -> str:
    at = f" {link(entry.url, 'link')}" if entry.url else ""
    if entry.kind == "pin":
        return f"📌 {person(entry.by, 'a bot')}: {spoken(entry.text, PINNED, lines=False)}{at}"
    if entry.kind == "update":
        return f"{spoken(line(entry), PINNED, lines=False)}{at}"
    by = f" ({person(entry.by)})" if entry.by and f"<@{entry.by}>" not in entry.text else ""
    return f"{spoken(entry.text, LINE, lines=False)}{by}{at}"


def _pages(incident: Incident, begin: int, end: int, total: int) -> list[Element]:
    pages: list[Element] = []
    if begin > 0:
        pages.append(
            button("‹ Older", "incident.timeline", {"incident": incident.id, "until": begin})
        )
    if end < total:
        later = {"incident": incident.id, "until": min(total, end + PAGE)}
        pages.append(button("Newer ›", "incident.timeline_newer", later))
    return pages
