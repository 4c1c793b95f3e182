"""The lines of a stack, followed backwards through the patches of their files: which commit wrote them, which changed what is around them."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from phases.ports.source_paths import PathIndex, parts_of
from phases.ports.source_values import Commit
from phases.record.findings import Frame
from phases.root_cause.patch import Patch, Word

LINES = 10  # own frames whose lines are followed through the patches
PATCH_LIMIT = 60_000  # characters of a patch that are looked at
LINE = 16.0  # wrote the line that crashes
BESIDE = 9.0  # changed something within three lines of it
NEAR = 5.0  # changed something within 25 lines of it
TOUCHED = 5.0  # changed the file
FUNCTION = 4.0  # changed lines that name the function, in its file
BESIDE_LINES = 3
NEAR_LINES = 25
OFTEN = 0.25  # how much less it says when a file is changed all the time
AGAIN = 0.3  # how much less a line says that only catches an exception and raises another
FAR = 0.5  # how much less a change of the file says that is far from the line
TELLING = 12  # characters of a line of code that can be told from others


@dataclass(slots=True)
class _Trail:
    """One frame of our own, followed backwards through the patches of its file."""

    rank: int
    frame: Frame
    weight: float
    line: int | None
    text: str
    """The source of the crashing line, where the trace has it and it says something."""
    function: Word | None
    """The bare name of its function, where that says anything."""
    where: str
    """How far from the crash it is, for people."""
    settled: bool = False
    """The commit that wrote the line is found; older ones can only have touched what was around it."""


@dataclass(frozen=True, slots=True)
class Followed:
    points: list[list[tuple[float, str]]]
    """For each commit: points with their reasons."""
    lines: list[tuple[int, str]]
    """Crashing lines as the trace or a patch shows them, with the rank of their frame."""


def follow(
    own: Sequence[Frame],
    index: PathIndex,
    commits: Sequence[Commit],
    patches: Sequence[Sequence[Patch]],
) -> Followed:
    """Walks from the newest commit to the oldest and keeps, for each frame, where its line stood before each patch.

    `patches`: for each commit those of its files, in their order.
    """
    trails = _trails(own, index)
    everything = [trail for here in trails.values() for trail in here]
    often = Counter(file.path for commit in commits for file in commit.files if file.path in trails)
    told: list[list[tuple[float, str]]] = []
    for commit, of_commit in zip(commits, patches, strict=True):
        found: list[list[tuple[float, str]]] = []
        moved: dict[str, str] = {}
        focus = 1 / (1 + math.log10(max(1, len(commit.files))) / 1.5)
        for file, patch in zip(commit.files, of_commit, strict=True):
            here = trails.get(file.path)
            if here:
                rare = 1 / (1 + OFTEN * math.log2(max(1, often[file.path])))
                found.append(_one_file(patch, here, focus * rare))
                if (before := patch.renamed_from) is not None:
                    moved[file.path] = before
        for path, before in moved.items():
            trails.setdefault(before, []).extend(trails.pop(path))
        found.sort(key=lambda points: -sum(p for p, _ in points))
        told.append(
            [
                (p * 0.5**position, reason)
                for position, points in enumerate(found)
                for p, reason in points
            ]
        )
    lines = [(trail.rank, trail.text) for trail in everything if trail.text]
    return Followed(told, sorted(dict.fromkeys(lines)))


def _trails(own: Sequence[Frame], index: PathIndex) -> dict[str, list[_Trail]]:
    trails: dict[str, list[_Trail]] = {}
    matches = [index.find(frame.file, frame.module) for frame in own]
    built = {
        n: path
        for n, frame in enumerate(own)
        if not matches[n] and (path := index.built_from(frame.file))
    }
    own = [
        f.model_copy(update={"file": built[n], "line": None, "context": ()}) if n in built else f
        for n, f in enumerate(own)
    ]
    matches = [index.find(frame.file) if n in built else matches[n] for n, frame in enumerate(own)]
    roots = {
        _root(f.file, m[0].path)
        for f, m in zip(own, matches, strict=True)
        if len(m) == 1 and m[0].quality == 1
    }
    for rank, (frame, matched) in enumerate(zip(own, matches, strict=True)):
        known = tuple(parts_of(frame.file))
        # Where the deployed code lies is known from another frame: then a path that agrees only in part is another file.
        elsewhere = any(root and known[: len(root)] == root for root in roots)
        for match in matched:
            if (
                match.quality < 1
                and elsewhere
                and len(known) > 1
                and match.shared < len(parts_of(match.path))
            ):
                continue
            weight = (
                match.quality / (1 + 0.4 * rank) / len(matched) * (AGAIN if frame.again else 1.0)
            )
            line = frame.line if rank < LINES else None
            trails.setdefault(match.path, []).append(
                _Trail(
                    rank,
                    frame,
                    weight,
                    line,
                    _source_line(frame),
                    Word(name) if (name := function_of(frame)) else None,
                    _where(rank, frame),
                )
            )
    return trails


def _root(file: str, path: str) -> tuple[str, ...]:
    """The folders that stand before a repository's path where it is deployed."""
    whole, inside = parts_of(file), parts_of(path)
    return whole[: max(0, len(whole) - len(inside))]


def _source_line(frame: Frame) -> str:
    of_line = [text for number, text in frame.context if number == frame.line or frame.line is None]
    text = (
        of_line[0].strip()
        if of_line and (frame.line is not None or len(frame.context) == 1)
        else ""
    )
    return text if len(text) >= TELLING else ""


def _one_file(patch: Patch, trails: Sequence[_Trail], focus: float) -> list[tuple[float, str]]:
    """The best that this file's change says about any frame in it."""
    best: _Seen | None = None
    caught: _Seen | None = None
    most = 0.0
    for trail in trails:
        if (
            trail.line is None
            and trail.weight * (TOUCHED * focus + FUNCTION) <= most
            and not _adds(patch, trail)
        ):
            continue  # it could not win, and has no line to be followed
        seen = _one_trail(patch, trail, focus)
        caught = seen if seen.wrote and trail.frame.again else caught
        if best is None or seen.worth > most:
            best, most = seen, seen.worth
    if caught is not None and best is not None and not best.wrote:
        best = caught  # it changed how the error is worded, which lies beside the call that failed
    return best.told(patch.path) if best is not None else []


def _adds(patch: Patch, trail: _Trail) -> bool:
    return bool(trail.text) and not trail.settled and patch.adds(trail.text)


class _Seen(NamedTuple):
    """What a patch says about one frame, in points; put into words only where it is the best."""

    trail: _Trail
    touched: float
    says: str = ""
    """What is said of the change itself, where it is not simply a change of the file."""
    line: float = 0.0
    distance: int | None = None
    """Lines between the change and the frame's; None: it wrote that line."""
    function: float = 0.0

    @property
    def wrote(self) -> bool:
        return bool(self.line) and self.distance is None

    @property
    def worth(self) -> float:
        return self.touched + self.line + self.function

    def told(self, path: str) -> list[tuple[float, str]]:
        where = self.trail.where
        points = [(self.touched, f"changes {self.says}{path}, {where}")]
        if self.wrote:
            points.append((self.line, f"wrote {_line(self.trail, path)}, {where}"))
        elif self.line and self.distance is not None and self.distance <= BESIDE_LINES:
            points.append(
                (self.line, f"changes the lines around {_line(self.trail, path)}, {where}")
            )
        elif self.line:
            points.append((self.line, f"changes {path} {self.distance} lines off, {where}"))
        if self.function and self.trail.function is not None:
            points.append((self.function, f"changes `{self.trail.function.text}`, {where}"))
        return points


def _one_trail(patch: Patch, trail: _Trail, focus: float) -> _Seen:
    touched = TOUCHED * trail.weight * focus
    if not patch.hunks:
        return _Seen(trail, touched)
    if patch.only_shape:
        if trail.line is not None:
            trail.line = patch.fate(trail.line).before
        return _Seen(trail, touched * 0.15, says="only comments or blanks in ")
    worth = trail.weight * (0.5 if trail.settled else 1.0)
    line = trail.line
    distance: int | None = None
    written = False
    if line is not None:
        fate = patch.fate(line)
        written, distance, trail.line = (
            fate.written and not trail.settled,
            fate.distance,
            fate.before,
        )
        trail.text = trail.text or (fate.text if len(fate.text) >= TELLING else "")
    far = line is not None and (distance is None or distance > NEAR_LINES)
    touched *= FAR if far else 1.0
    written = written or _adds(patch, trail)
    function = (
        FUNCTION * worth if trail.function is not None and patch.find(trail.function) else 0.0
    )
    if written:
        trail.settled = True
        return _Seen(trail, touched, line=LINE * trail.weight, function=function)
    if distance is None or distance > NEAR_LINES:
        return _Seen(trail, touched, function=function)
    near = (
        BESIDE * worth
        if distance <= BESIDE_LINES
        else NEAR * worth * (1 - distance / (2 * NEAR_LINES))
    )
    return _Seen(trail, touched, line=near, distance=distance, function=function)


def _where(rank: int, frame: Frame) -> str:
    if frame.of:
        return (
            f"where it is raised again as {frame.of}"
            if frame.again
            else f"in the stack of {frame.of}"
        )
    if rank == 0:
        return "where it crashes"
    return "one call above the crash" if rank == 1 else f"{rank} calls above the crash"


def _line(trail: _Trail, path: str) -> str:
    return f"{path}:{trail.frame.line}" if trail.frame.line else f"the line in {path}"


_NAMELESS = re.compile(
    r"^main$|^__init__$|^run$|^call$|^__call__$|^handler?$|^get$|^set$|^init$|^lambda$|^glob$"
)
_UNNAMED = re.compile(r"^\?|<anonymous>|<module>|^<[\w ]+>$|^anonymous$", re.IGNORECASE)
_COMPILED = re.compile(r"<(\w+)>[a-z]*__\w*")
"""`<Total>d__3` is what C# makes of an asynchronous `Total`."""
_ASIDE = re.compile(r"/\d+|\([^()]*\)|\{[^}]*\}+|<[^<>]*>|::h[0-9a-f]{16}$")
"""Arity, arguments and receivers, closures, generics, Rust's hash."""
_WORD = re.compile(r"[A-Za-z_]\w*[?!]?")
_MADE = re.compile(
    r"func\d+|lambda|locals|async|await|new|fn|in|block|anonymous|closure|invokeSuspend|MoveNext|_?\d*"
)


def function_of(frame: Frame) -> str:
    """The bare name of a frame's function, as somebody wrote it; empty where it has none that says anything."""
    if _UNNAMED.search(frame.function):
        return ""
    text = _ASIDE.sub(" ", _COMPILED.sub(r"\1", frame.function))
    name = next((word for word in reversed(_WORD.findall(text)) if not _MADE.fullmatch(word)), "")
    return "" if len(name) < 3 or _NAMELESS.search(name.lower()) else name
