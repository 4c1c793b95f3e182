"""A patch in git's unified form: where it changes a file, whether it wrote a given line, and where that line stood before."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

NEAR_LINES = 3
"""A change this close to a line is beside it: git's own idea of context."""

_HUNK = re.compile(r"\n@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@[ ]?(.*)")
_RENAMED = re.compile(r"(?m)^rename from (.+)$")
_WORD = re.compile(r"\w")


class Hunk(NamedTuple):
    old_start: int
    old_count: int
    new_start: int
    new_count: int
    heading: str
    """What git prints behind the numbers: most often the function that the hunk begins in."""
    begin: int
    end: int
    """Where its lines stand in the patch's text."""


@dataclass(frozen=True, slots=True)
class LineFate:
    """What one patch did to the line that later stood at the asked place."""

    written: bool
    """The patch added this very line."""
    distance: int | None
    """Lines between it and the nearest change of the patch; None where the patch has no hunks."""
    before: int
    """Where it stood before the patch (for a written line: where it would have stood)."""
    text: str = ""
    """The line itself, where the patch shows it."""


class Patch:
    """One file's patch, with its hunks' headings read once; bodies are read only for lines that fall into them."""

    __slots__ = ("hunks", "text")

    def __init__(self, text: str) -> None:
        self.text = f"\n{text}" if text.startswith("@@ ") else text  # some hosts hand out patches without a head
        self.hunks = _hunks(self.text)

    @property
    def renamed_from(self) -> str | None:
        head = self.text[: self.hunks[0].begin] if self.hunks else self.text
        match = _RENAMED.search(head)
        return match.group(1) if match else None

    def fate(self, line: int) -> LineFate:
        """`line` counts in the file as the patch leaves it."""
        shift = 0
        nearest: int | None = None
        for hunk in self.hunks:
            if line < hunk.new_start:
                return LineFate(False, _nearer(nearest, hunk.new_start - line + NEAR_LINES), line - shift)
            if line < hunk.new_start + hunk.new_count:
                return self._inside(hunk, line, nearest)
            nearest = _nearer(nearest, line - hunk.new_start - hunk.new_count + 1 + NEAR_LINES)
            shift = hunk.new_start + hunk.new_count - hunk.old_start - hunk.old_count
        return LineFate(False, nearest, line - shift)

    def _inside(self, hunk: Hunk, line: int, nearest: int | None) -> LineFate:
        old, new = hunk.old_start, hunk.new_start
        written, before, text = False, hunk.old_start, ""
        for row in self.text[hunk.begin : hunk.end].split("\n"):
            sign = row[:1]
            if sign == "+":
                if new == line:
                    written, before, text = True, old, row[1:]
                nearest = _nearer(nearest, abs(new - line))
                new += 1
            elif sign == "-":
                nearest = _nearer(nearest, abs(new - line) if new <= line else new - line)
                old += 1
            elif sign != "\\":
                if new == line:
                    before, text = old, row[1:]
                old += 1
                new += 1
        return LineFate(written, nearest, before, text.strip())


@dataclass(slots=True)
class Found:
    """Where a word stands in a patch, as a whole word."""

    added: bool = False
    removed: bool = False
    around: bool = False
    """It heads a hunk, or is defined in an unchanged line of one: the change is in it, or right beside."""

    def join(self, other: Found) -> Found:
        return Found(self.added or other.added, self.removed or other.removed, self.around or other.around)

    def __bool__(self) -> bool:
        return self.added or self.removed or self.around


def find_word(text: str, word: str, limit: int = 40) -> Found:
    """Looks at `limit` places at most."""
    found = Found()
    at = text.find(word)
    while at >= 0 and limit and not (found.added and found.removed):
        limit -= 1
        end = at + len(word)
        if not (_WORD.match(text[at - 1 : at]) or _WORD.match(text[end : end + 1])):
            start = text.rfind("\n", 0, at) + 1
            sign = text[start : start + 1]
            if sign in "+-" and text[start : start + 4] not in ("+++ ", "--- "):
                found.added, found.removed = found.added or sign == "+", found.removed or sign == "-"
            elif text.startswith("@@ ", start) or (sign == " " and _DEFINES.search(text[start:at])):
                found.around = True
        at = text.find(word, end)
    return found


_DEFINES = re.compile(
    r"\b(?:def|class|func|function|fn|fun|sub|public|private|protected|static|void|async|struct|interface|module)\s[^=]*$"
)


def only_shape(text: str, path: str) -> bool:
    """Whether a patch changes nothing but blanks, empty lines and comments: nothing that runs. Read up to the first hunk that does more.

    Where indentation has a meaning (Python, YAML), a line that moved in or out is a change.
    """
    indented = path.lower().endswith(_INDENTED)
    at = _next_hunk(text, 0)
    if at < 0:
        return False
    while at >= 0:
        following = _next_hunk(text, at + 1)
        added: list[str] = []
        removed: list[str] = []
        for row in text[at : following if following >= 0 else len(text)].split("\n"):
            if row[:1] == "+":
                added.append(_bare(row[1:], indented))
            elif row[:1] == "-":
                removed.append(_bare(row[1:], indented))
        if "".join(added) != "".join(removed):
            return False
        at = following
    return True


_COMMENT = re.compile(r"^(?:#(?!!|\s*(?:include|if|else|endif|define|pragma)\b)|//|/\*|\*(?:/|\s|$)|--\s|;;|%%|<!--)")


_INDENTED = (".py", ".pyi", ".pyx", ".yml", ".yaml", ".coffee", ".haml", ".pug", ".sass", ".nim", ".fs", ".hs", ".gd")


def _bare(row: str, indented: bool) -> str:
    bare = row.strip()
    if not bare or _COMMENT.match(bare):
        return ""
    return row.rstrip() + "\n" if indented else re.sub(r"\s+", "", bare)


def _next_hunk(text: str, start: int) -> int:
    """Where the next hunk's heading begins, from `start` on; -1 where there is none."""
    if start == 0 and text.startswith("@@ "):
        return 0
    found = text.find("\n@@ ", max(0, start - 1))
    return found + 1 if found >= 0 else -1


def _hunks(text: str) -> tuple[Hunk, ...]:
    matches = list(_HUNK.finditer(text))
    found: list[Hunk] = []
    ends = [*(m.start() + 1 for m in matches[1:]), len(text)]
    for match, end in zip(matches, ends, strict=False):  # without a hunk there is one end too many
        old, old_count, new, new_count, heading = match.groups()
        old_lines = 1 if old_count is None else int(old_count)
        new_lines = 1 if new_count is None else int(new_count)
        # An empty side is named by the line before it (POSIX, diff -u).
        old_start, new_start = int(old) + (old_lines == 0), int(new) + (new_lines == 0)
        found.append(Hunk(old_start, old_lines, new_start, new_lines, heading, min(match.end() + 1, end), end))
    return tuple(found)


def _nearer(one: int | None, other: int) -> int:
    return other if one is None else min(one, other)
