"""The timeline as a person reads it: how long each part took, then the entries by page."""

from collections.abc import Sequence

from handlers.views.blocks import (
    FIELD_TEXT,
    Block,
    Element,
    Message,
    actions,
    button,
    context,
    message,
    section,
)
from handlers.views.text import clock, link, person, size, spoken, when, words
from phases.record.durations import durations
from phases.record.incident import Entry, Incident
from phases.record.timeline import as_recorded, correction_note, entry_line
from phases.text.wording import lasting

PAGE = 30
"""Entries at once: they fit Slack's limits, and a phone's patience."""
LINE, PINNED, CORRECTED = 200, 300, 200


def page(total: int, until: int | None) -> range:
    """Return the numbers of the entries on the newest page, or on the one before `until`."""
    end = total if until is None else max(0, min(until, total))
    return range(max(0, end - PAGE), end)


def timeline(
    incident: Incident, entries: Sequence[Entry], *, until: int | None = None, said: str = ""
) -> Message:
    """The newest page, or the one that ends before entry number `until`.

    `said` stands below it: what has just been done.
    """
    numbers = page(len(entries), until)
    begin, end = numbers.start, numbers.stop
    shown = entries[begin:end]
    lines = [
        f"{_time_of_day(each, before)} {_entry(each)}"
        for each, before in zip(shown, (None, *shown), strict=False)
    ]
    which = f"\n{begin + 1} to {end} of {len(entries)}" if len(shown) < len(entries) else ""
    blocks: list[Block | None] = [section(_head(incident, entries) + which)]
    blocks += _blocks(lines)
    blocks.append(actions(_pages(incident, begin, end, len(entries))))
    if said:
        blocks.append(context(said))
    if not entries:
        blocks.append(context("Nothing has happened yet."))
    elif incident.open:
        blocks.append(
            context("React with :pushpin: to a message in the incident's channel to add it here.")
        )
    return message(f"{incident.id}: timeline", blocks)


def _head(incident: Incident, entries: Sequence[Entry]) -> str:
    took = durations(incident)
    parts = (
        ("to detect", took.to_detect),
        ("to decide", took.to_decide),
        ("to act", took.to_act),
        ("to recover", took.to_recover),
    )
    known = " · ".join(f"{lasting(span)} {name}" for name, span in parts if span is not None)
    if known and any(as_recorded(entry).at != entry.at for entry in entries):
        known += " (as measured)"
    return f"*{incident.id}* {words(incident.title, 200)}" + (f"\n{known}" if known else "")


def _time_of_day(entry: Entry, before: Entry | None) -> str:
    """The time of day; with its day, where another day begins."""
    same_day = before is not None and before.at.date() == entry.at.date()
    return clock(entry.at) if same_day else when(entry.at, "{date_short_pretty} {time_secs}")


def _entry(entry: Entry) -> str:
    at = f" {link(entry.url, 'link')}" if entry.url else ""
    if first := correction_note(entry):
        at += f" ({spoken(first, CORRECTED, lines=False)})"
    if entry.kind == "pin":
        return f"📌 {person(entry.by, 'a bot')}: {spoken(entry.text, PINNED, lines=False)}{at}"
    if entry.kind == "update":
        return f"{spoken(entry_line(entry), PINNED, lines=False)}{at}"
    by = f" ({person(entry.by)})" if entry.by and f"<@{entry.by}>" not in entry.text else ""
    return f"{spoken(entry.text, LINE, lines=False)}{by}{at}"


def _pages(incident: Incident, begin: int, end: int, total: int) -> list[Element]:
    pages: list[Element] = []
    if begin > 0:
        earlier = {"incident": incident.id, "until": begin}
        pages.append(button("‹ Older", "incident.timeline", earlier))
    if end < total:
        later = {"incident": incident.id, "until": min(total, end + PAGE)}
        pages.append(button("Newer ›", "incident.timeline_newer", later))
    if total:
        here = {"incident": incident.id, "until": end}
        pages.append(button("Correct an entry", "incident.correct", here))
    return pages


def _blocks(lines: Sequence[str]) -> list[Block]:
    """Return the lines in as few blocks as hold them whole."""
    texts: list[str] = []
    for each in lines:
        joined = f"{texts[-1]}\n{each}" if texts else each
        if texts and size(joined) <= FIELD_TEXT:
            texts[-1] = joined
        else:
            texts.append(each)
    return [context(text) for text in texts]
