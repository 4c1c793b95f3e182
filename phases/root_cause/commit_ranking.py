"""Phase 2: rank the commits of a range by how likely each of them brought the crash.

Each clue adds points, with a reason. What rarely breaks anything is discounted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from phases.ports.file_kinds import FileKind, kind_of
from phases.ports.library_paths import foreign
from phases.ports.source_paths import PathIndex
from phases.ports.source_values import Commit, CommitFile
from phases.record.findings import Frame, Suspect, Value
from phases.root_cause.error_clues import Clues, clues_of
from phases.root_cause.line_history import AGAIN, PATCH_LIMIT, Signal, follow
from phases.root_cause.patch import ChangedSides, Patch
from phases.root_cause.stack_trace import ours

# The points say how much a clue is worth against the others.
# `tests/unit/phases/root_cause/test_suspects_histories.py` holds them to known culprits.
FRAMES = 24  # own frames whose files count
NAME = 6.0  # changed lines with a name that the error quotes
GONE = 2.4  # times that, when the commit takes away what the error misses
PHRASE = 9.0  # the error's own words are in its lines
FILE_NAMED = 10.0  # changed a file that the error's text names
LIBRARY = 9.0  # bumps a library that is in the stack
SETTINGS = 2.0  # changes configuration or a migration
BLAMED = 12.0  # git says that it last touched a line of the stack, and its patch did not tell
RECENT = 2.0  # the newest commit; falls to nothing with the oldest

EVERYWHERE = 150  # a word in more commits than this tells none of them from the others

REASONS = 5
BESIDE_THE_CODE = frozenset((FileKind.TESTS, FileKind.DOCS, FileKind.CI))


class Thrown(Value):
    """The exception as the error tracker names it."""

    type: str = ""
    value: str = ""


@dataclass(slots=True)
class _Score:
    """The points of one commit, with the reasons for them."""

    signals: list[Signal] = field(default_factory=list[Signal])
    blame: list[Signal] = field(default_factory=list[Signal])
    """Only the strongest of these counts, and no discount touches it."""
    factor: float = 1.0
    discounts: list[str] = field(default_factory=list[str])

    def add(self, points: float, reason: str) -> None:
        if points > 0:
            self.signals.append(Signal(points, reason))

    def discount(self, factor: float, reason: str) -> None:
        self.factor *= factor
        self.discounts.append(reason)

    @property
    def points(self) -> float:
        own = round(self.factor * sum(signal.points for signal in self.signals), 3)
        return round(own + max((signal.points for signal in self.blame), default=0.0), 3)

    @property
    def reasons(self) -> tuple[str, ...]:
        strongest = sorted(self.signals, key=lambda signal: -signal.points)
        worth_saying = [s.reason for s in strongest if s.reason and s.points >= 0.3]
        reasons = (*dict.fromkeys(worth_saying[:REASONS]), *self.discounts)
        blame = (signal.reason for signal in self.blame)
        return (*blame, *(reasons or ("nothing links it to the crash",)))


def rank(
    frames: Sequence[Frame],
    exception: Thrown,
    commits: Sequence[Commit],
    blamed: Mapping[int, str] | None = None,
) -> list[Suspect]:
    """Return all commits, the likeliest culprit first, each with its reasons.

    `frames`: the crashing one first; without any, the error's words must do. `commits`: newest
    or oldest first. `blamed`: by a frame's number, the commit that `git blame` names for its line.
    """
    ordered = newest_first(commits)
    own = own_frames(frames)
    clues = clues_of(exception.type, exception.value, frames[:50])
    index = PathIndex(file.path for commit in ordered for file in commit.files)
    patches = [[Patch(f.patch[:PATCH_LIMIT], f.path) for f in commit.files] for commit in ordered]
    histories = follow(own, index, ordered, patches)
    scores = [_Score(signals=list(history.signals)) for history in histories]
    _score_words(clues, patches, scores)
    _score_named_files(clues, index, ordered, scores)
    crashed_in_library = bool(frames) and foreign(frames[0].file, frames[0].module)
    for position, (commit, score) in enumerate(zip(ordered, scores, strict=True)):
        _score_settings(commit, clues, crashed_in_library, score)
        newest = "the newest commit of the range" if position == 0 else ""
        score.add(RECENT * (1 - position / len(ordered)), newest)
        _discount(commit, patches[position], score)
    _discount_reverts(ordered, scores)
    for number, sha in (blamed or {}).items():
        for commit, history, score in zip(ordered, histories, scores, strict=True):
            if commit.sha == sha and frames[number].line not in history.wrote:
                score.blame.append(_blame_signal(number, frames[number]))
    best = sorted(range(len(ordered)), key=lambda n: (-scores[n].points, n))
    return [_suspect(ordered[n], scores[n]) for n in best]


def _blame_signal(number: int, frame: Frame) -> Signal:
    """Blame sees through moves and merges, which patches hide."""
    where = "which crashes" if number == 0 else "which is on the way to the crash"
    where = f"in the stack of {frame.of}" if frame.of else where
    points = BLAMED / (1 + 0.4 * number) * (AGAIN if frame.again else 1.0)
    return Signal(points, f"git blame: last touched {frame.file}:{frame.line}, {where}")


def newest_first(commits: Sequence[Commit]) -> list[Commit]:
    """Return the commits in the direction that most of their dates tell.

    They are not sorted by date, because the author dates of a rebased history may jump.
    """
    dates = [c.at.timestamp() for c in commits if c.at is not None]
    rising = sum(a < b for a, b in pairwise(dates))
    falling = sum(a > b for a, b in pairwise(dates))
    return list(reversed(commits)) if rising > falling else list(commits)


def own_frames(frames: Sequence[Frame]) -> list[Frame]:
    """Return the frames of our own code, the crashing one first, without repeats."""
    distinct: dict[tuple[str, str, int | None], Frame] = {}
    for frame in ours(frames):
        distinct.setdefault((frame.file, frame.function, frame.line), frame)
    return list(distinct.values())[:FRAMES]


# --- the words of the error --------------------------------------------------------------------


def _score_words(
    clues: Clues, patches: Sequence[Sequence[Patch]], scores: Sequence[_Score]
) -> None:
    """Score names and phrases of the error in changed lines; many changes of one say little."""
    code = [
        (position, patch)
        for position, of_commit in enumerate(patches)
        for patch in of_commit
        if patch.text and kind_of(patch.path) not in BESIDE_THE_CODE
    ]
    for name in clues.names:
        changes = _changes_of(name.text, code)
        worth = NAME * name.weight / math.sqrt(max(1, len(changes)))
        for position, sides in changes.items():
            if clues.missing and sides.removed and not sides.added:
                reason = f"takes `{name.text}` away, which the error misses"
                scores[position].add(worth * GONE, reason)
            else:
                reason = f"changes lines with `{name.text}`, which the error names"
                scores[position].add(worth, reason)
    for phrase in clues.phrases:
        changes = _changes_of(phrase, code)
        for position, sides in changes.items():
            worth = PHRASE / math.sqrt(len(changes)) * (1.0 if sides.added else 0.4)
            scores[position].add(worth, f"has the error's words “{phrase[:60]}”")


def _changes_of(text: str, code: Sequence[tuple[int, Patch]]) -> dict[int, ChangedSides]:
    """Return, by commit, whether lines with the text are added or removed.

    The result is empty for a text that stands in the patches of very many commits.
    """
    having = [(position, patch) for position, patch in code if text in patch.text]
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


def _score_named_files(
    clues: Clues, index: PathIndex, commits: Sequence[Commit], scores: Sequence[_Score]
) -> None:
    named = {
        m.path: m.quality for text in clues.files for m in index.find(text) if m.quality >= 0.5
    }
    for commit, score in zip(commits, scores, strict=True):
        for file in commit.files:
            if (quality := named.get(file.path)) is None:
                continue
            only_deletes = file.added == 0 and file.deleted > 0
            gone = only_deletes or "\ndeleted file mode" in file.patch[:400]
            verb = "deletes" if gone else "changes"
            points = FILE_NAMED * quality * (1.5 if gone else 1.0)
            score.add(points, f"{verb} {file.path}, which the error names")


# --- what is not code --------------------------------------------------------------------------


def _score_settings(commit: Commit, clues: Clues, crashed_in_library: bool, score: _Score) -> None:
    by_kind: dict[FileKind, list[CommitFile]] = {}
    for file in commit.files:
        by_kind.setdefault(kind_of(file.path), []).append(file)
    if dependencies := by_kind.get(FileKind.DEPENDENCY):
        _score_dependency(commit, dependencies, clues, crashed_in_library, score)
    if migrations := by_kind.get(FileKind.MIGRATION):
        score.add(SETTINGS, f"changes the database ({migrations[0].path})")
    if settings := by_kind.get(FileKind.CONFIGURATION):
        score.add(SETTINGS, f"changes configuration ({settings[0].path})")


def _score_dependency(
    commit: Commit,
    files: Sequence[CommitFile],
    clues: Clues,
    crashed_in_library: bool,
    score: _Score,
) -> None:
    changed = [
        row[1:]
        for file in files
        for row in file.patch[:PATCH_LIMIT].split("\n")
        if row[:1] in "+-" and row[:3] not in ("+++", "---")
    ]
    if changed and all(_OWN_VERSION.match(row) for row in changed if row.strip()):
        return  # only the project's own version: every release does that
    text = "\n".join([*changed, commit.subject]).lower()
    for depth, library in enumerate(clues.libraries):
        if _mentions(text, library):
            crashing = 1.3 if crashed_in_library and depth == 0 else 1.0
            score.add(
                LIBRARY * crashing / (1 + 0.25 * depth),
                f"changes the dependency `{library}`, which is in the stack",
            )
            return


_OWN_VERSION = re.compile(
    r"""\s*(?:["']?version["']?\s*[:=]|__version__|<version>|[{}\[\],]*\s*$)""", re.IGNORECASE
)


def _mentions(text: str, library: str) -> bool:
    plain = re.escape(library).replace("_", "[-_.]").replace(r"\-", "[-_.]")
    return re.search(rf"(?<![\w-]){plain}(?![\w-])", text) is not None


# --- what rarely breaks anything ---------------------------------------------------------------

_MERGE = re.compile(r"Merge (?:branch|pull request|remote|tag|commit|bitbucket|in )", re.IGNORECASE)
_REVERTS = re.compile(r"This reverts commit ([0-9a-f]{7,64})", re.IGNORECASE)
_REVERT_SUBJECT = re.compile(
    r"""(?:Revert|Back ?out|Rollback)[: ]+["“']?(.+?)["”']?(?: \(#\d+\))?$""", re.IGNORECASE
)
_ONLY: dict[frozenset[FileKind], str] = {
    frozenset((FileKind.TESTS,)): "tests",
    frozenset((FileKind.DOCS,)): "documentation",
}


def _discount(commit: Commit, patches: Sequence[Patch], score: _Score) -> None:
    kinds = frozenset(kind_of(file.path) for file in commit.files)
    if _MERGE.match(commit.subject):
        factor = 0.3 if commit.files else 0.1
        score.discount(factor, "a merge: what it brings stands in its own commits")
    elif not commit.files:
        score.discount(0.3, "changes no file that is known")
    if kinds and kinds <= BESIDE_THE_CODE:
        factor = 0.15 if FileKind.TESTS in kinds else 0.08
        score.discount(factor, f"changes only {_ONLY.get(kinds, 'tests, documentation or CI')}")
        return
    code = [patch for patch in patches if kind_of(patch.path) not in BESIDE_THE_CODE]
    if code and len(code) <= 20 and all(patch.only_shape for patch in code):
        score.discount(0.2, "changes only comments or blanks")


def _discount_reverts(commits: Sequence[Commit], scores: Sequence[_Score]) -> None:
    """Discount a commit and its revert where both are in the range: together they bring nothing.

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
            scores[original].discount(0.25, f"was reverted by {commit.sha[:9]}")
            scores[position].discount(
                0.4, f"only takes {commits[original].sha[:9]} back, which is in the range too"
            )


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


def _suspect(commit: Commit, score: _Score) -> Suspect:
    return Suspect(
        sha=commit.sha,
        author=commit.author,
        at=commit.at,
        subject=commit.subject,
        score=score.points,
        reasons=score.reasons,
        url=commit.url,
    )


def pull_request(subject: str) -> str | None:
    """Return `#123`, as GitHub writes it into the subject of a squashed or merged pull request."""
    match = re.search(r"\(#(\d+)\)\s*$|^Merge pull request #(\d+)", subject)
    return f"#{match.group(1) or match.group(2)}" if match else None
