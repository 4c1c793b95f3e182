"""The list of the timeline's entries in a post-mortem's file, and the same file once it changed."""

from collections.abc import Mapping, Sequence

from phases.record.incident import Entry, Incident
from phases.record.timeline import Shown, as_recorded, correction_note, entry_line
from phases.text.markdown import Names, inline
from phases.text.wording import stamp

HEAD = ("| Time | | What |", "| --- | --- | --- |")


def entry_table(entries: Sequence[Entry], names: Names) -> list[str]:
    if not entries:
        return []
    rows = [_table_row(entry, names) for entry in sorted(entries, key=lambda entry: entry.at)]
    return ["As it was recorded:", "", *HEAD, *rows]


def entries_with_links(
    entries: Sequence[Entry], incident: Incident, links: Mapping[int, str]
) -> list[Entry]:
    """Return the entries; what was decided by a click has the address of its message.

    `links` has it by the number of the round.
    """
    return [_entry_with_link(entry, incident, links) for entry in entries]


def _entry_with_link(entry: Entry, incident: Incident, links: Mapping[int, str]) -> Entry:
    from_elsewhere = isinstance(entry, Shown) and entry.of
    if entry.kind != "decision" or entry.url or from_elsewhere:
        return entry
    at = as_recorded(entry).at
    number = max((r.number for r in incident.rounds if r.opened_at <= at), default=0)
    return entry.model_copy(update={"url": links[number]}) if number in links else entry


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
    return "\n".join([*lines[:begin], *entry_table(entries, names)[2:], *lines[end:]])


def _table_row(entry: Entry, names: Names) -> str:
    first = correction_note(entry)
    corrected = f" ({inline(first, names)})" if first else ""
    words = f"{inline(entry_line(entry), names, 600)}{corrected}{_source_link(entry)}"
    return f"| {stamp(entry.at)} | {inline(entry.kind, names)} | {words} |"


def _source_link(entry: Entry) -> str:
    url = inline(entry.url, {}) if entry.url else ""
    return f" {url}" if url.startswith("<http") else ""
