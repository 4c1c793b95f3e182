"""Phase 2: how likely each commit of a range, or none of them, brought the crash.

A conditional logit (softmax): each commit has a sum of its signals times their weights, *nobody*
has a constant, and the probabilities add up to 1. The weights were fitted to crashes with a known
culprit (`tests/bench/suspects.py`, docs/performance.md).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from phases.ports.file_kinds import FileKind, kind_of
from phases.ports.source_values import Commit
from phases.record.findings import Frame, Suspect, Value
from phases.root_cause.commit_signals import Sign, Signals, signals_of
from phases.root_cause.error_clues import clues_of
from phases.root_cause.stack_trace import ours

FRAMES = 24  # own frames whose files count
WEIGHTS: dict[Sign, float] = {
    Sign.NEAR: 3.6,
    Sign.NEW: 3.0,
    Sign.FILE: 4.7,
    Sign.TESTED: 2.2,
    Sign.ERROR: 1.0,
    Sign.GONE: 8.0,
    Sign.LIBRARY: 5.0,
    Sign.UNDONE: -5.0,
}
NOBODY = 5.1
"""Of *nobody*, for each commit of the range: the more there are, the less each of them says."""
BEFORE = 0.35
"""The share of ranges with a culprit among those that the weights were fitted to."""
CLOSE = 0.5  # of `Sign.NEAR`: within some lines of the crash
REASONS = 5


class Thrown(Value):
    """The exception as the error tracker names it."""

    type: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True)
class Ranking:
    suspects: tuple[Suspect, ...]
    """All commits, the likeliest first."""
    nobody: float | None
    """The probability that none of them brought the crash.

    None where this cannot be told: no patch is known, or the crash has no stack.
    """
    reasons: tuple[str, ...] = ()
    """Why none of them may have caused it."""

    @property
    def nobody_leads(self) -> bool:
        first = max((s.confidence for s in self.suspects), default=0.0)
        return self.nobody is not None and self.nobody > first


def rank(
    frames: Sequence[Frame],
    exception: Thrown,
    commits: Sequence[Commit],
    blamed: Mapping[int, str] | None = None,
    *,
    before: float = BEFORE,
) -> Ranking:
    """Return all commits, the likeliest culprit first, each with its reasons.

    `frames`: the crashing one first; without any, the error's words must do. `commits`: newest
    or oldest first. `blamed`: by a frame's number, the commit that `git blame` names for its line.
    `before`: how likely the range brought the crash, as far as is known without its commits.
    """
    ordered = newest_first(commits)
    found = signals(frames, exception, ordered, blamed)
    points = [sum(WEIGHTS.get(s, 0.0) * v for s, v in f.values.items()) for f in found]
    odds = math.log((1 - before) / before) - math.log((1 - BEFORE) / BEFORE)
    shares = softmax([NOBODY + math.log(max(1, len(ordered))) + odds, *points])
    best = sorted(range(len(ordered)), key=lambda n: (-points[n], n))
    suspects = tuple(_suspect(ordered[n], found[n], points[n], shares[n + 1]) for n in best)
    known = any(f.patch for c in ordered for f in c.files) and bool(frames)
    return (
        Ranking(suspects, round(shares[0], 4), _against(found))
        if known
        else Ranking(suspects, None)
    )


def signals(
    frames: Sequence[Frame],
    exception: Thrown,
    commits: Sequence[Commit],
    blamed: Mapping[int, str] | None = None,
) -> list[Signals]:
    """Return what links each commit to the crash; `commits`: newest first."""
    own, clues = own_frames(frames), clues_of(exception.type, exception.value, frames[:50])
    return signals_of(own, clues, commits, _blames(frames, own, blamed or {}))


def _blames(
    frames: Sequence[Frame], own: Sequence[Frame], blamed: Mapping[int, str]
) -> dict[int, str]:
    """Return the commits that blame names, by the number of our own frame."""
    numbers = {_place(frame): number for number, frame in reversed(list(enumerate(own)))}
    named = ((numbers.get(_place(frames[at])), sha) for at, sha in blamed.items())
    return {number: sha for number, sha in named if number is not None}


def _against(found: Sequence[Signals]) -> tuple[str, ...]:
    """Return why none of the commits may have brought the crash."""
    if not any(Sign.FILE in signals.values for signals in found):
        return ("no commit changes a file of the stack",)
    if max(signals.values.get(Sign.NEAR, 0.0) for signals in found) < CLOSE:
        return ("no commit changes a line that is close to one of the stack",)
    return ("what comes closest to it is not close enough",)


def softmax(points: Sequence[float]) -> list[float]:
    most = max(points)
    powers = [math.exp(point - most) for point in points]
    whole = sum(powers)
    return [power / whole for power in powers]


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
    own = ours(frames)
    own = [f for f in own if kind_of(f.file) is not FileKind.TESTS] or own
    distinct: dict[tuple[str, str, int | None], Frame] = {}
    for frame in own:
        distinct.setdefault(_place(frame), frame)
    return list(distinct.values())[:FRAMES]


def _place(frame: Frame) -> tuple[str, str, int | None]:
    return (frame.file, frame.function, frame.line)


def _suspect(commit: Commit, signals: Signals, points: float, share: float) -> Suspect:
    strongest = sorted(
        signals.reasons, key=lambda sign: -abs(WEIGHTS.get(sign, 0.0) * signals.values[sign])
    )
    reasons = [signals.reasons[s] for s in strongest if signals.reasons[s] and WEIGHTS.get(s)]
    return Suspect.model_construct(  # what is in a commit is valid already, and there may be 500
        sha=commit.sha,
        author=commit.author,
        at=commit.at,
        subject=commit.subject,
        score=round(points, 3),
        confidence=round(share, 4),
        reasons=tuple(dict.fromkeys(reasons))[:REASONS] or ("nothing links it to the crash",),
        url=commit.url,
    )


def pull_request(subject: str) -> str | None:
    """Return `#123`, as GitHub writes it into the subject of a squashed or merged pull request."""
    match = re.search(r"\(#(\d+)\)\s*$|^Merge pull request #(\d+)", subject)
    return f"#{match.group(1) or match.group(2)}" if match else None
