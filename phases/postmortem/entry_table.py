"""The list of the timeline's entries in a post-mortem's file, and the same file once it changed."""

from __future__ import annotations

from collections.abc import Sequence

from phases.record.incident import Entry
from phases.record.timeline import line, was
from phases.text.markdown import Names, inline
from phases.text.wording import stamp

HEAD = ("| Time | | What |", "| --- | --- | --- |")


def table(entries: Sequence[Entry], names: Names) -> list[str]:
    if not entries:
        return []
    rows = [_row(entry, names) for entry in sorted(entries, key=lambda entry: entry.at)]
    return ["As it was recorded:", "", *HEAD, *rows]


def with_entries(text: str, entries: Sequence[Entry], names: Names) -> str:
    """Return the same file with today's list. Whatever people changed outside of it stays.

    A file without the list, as people may have made it, does not change.
    """
    lines = text.split("\n")
    begin = next((n for n in range(len(lines)) if tuple(lines[n : n + 2]) == HEAD), None)
    if begin is None or not entries:
        return text
    end = begin
    while end < len(lines) and lines[end].startswith("|"):
        end += 1
    return "\n".join([*lines[:begin], *table(entries, names)[2:], *lines[end:]])


def _row(entry: Entry, names: Names) -> str:
    first = was(entry)
    corrected = f" ({inline(first, names)})" if first else ""
    words = f"{inline(line(entry), names, 600)}{corrected}{_source(entry)}"
    return f"| {stamp(entry.at)} | {inline(entry.kind, names)} | {words} |"


def _source(entry: Entry) -> str:
    url = inline(entry.url, {}) if entry.url else ""
    return f" {url}" if url.startswith("<http") else ""
