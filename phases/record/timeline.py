"""The timeline as it is shown: entries by time, each with its newest words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from phases.record.incident import Entry
from phases.record.tokens import mentioned

PEOPLES = ("pin", "update")
"""Kinds of entries that hold people's words."""


def stub(entry: Entry) -> Entry:
    """Return an entry as the list holds it: without words that can be taken back."""
    if entry.ref is None:
        return entry
    return Entry(at=entry.at, kind=entry.kind, text="", ref=entry.ref)


def shown(entries: Sequence[Entry], words: Mapping[str, Entry]) -> list[Entry]:
    """Return the entries by time, each `ref` once with its newest words.

    What was taken back is left out. An entry with a `ref` and words of its own (joined from
    elsewhere) stays as it is.
    """
    hidden: set[str] = set()
    newest: dict[str, int] = {}
    for at, entry in enumerate(entries):
        if entry.hides is not None:
            hidden.add(entry.hides)
        if entry.ref is not None:
            hidden.discard(entry.ref)
            newest[entry.ref] = at
    left: list[Entry] = []
    for at, entry in enumerate(entries):
        if entry.hides is not None or (
            entry.ref is not None and (entry.ref in hidden or newest[entry.ref] != at)
        ):
            continue
        full = words.get(entry.ref, entry) if entry.ref is not None else entry
        if full.ref is None or full.text:
            left.append(full)
    return sorted(left, key=lambda entry: entry.at)


def line(entry: Entry) -> str:
    """Return the entry's text, with the person's name in front of a person's words."""
    by = mentioned(entry.by) if entry.by else "a bot"
    return f"{by}: {entry.text}" if entry.kind in PEOPLES and by not in entry.text else entry.text
