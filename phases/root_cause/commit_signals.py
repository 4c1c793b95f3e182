"""Phase 2: what links each commit of a range to a crash, one number a signal.

`commit_ranking.py` says what each is worth. docs/performance.md names the signals that were tried
and brought nothing.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from phases.ports.file_kinds import FileKind, kind_of
from phases.ports.source_paths import PathIndex
from phases.ports.source_values import Commit
from phases.record.findings import Frame
from phases.root_cause.error_clues import Clues
from phases.root_cause.line_history import Touch, follow
from phases.root_cause.patch import ChangedSides, Patch

PATCH_LIMIT = 60_000  # characters of a patch that are looked at
USUAL = (1, 20)  # how many commits of how many change a given file, or lines with a given name
EVERYWHERE = 150  # a word in more commits than this tells none of them from the others
FARTHER = 0.2  # how much less each call away from the crash says than the one before
HALF_NEAR = 8  # lines after which a change beside a line says half
AROUND = 3  # git's own idea of context
NAMED_FILE = 0.5  # how well a path has to fit a file that the error's text names
BESIDE_THE_CODE = frozenset((FileKind.TESTS, FileKind.DOCS, FileKind.CI))


class Sign(StrEnum):
    NEAR = "near"
    """It wrote a line of the stack, or changed something near it."""
    NEW = "new"
    """The same, as far as what it changed there is not only worded or ordered anew."""
    FILE = "file"
    """It changed a file of the stack that few commits of the range change."""
    ERROR = "error"
    """It changed lines with a name or with words of the error."""
    GONE = "gone"
    """It takes away what the error misses."""
    LIBRARY = "library"
    """It changed the version of a library that is in the stack."""
    TESTED = "tested"
    """It changed a test, too: it was meant to change what the code does."""
    UNDONE = "undone"
    """It was taken back within the range, or only takes another one back."""


@dataclass(slots=True)
class Signals:
    """What links one commit to the crash: by signal its value, with a reason for people."""

    values: dict[Sign, float] = field(default_factory=dict[Sign, float])
    reasons: dict[Sign, str] = field(default_factory=dict[Sign, str])

    def most(self, sign: Sign, value: float, reason: str = "") -> None:
        """Keep the strongest of one sign."""
        if value > self.values.get(sign, 0.0):
            self.values[sign] = value
            self.reasons[sign] = reason

    def more(self, sign: Sign, value: float, reason: str) -> None:
        """Add up what is of one sign; the first reason is told."""
        if value > 0:
            self.reasons.setdefault(sign, reason)
            self.values[sign] = self.values.get(sign, 0.0) + value


def signals_of(
    own: Sequence[Frame],
    clues: Clues,
    commits: Sequence[Commit],
    blamed: Mapping[int, str],
) -> list[Signals]:
    """Return the signals of each commit.

    `own`: frames of our own code, the crashing one first. `commits`: newest first. `blamed`: by
    the number of a frame in `own`, the commit that git names for its line.
    """
    index = PathIndex(file.path for commit in commits for file in commit.files)
    patches = [[Patch(f.patch[:PATCH_LIMIT], f.path) for f in commit.files] for commit in commits]
    found = [Signals() for _ in commits]
    touches = follow(own, index, commits, patches, blamed)
    changing = Counter(t.rank for of in touches for t in {t.rank: t for t in of}.values())
    for of_commit, signals in zip(touches, found, strict=True):
        for touch in of_commit:
            _stack(touch, _rarity(changing[touch.rank], len(commits)), signals)
    code = [
        [p for p in of_commit if p.text and kind_of(p.path) not in BESIDE_THE_CODE]
        for of_commit in patches
    ]
    _error(clues, code, found)
    _named_files(clues, index, commits, found)
    for commit, signals in zip(commits, found, strict=True):
        kinds = {kind_of(file.path) for file in commit.files}
        if FileKind.TESTS in kinds and not kinds <= BESIDE_THE_CODE:
            signals.most(Sign.TESTED, 1.0)
        _libraries(commit, clues, signals)
    _undone(commits, found)
    return found


def _rarity(having: int, commits: int) -> float:
    """Return how much it says that a commit has what `having` of the commits have.

    It is the logarithm of how rare that is: 1 for one in a hundred. Of a short range little can be
    told, so that `USUAL` stands beside it (additive smoothing).
    """
    return -math.log((having + USUAL[0]) / (commits + USUAL[1])) / math.log(100)


# --- the stack -----------------------------------------------------------------------------------


def _stack(touch: Touch, rarity: float, signals: Signals) -> None:
    if touch.shape:
        return
    weight = touch.weight / (1 + FARTHER * touch.rank)
    path, where, number = touch.path, touch.where, touch.frame.line
    signals.most(Sign.FILE, weight * rarity, f"changes {path}, {where}")
    line = f"{path}:{number}" if number else f"the line in {path}"
    off = "the lines around" if (touch.distance or 0) <= AROUND else f"{touch.distance} lines off"
    reason = f"changes {off} {line}, {where}"
    if touch.wrote:
        reason = f"{'git blame: last touched' if touch.blamed else 'wrote'} {line}, {where}"
    if touch.distance is not None:
        near = weight / (1 + touch.distance / HALF_NEAR)
        signals.most(Sign.NEAR, near, reason)
        signals.most(Sign.NEW, near * touch.novelty, reason)


# --- the words of the error ----------------------------------------------------------------------


def _error(clues: Clues, code: Sequence[Sequence[Patch]], found: Sequence[Signals]) -> None:
    """Find names and phrases of the error in changed lines; many changes of one say little."""
    for name in clues.names:
        changes = _changes_of(name.text, code)
        worth = name.weight * _rarity(len(changes), len(code))
        for position, sides in changes.items():
            if clues.missing and sides.removed and not sides.added:
                reason = f"removes `{name.text}`, which the error says is missing"
                found[position].more(Sign.GONE, worth, reason)
            else:
                reason = f"changes lines with `{name.text}`, named in the error"
                found[position].more(Sign.ERROR, worth, reason)
    for phrase in clues.phrases:
        changes = _changes_of(phrase, code)
        worth = _rarity(len(changes), len(code))
        for position in changes:
            found[position].more(
                Sign.ERROR, worth, f"adds or changes the error message “{phrase[:60]}”"
            )


def _named_files(
    clues: Clues, index: PathIndex, commits: Sequence[Commit], found: Sequence[Signals]
) -> None:
    named = {m.path for text in clues.files for m in index.find(text) if m.quality >= NAMED_FILE}
    for commit, signals in zip(commits, found, strict=True):
        for file in commit.files if named else ():
            if file.path not in named:
                continue
            only_deletes = file.added == 0 and file.deleted > 0
            if only_deletes or "\ndeleted file mode" in file.patch[:400]:
                signals.most(Sign.GONE, 1.0, f"deletes {file.path}, named in the error")
            else:
                signals.most(Sign.ERROR, 1.0, f"changes {file.path}, named in the error")


def _changes_of(text: str, code: Sequence[Sequence[Patch]]) -> dict[int, ChangedSides]:
    """Return, by commit, whether lines with the text are added or removed.

    The result is empty for a text that stands in the patches of very many commits.
    """
    having = [
        (position, patch)
        for position, of_commit in enumerate(code)
        for patch in of_commit
        if text in patch.text
    ]
    if len({position for position, _ in having}) > EVERYWHERE:
        return {}
    changes: dict[int, ChangedSides] = {}
    for position, patch in having:
        sides = patch.changes_of(text)
        if any(sides):
            earlier = changes.get(position, ChangedSides())
            changes[position] = ChangedSides(
                sides.added or earlier.added, sides.removed or earlier.removed
            )
    return changes


# --- the commit itself ---------------------------------------------------------------------------


def _libraries(commit: Commit, clues: Clues, signals: Signals) -> None:
    files = [file for file in commit.files if kind_of(file.path) is FileKind.DEPENDENCY]
    if not files or not clues.libraries:
        return
    changed = [
        row[1:]
        for file in files
        for row in file.patch[:PATCH_LIMIT].split("\n")
        if row[:1] in "+-" and row[:3] not in ("+++", "---")
    ]
    text = "\n".join([*changed, commit.subject]).lower()
    for nth, library in enumerate(clues.libraries):
        if _mentions(text, library):
            reason = f"changes the dependency `{library}`, in the stack trace"
            signals.most(Sign.LIBRARY, 1 / (1 + FARTHER * nth), reason)


def _mentions(text: str, library: str) -> bool:
    plain = re.escape(library).replace("_", "[-_.]").replace(r"\-", "[-_.]")
    return re.search(rf"(?<![\w-]){plain}(?![\w-])", text) is not None


_REVERTS = re.compile(r"This reverts commit ([0-9a-f]{7,64})", re.IGNORECASE)
_REVERT_SUBJECT = re.compile(
    r"""(?:Revert|Back ?out|Rollback)[: ]+["“']?(.+?)["”']?(?: \(#\d+\))?$""", re.IGNORECASE
)


def _undone(commits: Sequence[Commit], found: Sequence[Signals]) -> None:
    """Mark a commit and its revert where both are in the range: together they bring nothing.

    A revert of something older is a change like any other.
    """
    by_subject: dict[str, list[int]] = {}
    for position, commit in enumerate(commits):
        by_subject.setdefault(commit.subject.strip().casefold(), []).append(position)
    undone: set[int] = set()
    for position, commit in enumerate(commits):
        if position in undone:
            continue  # a revert that was itself reverted stands for nothing
        original = _reverted(position, commits, by_subject)
        if original is not None and original not in undone:
            undone.add(original)
            back = f"only reverts {commits[original].sha[:9]}, also in this range"
            found[original].most(Sign.UNDONE, 1.0, f"was reverted by {commit.sha[:9]}")
            found[position].most(Sign.UNDONE, 0.8, back)


def _reverted(
    position: int, commits: Sequence[Commit], by_subject: Mapping[str, Sequence[int]]
) -> int | None:
    """Return the position of the older commit that this one takes back."""
    commit = commits[position]
    if named := _REVERTS.search(commit.body):
        sha = named.group(1).lower()
        older = range(position + 1, len(commits))
        return next((n for n in older if commits[n].sha.startswith(sha)), None)
    subject = _REVERT_SUBJECT.match(commit.subject.strip())
    same = by_subject.get(subject.group(1).strip().casefold(), ()) if subject else ()
    return next((n for n in same if n > position), None)
