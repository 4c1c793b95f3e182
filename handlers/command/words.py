"""The words that people type: their letters, the ids of incidents in them, what says nothing."""

import re
from dataclasses import dataclass
from typing import Self

from phases.text.letters import plain_letters, spelled
from phases.text.wording import word_list

MARKS = "\"'`*_~()[]{}「」『』【】〈〉《》"
"""Quotes, brackets, and the marks that format a word in Slack."""
STOPS = ".,;:!?"

ID = re.compile(
    r"(?<![\w-])(?:#?inc-(?P<channel>\d{4,7})-[\w-]+"
    r"|#?inc(?: ?[-_ー] ?|[:./]|[ #]?)(?P<number>\d{1,7})(?!\w|-|\.\d))",
    re.IGNORECASE,
)
"""`ー` is what the dash's key writes in Japanese."""
POLITE = frozenset({"please", "pls", "plz"})
FILLING = POLITE | frozenset(
    word_list(
        "thanks thx now asap again of for on about the a an me it this that all open current here "
        "incident incidents"
    )
)
"""Words without a meaning beside a subcommand and an id: `status of INC-0042 please`."""
JOINING = frozenset(
    {"into", "with", "and", "to", "in", "from", "off", "out", "->", "→", "=>", "&", "+"}
)


def canonical_id(id: re.Match[str]) -> str:
    return f"INC-{int(id['number'] or id['channel']):04d}"


def _ids(read: str) -> str:
    """Return the same words with every incident's id written in one way, as one word."""
    return ID.sub(canonical_id, read)


def parts_of(read: str, *, numbers: str = "") -> list[str]:
    """Return the words without marks; a number that `numbers` fits becomes an incident's id."""
    spaced = re.sub(r"(?<=\d),(?=[#i\d])", " ", _ids(read), flags=re.IGNORECASE)
    parts = [part.strip(MARKS + STOPS) for part in spaced.split()]
    number = re.compile(numbers or "(?!)")
    return [
        f"INC-{int(part.lstrip('#')):04d}" if number.fullmatch(part) else part
        for part in parts
        if part
    ]


def incident_id(text: str) -> str | None:
    """Read `inc-42`, `INC 0042` and `#inc-0042-the-till-is-stuck` as the same incident."""
    id = ID.fullmatch(spelled(text).strip().strip(MARKS + STOPS))
    return canonical_id(id) if id else None


@dataclass(frozen=True, slots=True)
class Words:
    """Words as typed, and as they read: in plain letters, without quotes around all of them."""

    typed: str
    read: str
    places: tuple[int, ...]
    """The place of each letter of `read` in `typed`."""

    @classmethod
    def of(cls, typed: str) -> Self:
        letters = [
            (" " if letter.isspace() else letter, place) for letter, place in plain_letters(typed)
        ]
        begin, end = 0, len(letters)
        while begin < end and letters[begin][0] in MARKS + " ":
            begin += 1
        while begin < end and letters[end - 1][0] in MARKS + " ":
            end -= 1
        begin = 0 if end == len(letters) else begin  # only what is around all of it
        begin = next((n for n in range(begin, end) if letters[n][0] != " "), end)
        if 0 < begin < end:
            typed = typed[: letters[end - 1][1] + 1]
        return cls(
            typed,
            "".join(letter for letter, _ in letters[begin:end]),
            tuple(place for _, place in letters[begin:end]),
        )

    def after(self, letters: int) -> Self:
        """Return what stands behind so many letters, and behind the colon or dash after them."""
        begin = letters
        while begin < len(self.read) and self.read[begin] in STOPS + "- ":
            begin += 1
        if begin == len(self.read):
            return type(self)("", "", ())
        if " " not in self.read[letters:begin]:
            begin = letters
        first = self.places[begin]
        return type(self)(
            self.typed[first:].strip(),
            self.read[begin:],
            tuple(p - first for p in self.places[begin:]),
        )
