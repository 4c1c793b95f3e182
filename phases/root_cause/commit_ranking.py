"""Phase 2: rank the commits of a range by how likely each of them, or none, caused the crash.

Each clue adds points, with a reason. What rarely breaks anything is discounted. A conditional
logit (softmax) makes probabilities of the points, in which *nobody* has a constant. Points and
constants were held against crashes with a known culprit (`tests/bench/suspects.py`,
docs/performance.md).
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from phases.ports.file_kinds import FileKind, kind_of
from phases.ports.library_paths import is_library_file
from phases.ports.source_paths import PathIndex
from phases.ports.source_values import Commit, CommitFile
from phases.record.findings import Frame, Suspect, Value
from phases.root_cause.discounts import (
    BESIDE_THE_CODE,
    discount_harmless,
    discount_merges,
    discount_reverts,
)
from phases.root_cause.error_clues import Clues, clues_of
from phases.root_cause.line_history import PATCH_LIMIT, RERAISED_FACTOR, Signal, follow_lines
from phases.root_cause.patch import Patch, count_word, sets_name
from phases.root_cause.score import Score
from phases.root_cause.stack_trace import own_code_frames

# The points say how much a clue is worth against the others.
FRAMES = 24  # own frames whose files count
NAME = 6.0  # changed lines with a name that the error quotes
FILE_NAMED = 10.0  # changed a file that the error's text names
LIBRARY = 9.0  # bumps a library that is in the stack
BLAMED = 12.0  # git says that it last touched a line of the stack, and its patch did not tell
RECENT = 2.0  # the newest commit; falls to nothing with the oldest

EVERYWHERE = 150  # a word in more commits than this tells none of them from the others

SURE = 1.85  # of a point's square root: how much likelier it makes a commit than another
TESTED = 1.6
"""The same, of a commit that changes code and a test, which was meant to change something; against
the share of the range's commits that do so: where every commit brings a test, that says nothing."""
SPREAD = 0.5  # so much less, by the logarithm of the files of code that it changed
MISFIT = 1.5  # so much more, twice at most, where it brings the name that the error misses
NOBODY = 9.4
"""The same, of *nobody* in a range of `ENOUGH` commits or more. How many more does not move it: a
long range holds more that looks guilty, and holds the culprit more often."""
ENOUGH = 10
SHORT = 1.0
"""Taken from *nobody* by the logarithm of how many times shorter than that a range is: one commit
that lies close to the crash says more than the nearest of many."""
DEEP = 0.6
"""Taken from *nobody* by the logarithm of the stack's own frames: the more there are to come close
to, the less the best commit of a range reaches by chance, and the likelier is one of it."""
BEFORE = 0.4
"""The share of ranges with a culprit among those that the constants were fitted to."""


class RaisedError(Value):
    """The exception as the error tracker names it."""

    type: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True)
class Ranking:
    suspects: tuple[Suspect, ...]
    """All commits, the likeliest first."""
    nobody: float | None
    """The probability that none of them caused the crash.

    None where this cannot be told: no patch is known, or the crash has no stack.
    """
    reasons: tuple[str, ...] = ()
    """Why none of them may have caused it."""
    nearest: Suspect | None = None
    """The likeliest commit that anything links to the crash."""

    @property
    def nobody_leads(self) -> bool:
        first = max((s.confidence for s in self.suspects), default=0.0)
        return self.nobody is not None and self.nobody > first


def rank_commits(
    frames: Sequence[Frame],
    exception: RaisedError,
    commits: Sequence[Commit],
    blamed: Mapping[int, str] | None = None,
    *,
    before: float = BEFORE,
) -> Ranking:
    """Return all commits, the likeliest culprit first, each with its reasons.

    `frames`: the crashing one first; without any, the error's words must do. `commits`: newest
    or oldest first. `blamed`: by a frame's number, the commit that `git blame` names for its line.
    `before`: how likely the range caused the crash, as far as is known without its commits.
    """
    ordered = newest_first(commits)
    scores = score_commits(frames, exception, ordered, blamed)
    odds = math.log((1 - before) / before) - math.log((1 - BEFORE) / BEFORE)
    likely = likelihoods(scores)
    none = NOBODY + SHORT * shortness(len(ordered)) - DEEP * depth(frames) + odds
    shares = softmax([none, *likely])
    best = sorted(range(len(ordered)), key=lambda n: (-likely[n], n))
    suspects = tuple(_suspect(ordered[n], scores[n], shares[n + 1]) for n in best)
    if not any(f.patch for c in ordered for f in c.files) or not frames:
        return Ranking(suspects, None)
    linked = (suspect for n, suspect in zip(best, suspects, strict=True) if scores[n].linked)
    return Ranking(suspects, round(shares[0], 4), _reasons_for_nobody(scores), next(linked, None))


def likelihoods(scores: Sequence[Score]) -> list[float]:
    """Return what softmax makes probabilities of, of each commit."""
    usual = tested_share(scores)
    return [
        SURE * math.sqrt(score.points)
        + TESTED * (score.tested - usual)
        - SPREAD * score.spread
        + MISFIT * score.misfit
        for score in scores
    ]


def tested_share(scores: Sequence[Score]) -> float:
    """Return the share of the commits that change code and a test."""
    return sum(score.tested for score in scores) / max(1, len(scores))


def depth(frames: Sequence[Frame]) -> float:
    return math.log1p(len(own_frames(frames)))


def shortness(commits: int) -> float:
    """Return 0 for a range of `ENOUGH` commits, and less for a shorter one."""
    return math.log(min(max(commits, 1), ENOUGH) / ENOUGH)


def softmax(points: Sequence[float]) -> list[float]:
    most = max(points)
    powers = [math.exp(point - most) for point in points]
    whole = sum(powers)
    return [power / whole for power in powers]


def _reasons_for_nobody(scores: Sequence[Score]) -> tuple[str, ...]:
    """Return why none of the commits may have caused the crash."""
    clues = {signal.clue for score in scores for signal in (*score.signals, *score.blame)}
    if "file" not in clues:
        return ("no commit changes a file of the stack",)
    if not clues & {"line", "blame"}:
        return ("no commit changes a line that is close to one of the stack",)
    return ("what comes closest to it is not close enough",)


def score_commits(
    frames: Sequence[Frame],
    exception: RaisedError,
    commits: Sequence[Commit],
    blamed: Mapping[int, str] | None = None,
) -> list[Score]:
    """Return the points of each commit; `commits`: newest first."""
    own = own_frames(frames)
    clues = clues_of(exception.type, exception.value, frames[:50])
    index = PathIndex(file.path for commit in commits for file in commit.files)
    patches = [[Patch(f.patch[:PATCH_LIMIT], f.path) for f in commit.files] for commit in commits]
    histories = follow_lines(own, index, commits, patches)
    scores = [Score(signals=list(history.signals)) for history in histories]
    _score_names(clues, patches, scores)
    _note_misfits(clues, patches, scores)
    _score_named_files(clues, index, commits, scores)
    crashed_in_library = bool(frames) and is_library_file(frames[0].file, frames[0].module)
    for position, (commit, score) in enumerate(zip(commits, scores, strict=True)):
        files = [file for file in commit.files if kind_of(file.path) is FileKind.DEPENDENCY]
        if files:
            _score_dependency(commit, files, clues, crashed_in_library, score)
        newest = "the newest commit of the range" if position == 0 else ""
        score.add(RECENT * (1 - position / len(commits)), newest, "recent")
        discount_harmless(commit, patches[position], score)
    discount_merges(commits, patches, scores)
    discount_reverts(commits, scores)
    for number, sha in (blamed or {}).items():
        for commit, history, score in zip(commits, histories, scores, strict=True):
            if commit.sha == sha and frames[number].line not in history.wrote:
                score.blame.append(_blame_signal(number, frames[number]))
    return scores


def _blame_signal(number: int, frame: Frame) -> Signal:
    """Blame sees through moves and merges, which patches hide."""
    where = "which crashes" if number == 0 else "which is on the way to the crash"
    where = f"in the stack of {frame.of}" if frame.of else where
    points = BLAMED / (1 + 0.4 * number) * (RERAISED_FACTOR if frame.again else 1.0)
    return Signal(points, f"git blame: last touched {frame.file}:{frame.line}, {where}", "blame")


def newest_first(commits: Sequence[Commit]) -> list[Commit]:
    """Return the commits in the direction that most of their dates tell.

    They are not sorted by date, because the author dates of a rebased history may jump.
    """
    dates = [c.at.timestamp() for c in commits if c.at is not None]
    rising = sum(a < b for a, b in pairwise(dates))
    falling = sum(a > b for a, b in pairwise(dates))
    return list(reversed(commits)) if rising > falling else list(commits)


def own_frames(frames: Sequence[Frame]) -> list[Frame]:
    """Return the frames of our own code, the crashing one first, without repeats.

    What a test calls is our own code, the test is not, unless there is nothing else.
    """
    own = own_code_frames(frames)
    own = [f for f in own if kind_of(f.file) is not FileKind.TESTS] or own
    distinct: dict[tuple[str, str, int | None], Frame] = {}
    for frame in own:
        distinct.setdefault((frame.file, frame.function, frame.line), frame)
    return list(distinct.values())[:FRAMES]


# --- the names in the error --------------------------------------------------------------------


def _score_names(clues: Clues, patches: Sequence[Sequence[Patch]], scores: Sequence[Score]) -> None:
    """Score names of the error in changed lines; many changes of one say little."""
    code = [
        (position, patch)
        for position, of_commit in enumerate(patches)
        for patch in of_commit
        if patch.text and kind_of(patch.path) not in BESIDE_THE_CODE
    ]
    for name in clues.names:
        changed = _commits_changing(name.text, code)
        worth = NAME * name.weight / math.sqrt(max(1, len(changed)))
        for position in changed:
            reason = f"changes lines with `{name.text}`, named in the error"
            scores[position].add(worth, reason, "name")


def _note_misfits(
    clues: Clues, patches: Sequence[Sequence[Patch]], scores: Sequence[Score]
) -> None:
    """Note which commits bring the name that the error says is missing or does not fit.

    A commit may define or set it, and may use it more often than before: a call of what is not
    there, a field that was renamed in some places only.
    """
    for of_commit, score in zip(patches, scores, strict=True):
        defines, more = False, 0
        for name in clues.missing:
            for patch in of_commit:
                if name not in patch.text or kind_of(patch.path) in _NO_SOURCE:
                    continue
                uses, used = (count_word(side, name) for side in patch.changed)
                defines = defines or (uses > 0 and sets_name(patch.changed[0], name))
                more += uses - used
        score.misfit = defines + (more > 0)


_NO_SOURCE = BESIDE_THE_CODE | {FileKind.DEPENDENCY}


def _commits_changing(text: str, code: Sequence[tuple[int, Patch]]) -> set[int]:
    """Return the commits that add or remove lines with the text.

    The result is empty for a text that stands in the patches of very many commits.
    """
    having = [(position, patch) for position, patch in code if text in patch.text]
    if len({position for position, _ in having}) > EVERYWHERE:
        return set()
    return {position for position, patch in having if patch.changes(text)}


def _score_named_files(
    clues: Clues, index: PathIndex, commits: Sequence[Commit], scores: Sequence[Score]
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
            score.add(points, f"{verb} {file.path}, named in the error", "named file")


# --- dependencies --------------------------------------------------------------------------------


def _score_dependency(
    commit: Commit,
    files: Sequence[CommitFile],
    clues: Clues,
    crashed_in_library: bool,
    score: Score,
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
        if _mentions_library(text, library):
            crashing = 1.3 if crashed_in_library and depth == 0 else 1.0
            score.add(
                LIBRARY * crashing / (1 + 0.25 * depth),
                f"changes the dependency `{library}`, in the stack trace",
                "library",
            )
            return


_OWN_VERSION = re.compile(
    r"""\s*(?:["']?version["']?\s*[:=]|__version__|<version>|[{}\[\],]*\s*$)""", re.IGNORECASE
)


def _mentions_library(text: str, library: str) -> bool:
    plain = re.escape(library).replace("_", "[-_.]").replace(r"\-", "[-_.]")
    return re.search(rf"(?<![\w-]){plain}(?![\w-])", text) is not None


def _suspect(commit: Commit, score: Score, share: float) -> Suspect:
    return Suspect.model_construct(  # what is in a commit is valid already, and there may be 500
        sha=commit.sha,
        author=commit.author,
        at=commit.at,
        subject=commit.subject,
        score=score.points,
        confidence=round(share, 4),
        reasons=score.reasons,
        url=commit.url,
    )


def pull_request(subject: str) -> str | None:
    """Return `#123`, as GitHub writes it into the subject of a squashed or merged pull request."""
    match = re.search(r"\(#(\d+)\)\s*$|^Merge pull request #(\d+)", subject)
    return f"#{match.group(1) or match.group(2)}" if match else None
