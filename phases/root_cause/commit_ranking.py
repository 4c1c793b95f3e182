"""Which commit brought the crash: one pure ranking, with its reasons. Frames, the error's words and the commits of the range go in.

Points are added for each clue and then taken down for what rarely breaks anything (tests, documentation, merges, what was reverted).
The constants say how much a clue is worth against the others; `tests/unit/test_suspects_histories.py` holds them to histories.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from phases.ports.source_paths import (
    CI,
    CODE,
    CONFIGURATION,
    DEPENDENCY,
    DOCS,
    MIGRATION,
    TESTS,
    PathIndex,
    foreign,
    kind_of,
    parts_of,
)
from phases.ports.source_values import Commit, CommitFile
from phases.record.findings import Frame, Suspect, Value
from phases.root_cause.error_clues import Clues, clues_of, code_words, gives_nothing
from phases.root_cause.line_history import AGAIN, PATCH_LIMIT, follow, function_of
from phases.root_cause.patch import Found, Patch, Word
from phases.root_cause.stack_trace import ours

FRAMES = 24  # own frames whose files count

NEIGHBOUR = 2.0  # changed another file of the same folder
NAME = 6.0  # changed lines with a name that the error quotes
GONE = 2.4  # times that, when the commit takes away what the error misses
BROUGHT = 1.4  # times that, when the commit is the one that brings the name in
AROUND = 3.0  # changes something inside of what the error names
PHRASE = 9.0  # the error's own words are in its lines
FILE_NAMED = 10.0  # changed a file that the error's text names
CALLS = 2.5  # changes a function of the stack, in another file
CALLED = 5.0  # changes what the crashing line calls
NOTHING = 4.0  # gives None back, and the error is about None
STACK_WORDS = 7
LIBRARY = 9.0  # bumps a library that is in the stack
BUMP = 2.5  # bumps something
SETTINGS = 2.0  # changes configuration or a migration
FITTING = 4.0  # and the error is of the kind that those bring
BLAMED = 12.0  # git says that it last touched a line of the stack, and its patch did not tell
RECENT = 2.0  # the newest commit; falls to nothing with the oldest
LARGE = 1.5  # many lines

EVERYWHERE = 150  # a word in more commits than this tells none of them from the others

REASONS = 5
BESIDE_THE_CODE = frozenset((TESTS, DOCS, CI))


class Thrown(Value):
    """The exception as the error tracker names it."""

    type: str = ""
    value: str = ""


@dataclass(slots=True)
class _Marks:
    """A commit's points with their reasons."""

    points: list[tuple[float, str]] = field(default_factory=list[tuple[float, str]])
    factor: float = 1.0
    notes: list[str] = field(default_factory=list[str])

    def add(self, points: float, reason: str) -> None:
        if points > 0:
            self.points.append((points, reason))

    def discount(self, factor: float, note: str) -> None:
        self.factor *= factor
        self.notes.append(note)

    @property
    def score(self) -> float:
        return round(self.factor * sum(p for p, _ in self.points), 3)

    @property
    def reasons(self) -> tuple[str, ...]:
        told = [r for p, r in sorted(self.points, key=lambda item: -item[0]) if r and p >= 0.3]
        return (*dict.fromkeys(told[:REASONS]), *self.notes) or ("nothing links it to the crash",)


def rank(frames: Sequence[Frame], exception: Thrown, commits: Sequence[Commit]) -> list[Suspect]:
    """All commits, the likeliest culprit first, each with its reasons. `frames`: the crashing one first.

    The order of `commits` may be either way; by their dates the newest goes first. Without frames the error's words must do.
    """
    ordered = newest_first(commits)
    own = own_frames(frames)
    clues = clues_of(exception.type, exception.value, frames[:50])
    index = PathIndex(file.path for commit in ordered for file in commit.files)
    marks = [_Marks() for _ in ordered]
    patches = [[Patch(f.patch[:PATCH_LIMIT], f.path) for f in commit.files] for commit in ordered]
    followed = follow(own, index, ordered, patches)
    for mark, points in zip(marks, followed.points, strict=True):
        for value, reason in points:
            mark.add(value, reason)
    elsewhere = [not points for points in followed.points]
    _words(own, clues, followed.lines, patches, marks)
    _named_files(clues, index, ordered, marks)
    crashed_in_library = bool(frames) and foreign(frames[0].file, frames[0].module)
    folders = _Folders(own)
    count = len(ordered)
    for position, (commit, mark) in enumerate(zip(ordered, marks, strict=True)):
        _settings(commit, clues, crashed_in_library, mark)
        if elsewhere[position]:
            _neighbours(commit, folders, mark)
        mark.add(
            RECENT * (1 - position / count),
            "the newest commit of the range" if position == 0 else "",
        )
        churn = sum(
            f.added + f.deleted for f in commit.files if kind_of(f.path) not in BESIDE_THE_CODE
        )
        mark.add(min(LARGE, 0.25 * math.log2(1 + churn / 8)), "")
        _discounts(commit, patches[position], mark)
    _reverts(ordered, marks)
    scores = [mark.score for mark in marks]
    best = sorted(range(count), key=lambda i: (-scores[i], i))
    return [_suspect(ordered[i], marks[i]) for i in best]


def with_blame(
    suspects: Sequence[Suspect], frames: Sequence[Frame], blamed: Mapping[int, Suspect]
) -> list[Suspect]:
    """Adds what `git blame` says of the frames (by their number): it sees through moves and merges that patches hide."""
    added: list[Suspect] = []
    for one in suspects:
        points: list[tuple[float, str]] = []
        for number, blame in blamed.items():
            frame = frames[number]
            known = any(r.startswith("wrote ") and f":{frame.line}," in r for r in one.reasons)
            if blame.sha == one.sha and not known:
                where = "which crashes" if number == 0 else "which is on the way to the crash"
                where = f"in the stack of {frame.of}" if frame.of else where
                reason = f"git blame: last touched {frame.file}:{frame.line}, {where}"
                points.append(
                    (BLAMED / (1 + 0.4 * number) * (AGAIN if frame.again else 1.0), reason)
                )
        if points:
            score = round(one.score + max(p for p, _ in points), 3)
            added.append(
                one.model_copy(
                    update={"score": score, "reasons": (*(r for _, r in points), *one.reasons)}
                )
            )
        else:
            added.append(one)
    return sorted(added, key=lambda s: -s.score)


def newest_first(commits: Sequence[Commit]) -> list[Commit]:
    """By the direction that most dates tell; author dates of a rebased history may jump, so they are not sorted by."""
    dates = [c.at.timestamp() for c in commits if c.at is not None]
    rising = sum(a < b for a, b in pairwise(dates))
    falling = sum(a > b for a, b in pairwise(dates))
    return list(reversed(commits)) if rising > falling else list(commits)


def own_frames(frames: Sequence[Frame]) -> list[Frame]:
    """Frames of our own code, the crashing one first, without repeats."""
    seen: dict[tuple[str, str, int | None], Frame] = {}
    for frame in ours(frames):
        seen.setdefault((frame.file, frame.function, frame.line), frame)
    return list(seen.values())[:FRAMES]


# --- the words of the error ------------------------------------------------------------------------------------


def _words(
    own: Sequence[Frame],
    clues: Clues,
    lines: Sequence[tuple[int, str]],
    patches: Sequence[Sequence[Patch]],
    marks: Sequence[_Marks],
) -> None:
    """Names and phrases of the error, and functions of the stack, in changed lines. What many commits change says little."""
    code = [
        (position, patch)
        for position, of_commit in enumerate(patches)
        for patch in of_commit
        if patch.text and kind_of(patch.path) not in BESIDE_THE_CODE
    ]
    for name in clues.names:
        hits = _hits(name.text, code)
        changed = sum(found.added or found.removed for found in hits.values())
        for position, found in hits.items():
            worth = NAME * name.weight / math.sqrt(max(1, changed))
            if not (found.added or found.removed):
                marks[position].add(
                    AROUND * name.weight / math.sqrt(len(hits)),
                    f"changes `{name.text}`, which the error names",
                )
            elif clues.missing and found.removed and not found.added:
                marks[position].add(
                    worth * GONE, f"takes `{name.text}` away, which the error misses"
                )
            elif found.added and not found.removed and (clues.missing or changed == 1):
                says = "misses" if clues.missing else "names"
                marks[position].add(
                    worth * BROUGHT, f"brings in `{name.text}`, which the error {says}"
                )
            else:
                marks[position].add(
                    worth, f"changes lines with `{name.text}`, which the error names"
                )
    for phrase in clues.phrases:
        hits = _hits(phrase, code)
        for position, found in hits.items():
            worth = PHRASE / math.sqrt(len(hits)) * (1.0 if found.added else 0.4)
            marks[position].add(worth, f"has the error's words “{phrase[:60]}”")
    told = {n.text for n in clues.names}
    for name, worth in _stack_words(own, lines, told):
        hits = _hits(name, code)
        for position, found in hits.items():
            if worth < CALLS and not (found.added or found.removed):
                continue  # a plain name that only heads a hunk says nothing
            if not any(f"`{name}`" in reason for _, reason in marks[position].points):
                marks[position].add(
                    worth / math.sqrt(len(hits)),
                    f"changes `{name}`, which is called on the way to the crash",
                )
    if clues.nothing:
        empty = [position for position, patch in code if gives_nothing(*patch.changed)]
        for position in dict.fromkeys(empty):
            marks[position].add(
                NOTHING / math.sqrt(len(empty)),
                "lets something give nothing back, which the error stumbled over",
            )


def _stack_words(
    own: Sequence[Frame], lines: Sequence[tuple[int, str]], told: Collection[str]
) -> list[tuple[str, float]]:
    """Functions of the stack, and what the crashing lines call, with what they are worth."""
    found: dict[str, float] = {}
    for depth, frame in enumerate(own[:4]):
        name = function_of(frame)
        if len(name) >= 4 and name not in told:
            found.setdefault(name, CALLS / (1 + 0.4 * depth))
    for rank, line in lines:
        if rank <= 2:
            for name, weight in code_words(line):
                if name not in told and name not in found:
                    found[name] = CALLED * weight / (1 + 0.6 * rank)
    return sorted(found.items(), key=lambda item: -item[1])[:STACK_WORDS]


def _hits(text: str, code: Sequence[tuple[int, Patch]]) -> dict[int, Found]:
    """Commit → where the word stands in its patches; nothing for a word that stands in those of many."""
    word = Word(text)
    hits: dict[int, Found] = {}
    having = [(position, patch) for position, patch in code if text in patch.text]
    if len(having) > EVERYWHERE and len({position for position, _ in having}) > EVERYWHERE:
        return hits
    for position, patch in having:
        if (found := patch.find(word)) is not None:
            before = hits.get(position)
            hits[position] = found.join(before) if before else found
    return hits


def _named_files(
    clues: Clues, index: PathIndex, commits: Sequence[Commit], marks: Sequence[_Marks]
) -> None:
    named = {
        m.path: m.quality for text in clues.files for m in index.find(text) if m.quality >= 0.5
    }
    if not named:
        return
    for commit, mark in zip(commits, marks, strict=True):
        for file in commit.files:
            quality = named.get(file.path)
            if quality is not None:
                gone = (
                    file.added == 0 and file.deleted > 0
                ) or "\ndeleted file mode" in file.patch[:400]
                mark.add(
                    FILE_NAMED * quality * (1.5 if gone else 1.0),
                    f"{'deletes' if gone else 'changes'} {file.path}, which the error names",
                )


# --- what is not code ------------------------------------------------------------------------------------------


def _settings(commit: Commit, clues: Clues, crashed_in_library: bool, mark: _Marks) -> None:
    by_kind: dict[str, list[CommitFile]] = {}
    for file in commit.files:
        by_kind.setdefault(kind_of(file.path), []).append(file)
    if DEPENDENCY in by_kind:
        _dependency(commit, by_kind[DEPENDENCY], clues, crashed_in_library, mark)
    if MIGRATION in by_kind:
        path = by_kind[MIGRATION][0].path
        mark.add(SETTINGS + (FITTING if clues.database else 0.0), f"changes the database ({path})")
    if CONFIGURATION in by_kind:
        path = by_kind[CONFIGURATION][0].path
        mark.add(
            SETTINGS + (FITTING if clues.outside or clues.setting else 0.0),
            f"changes configuration ({path})",
        )


def _dependency(
    commit: Commit,
    files: Sequence[CommitFile],
    clues: Clues,
    crashed_in_library: bool,
    mark: _Marks,
) -> None:
    changed = [
        row[1:]
        for f in files
        for row in f.patch[:PATCH_LIMIT].split("\n")
        if row[:1] in "+-" and row[:3] not in ("+++", "---")
    ]
    if changed and all(_OWN_VERSION.match(row) for row in changed if row.strip()):
        return  # only the project's own version: every release does that
    text = "\n".join([*changed, commit.subject]).lower()
    for depth, library in enumerate(clues.libraries):
        if _mentions(text, library):
            worth = (
                LIBRARY * (1.3 if crashed_in_library and depth == 0 else 1.0) / (1 + 0.25 * depth)
            )
            mark.add(worth, f"changes the dependency `{library}`, which is in the stack")
            return
    mark.add(BUMP, f"changes dependencies ({files[0].path})")


_OWN_VERSION = re.compile(
    r"""\s*(?:["']?version["']?\s*[:=]|__version__|<version>|[{}\[\],]*\s*$)""", re.IGNORECASE
)


def _mentions(text: str, library: str) -> bool:
    plain = re.escape(library).replace("_", "[-_.]").replace(r"\-", "[-_.]")
    return re.search(rf"(?<![\w-]){plain}(?![\w-])", text) is not None


class _Folders:
    """The folders of the first frames, as far as two parts up, and how near to the nearest of them a folder is."""

    def __init__(self, own: Sequence[Frame]) -> None:
        self._wanted: dict[tuple[str, ...], float] = {}
        self._known: dict[str, float] = {}
        for rank, frame in enumerate(own[:5]):
            folder = parts_of(frame.file)[:-1][-2:]
            if folder:
                self._wanted.setdefault(folder, 1 / (1 + 0.4 * rank))

    def nearness(self, directory: str) -> float:
        known = self._known.get(directory)
        if known is None:
            folder = parts_of(directory)
            weights = (
                w
                for f, w in self._wanted.items()
                if folder[-len(f) :] == f or f[-len(folder) :] == folder
            )
            known = self._known[directory] = max(weights, default=0.0) if folder else 0.0
        return known


def _neighbours(commit: Commit, folders: _Folders, mark: _Marks) -> None:
    best, named = 0.0, ""
    for file in commit.files:
        directory = file.path.rpartition("/")[0]
        near = folders.nearness(directory)
        if near > best and kind_of(file.path) not in BESIDE_THE_CODE:
            best, named = near, directory
    if named:
        mark.add(NEIGHBOUR * best, f"changes files in {named}, beside the crash")


# --- what rarely breaks anything -------------------------------------------------------------------------------

_MERGE = re.compile(r"Merge (?:branch|pull request|remote|tag|commit|bitbucket|in )", re.IGNORECASE)
_CHORE = re.compile(
    r"(?:run|apply|reformat with)? ?\b(?:black|prettier|gofmt|rustfmt|isort|clang-format|ruff format|eslint --fix|formatting|reformat|whitespace|typos?|lint)\b",
    re.IGNORECASE,
)
_REVERTS = re.compile(r"This reverts commit ([0-9a-f]{7,64})", re.IGNORECASE)
_REVERT_SUBJECT = re.compile(
    r"""(?:Revert|Back ?out|Rollback)[: ]+["“']?(.+?)["”']?(?: \(#\d+\))?$""", re.IGNORECASE
)


def _discounts(commit: Commit, patches: Sequence[Patch], mark: _Marks) -> None:
    kinds = {kind_of(f.path) for f in commit.files}
    if _MERGE.match(commit.subject):
        mark.discount(
            0.3 if commit.files else 0.1, "a merge: what it brings stands in its own commits"
        )
    elif not commit.files:
        mark.discount(0.3, "changes no file that is known")
    if kinds and kinds <= BESIDE_THE_CODE:
        only = (
            "tests"
            if kinds == {TESTS}
            else "documentation"
            if kinds == {DOCS}
            else "tests, documentation or CI"
        )
        mark.discount(0.15 if TESTS in kinds else 0.08, f"changes only {only}")
        return
    if _CHORE.search(commit.subject) and CODE in kinds:
        mark.discount(0.6, "says that it only tidies up")
    code = [patch for patch in patches if kind_of(patch.path) not in BESIDE_THE_CODE]
    if code and len(code) <= 20 and all(patch.only_shape for patch in code):
        mark.discount(0.2, "changes only comments or blanks")


def _reverts(commits: Sequence[Commit], marks: Sequence[_Marks]) -> None:
    """A commit and its revert, both in the range, bring nothing together. A revert of something older is a change like any other."""
    by_subject: dict[str, list[int]] = {}
    for position, commit in enumerate(commits):
        by_subject.setdefault(commit.subject.strip().casefold(), []).append(position)
    undone: set[int] = set()
    for position, commit in enumerate(commits):
        if position in undone:
            continue  # a revert that was itself reverted stands for nothing
        original = _reverted(commit, position, commits, by_subject)
        if original is not None and original not in undone:
            undone.add(original)
            marks[original].discount(0.25, f"was reverted by {commit.sha[:9]}")
            marks[position].discount(
                0.4, f"only takes {commits[original].sha[:9]} back, which is in the range too"
            )


def _reverted(
    commit: Commit, position: int, commits: Sequence[Commit], by_subject: dict[str, list[int]]
) -> int | None:
    told = _REVERTS.search(commit.body)
    if told:
        return next(
            (
                i
                for i in range(position + 1, len(commits))
                if commits[i].sha.startswith(told.group(1).lower())
            ),
            None,
        )
    subject = _REVERT_SUBJECT.match(commit.subject.strip())
    if not subject:
        return None
    return next(
        (i for i in by_subject.get(subject.group(1).strip().casefold(), ()) if i > position), None
    )


def _suspect(commit: Commit, mark: _Marks) -> Suspect:
    return Suspect(
        sha=commit.sha,
        author=commit.author,
        at=commit.at,
        subject=commit.subject,
        score=mark.score,
        reasons=mark.reasons,
        url=commit.url,
    )


def pull_request(subject: str) -> str | None:
    """`#123`, as GitHub writes it into the subject of a squashed or merged pull request."""
    match = re.search(r"\(#(\d+)\)\s*$|^Merge pull request #(\d+)", subject)
    return f"#{match.group(1) or match.group(2)}" if match else None
