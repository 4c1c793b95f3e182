"""The timeline as it is shown: entries by their right time, each with its newest words.

A correction is an entry, too (`Entry.corrects`): the list only grows, and the record keeps what was
written first.
"""

from collections.abc import Mapping, Sequence

from phases.record.incident import Entry
from phases.record.tokens import mentioned
from phases.text.wording import listed, short, stamp

PEOPLES = ("pin", "update")
"""Kinds of entries that hold people's words."""
CORRECTION = "correction:"
WAS = 80
"""Characters of an entry's first words beside its right ones."""


class Shown(Entry):
    """An entry as it is shown, with what a correction of it needs to know."""

    id: str = ""
    """The name by which a correction knows it: its place in the list, or its `ref`."""
    of: str = ""
    """The duplicate in whose record it stands, if it was joined from there."""
    recorded: Entry | None = None
    """As it was recorded; None if nobody ever corrected it."""
    corrections: tuple[Entry, ...] = ()
    """Every correction of it, the oldest first."""

    @property
    def corrected(self) -> bool:
        """True if it reads otherwise than it was recorded, and no correction was taken back."""
        was = self.recorded
        return was is not None and (was.text, was.at) != (self.text, self.at)


def entry_stub(entry: Entry) -> Entry:
    """Return an entry as the list holds it: without words that can be taken back."""
    if entry.ref is None:
        return entry
    bare = Entry(at=entry.at, kind=entry.kind, text="", ref=entry.ref)
    if entry.corrects is None:
        return bare
    mends = {"corrects": entry.corrects, "moved_to": entry.moved_to, "by": entry.by}
    return bare.model_copy(update=mends)


def correction_ref(of: str) -> str | None:
    """Return the `ref` of a correction's words: they are erased with those that they correct."""
    return None if of.isdecimal() else CORRECTION + of


def shown_timeline(entries: Sequence[Entry], words: Mapping[str, Entry]) -> list[Shown]:
    """Return the entries by time, each `ref` once with its newest words, corrected.

    What was taken back is left out, with its corrections. An entry with a `ref` and words of its
    own (joined from elsewhere) stays as it is.
    """
    hidden: set[str] = set()
    newest: dict[str, int] = {}
    corrections: dict[str, list[int]] = {}
    for at, entry in enumerate(entries):
        if entry.hides is not None:
            hidden.add(entry.hides)
            corrections.pop(entry.hides, None)
        if entry.ref is not None:
            hidden.discard(entry.ref)
            newest[entry.ref] = at
        if entry.corrects is not None:
            corrections.setdefault(entry.corrects, []).append(at)

    def whole(at: int) -> Entry:
        entry = entries[at]
        if entry.ref is None or newest[entry.ref] != at:
            return entry
        return words.get(entry.ref, entry)

    left: list[Shown] = []
    for at, entry in enumerate(entries):
        if entry.hides is not None or entry.corrects is not None:
            continue
        if entry.ref is not None and (entry.ref in hidden or newest[entry.ref] != at):
            continue
        full = whole(at)
        if full.ref is None or full.text:
            id = entry.ref or str(at)
            left.append(
                _corrected_entry(
                    full, id, [whole(correction) for correction in corrections.get(id, ())]
                )
            )
    return sorted(left, key=lambda entry: entry.at)


def _corrected_entry(entry: Entry, id: str, corrections: Sequence[Entry]) -> Shown:
    now = _versions(entry, corrections)[-1]
    given = {**vars(now), **(now.model_extra or {}), "id": id}
    if corrections:
        given |= {"recorded": entry, "corrections": tuple(corrections)}
    return Shown.model_construct(None, **given)


def _versions(entry: Entry, corrections: Sequence[Entry]) -> list[Entry]:
    """Return the entry as it was recorded, and as each correction left it.

    A correction holds only what it changes: of two at once, one of the words and one of the time,
    both stay.
    """
    versions = [entry]
    for correction in corrections:
        mended = {
            "text": correction.text or versions[-1].text,
            "at": correction.moved_to or versions[-1].at,
        }
        versions.append(versions[-1].model_copy(update=mended))
    return versions


def as_recorded(entry: Entry) -> Entry:
    """Return the entry as it was recorded: what was measured does not follow a correction."""
    return (entry.recorded or entry) if isinstance(entry, Shown) else entry


def author_words(entry: Entry) -> list[Entry]:
    """Return the entry in its author's words, and in those of whoever corrected them."""
    first = as_recorded(entry)
    if not isinstance(entry, Shown) or entry.text == first.text:
        return [first]
    by = next(
        (
            correction.by
            for correction in reversed(entry.corrections)
            if correction.text == entry.text
        ),
        None,
    )
    return [first, entry.model_copy(update={"by": by})]


def earlier_versions(entry: Entry) -> list[Entry]:
    """Return what the entry was before each of its corrections."""
    if not isinstance(entry, Shown) or entry.recorded is None:
        return []
    return _versions(entry.recorded, entry.corrections)[:-1]


def entry_line(entry: Entry) -> str:
    """Return the entry's text, with the person's name in front of a person's words."""
    by = mentioned(entry.by) if entry.by else "a bot"
    return f"{by}: {entry.text}" if entry.kind in PEOPLES and by not in entry.text else entry.text


def correction_note(entry: Entry) -> str:
    """Return who corrected it, and what it was: `corrected by <@U…>: was … UTC “…”`."""
    if not isinstance(entry, Shown) or entry.recorded is None or not entry.corrected:
        return ""
    before = entry.recorded
    people = [
        mentioned(correction.by)
        for correction in entry.corrections
        if correction.text == entry.text or correction.moved_to == entry.at
    ]
    parts = [stamp(before.at)] if before.at != entry.at else []
    if before.text != entry.text:
        words = before.text.removeprefix(f"{entry.of}: ") if entry.of else before.text
        parts.append(f"“{short(' '.join(words.split()), WAS)}”")
    return f"corrected by {listed(list(dict.fromkeys(people)))}: was {' '.join(parts)}"
