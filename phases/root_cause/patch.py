"""Phase 2: read a patch in git's unified form.

A patch says where it changes a file, whether it wrote a line, and where that line stood before.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from phases.text.wording import word_list

NEAR_LINES = 3
"""A change this close to a line is beside it: git's own idea of context."""

_HUNK = re.compile(r"\n@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@[ ]?(.*)")
_RENAMED = re.compile(r"(?m)^rename from (.+)$")
_ADDED = re.compile(r"\n\+(?!\+\+ )(.*)")
_REMOVED = re.compile(r"\n-(?!-- )(.*)")
_DEFINES = re.compile(
    r"\n (\s*(?:export |default |pub |async )*(?:def|class|func|function|fn|fun|sub|public|private"
    r"|protected|static|void|struct|interface|module) [^=\n]*)"
)


class Hunk(NamedTuple):
    old_start: int
    old_count: int
    new_start: int
    new_count: int
    begin: int
    end: int
    """The place of its lines in the patch's text."""


@dataclass(frozen=True, slots=True)
class LineFate:
    """The effect of one patch on the line that later stood at the asked place."""

    written: bool
    """The patch added this very line."""
    distance: int | None
    """Lines between it and the nearest change of the patch; None where the patch has no hunks."""
    before: int
    """Its place before the patch (for a written line: where it would have stood)."""
    text: str = ""
    """The line itself, where the patch shows it."""


class Patch:
    """One file's patch. Each answer is worked out when it is first asked for: most never are."""

    __slots__ = ("_around", "_changed", "_hunks", "_shape", "path", "text")

    def __init__(self, text: str, path: str = "") -> None:
        self.text = (
            f"\n{text}" if text.startswith("@@ ") else text
        )  # some hosts hand out patches without a head
        self.path = path
        self._hunks: tuple[Hunk, ...] | None = None
        self._changed: tuple[str, str] | None = None
        self._around: str | None = None
        self._shape: bool | None = None

    @property
    def hunks(self) -> tuple[Hunk, ...]:
        if self._hunks is None:
            self._hunks = _read_hunks(self.text)
        return self._hunks

    @property
    def changed(self) -> tuple[str, str]:
        """The added and the removed lines."""
        if self._changed is None:
            self._changed = (
                "\n".join(_ADDED.findall(self.text)),
                "\n".join(_REMOVED.findall(self.text)),
            )
        return self._changed

    @property
    def size(self) -> int:
        """The lines that it adds or removes."""
        return self.text.count("\n+") + self.text.count("\n-")

    @property
    def around(self) -> str:
        """The headings of the hunks, and unchanged lines in them that define something."""
        if self._around is None:
            headings = (match.group(5) for match in _HUNK.finditer(self.text))
            self._around = "\n".join((*headings, *_DEFINES.findall(self.text)))
        return self._around

    @property
    def only_shape(self) -> bool:
        """Nothing that runs was changed: only blanks, empty lines and comments."""
        if self._shape is None:
            self._shape = _only_shape(self.text, self.path)
        return self._shape

    def changes(self, text: str) -> bool:
        """Say whether changed lines hold the text, as a whole word: `rate` is not in `rates`."""
        return text in self.text and any(_has_word(side, text) for side in self.changed)

    def names(self, function: str) -> bool:
        """Say whether changed lines name a function, or the change stands in it."""
        if function not in self.text:
            return False
        return self.changes(function) or _has_word(self.around, function)

    def adds(self, line: str) -> bool:
        """Say whether it adds this line of code, whatever blanks are around it."""
        return line in self.text and line in self.changed[0]

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
                return LineFate(
                    False, _nearer(nearest, hunk.new_start - line + NEAR_LINES), line - shift
                )
            if line < hunk.new_start + hunk.new_count:
                return self._fate_inside_hunk(hunk, line, nearest)
            nearest = _nearer(nearest, line - hunk.new_start - hunk.new_count + 1 + NEAR_LINES)
            shift = hunk.new_start + hunk.new_count - hunk.old_start - hunk.old_count
        return LineFate(False, nearest, line - shift)

    def _fate_inside_hunk(self, hunk: Hunk, line: int, nearest: int | None) -> LineFate:
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


def _has_word(lines: str, word: str) -> bool:
    return word in lines and _whole_word(word).search(lines) is not None


def count_word(lines: str, word: str) -> int:
    return len(_whole_word(word).findall(lines)) if word in lines else 0


def sets_name(lines: str, name: str) -> bool:
    """Say whether one of the lines defines the name, sets it or passes it as a keyword."""
    return name in lines and _setting(name).search(lines) is not None


@lru_cache(maxsize=1_000)
def _setting(name: str) -> re.Pattern[str]:
    bare = re.escape(name)
    return re.compile(
        r"(?:\b(?:def|class|function|func|fn|module|interface|struct|var|let|const)\s+(?:self\.)?"
        rf"(?:\([^)]*\)\s*)?{bare}(?!\w))|(?<!\w){bare}\s*(?::[^=\n]+)?=(?![=>])"
    )


@lru_cache(maxsize=1_000)
def _whole_word(word: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(word)}(?!\w)")


def _only_shape(text: str, path: str) -> bool:
    """Read up to the first hunk that does more.

    Where indentation has a meaning, a line that moved in or out is a change.
    """
    indented = path.lower().endswith(_INDENTED)
    at = text.find("\n@@ ")
    if at < 0 or "\ndeleted file mode" in text[:at]:
        return False  # what is imported from a file that has only comments fails without it, too
    while at >= 0:
        following = text.find("\n@@ ", at + 1)
        added = removed = ""
        for row in text[at : following if following >= 0 else len(text)].split("\n"):
            if row[:1] == "+":
                added += _bare_row(row[1:], indented)
            elif row[:1] == "-":
                removed += _bare_row(row[1:], indented)
            else:
                continue
            if added and removed and not (added.startswith(removed) or removed.startswith(added)):
                return False
        if added != removed:
            return False
        at = following
    return True


_COMMENT = re.compile(
    r"^(?:#(?!!|\s*(?:include|if|else|endif|define|pragma)\b)|//|/\*|\*(?:/|\s|$)|--\s|;;|%%|<!--)"
)
_COMMENT_BEGINS = "#/*-;%<"
_INDENTED = word_list(
    """
    .py .pyi .pyx .yml .yaml .coffee .haml .pug .sass .nim .fs .hs .gd
    """
)


def _bare_row(row: str, indented: bool) -> str:
    bare = row.strip()
    if not bare or (bare[0] in _COMMENT_BEGINS and _COMMENT.match(bare)):
        return ""
    return row.rstrip() + "\n" if indented else "".join(bare.split())


def _read_hunks(text: str) -> tuple[Hunk, ...]:
    matches = list(_HUNK.finditer(text))
    hunks: list[Hunk] = []
    ends = [*(m.start() + 1 for m in matches[1:]), len(text)]
    for match, end in zip(matches, ends, strict=False):  # without a hunk there is one end too many
        old, old_count, new, new_count, _ = match.groups()
        old_lines = 1 if old_count is None else int(old_count)
        new_lines = 1 if new_count is None else int(new_count)
        # An empty side is named by the line before it (POSIX, diff -u).
        old_start, new_start = int(old) + (old_lines == 0), int(new) + (new_lines == 0)
        hunks.append(
            Hunk(old_start, old_lines, new_start, new_lines, min(match.end() + 1, end), end)
        )
    return tuple(hunks)


def _nearer(nearest: int | None, distance: int) -> int:
    return distance if nearest is None else min(nearest, distance)
