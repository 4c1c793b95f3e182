"""Phase 2: follow the lines of a stack backwards through the patches of their files.

This shows which commit wrote a line, and which commits changed what is around it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from phases.ports.source_paths import PathIndex, PathMatch, parts_of
from phases.ports.source_values import Commit
from phases.record.findings import Frame
from phases.root_cause.patch import Patch

LINES_FOLLOWED = 10  # own frames whose lines are followed through the patches
PATCH_LIMIT = 60_000  # characters of a patch that are looked at
WROTE_LINE = 16.0  # wrote the line that crashes
CHANGED_BESIDE = 9.0  # changed something within three lines of it
CHANGED_NEAR = 5.0  # changed something within 25 lines of it
TOUCHED = 5.0  # changed the file
CHANGED_FUNCTION = 4.0  # changed lines that name the function, in its file
BESIDE_LINES = 3
NEAR_LINES = 25
RERAISED_FACTOR = 0.3  # how much less a line says that only catches an exception and raises another
FAR_FACTOR = 0.5  # how much less a change of the file says that is far from the line
TELLING = 12  # characters of a line of code that can be told from others


class Signal(NamedTuple):
    """A reason for a commit, in points and in words."""

    points: float
    reason: str
    clue: str
    """The kind of clue, for the measure of what each is worth."""


@dataclass(slots=True)
class _Trail:
    """One frame of our own, followed backwards through the patches of its file."""

    rank: int
    frame: Frame
    weight: float
    line: int | None
    text: str
    """The source of the crashing line, where the trace has it and it says something."""
    function: str
    """The bare name of its function; empty where that says nothing."""
    settled: bool = False
    """The commit that wrote the line is found; older ones only touched what was around it."""

    @property
    def where(self) -> str:
        """Its distance from the crash, for people."""
        of = self.frame.of
        if of:
            return (
                f"where it is raised again as {of}" if self.frame.again else f"in the stack of {of}"
            )
        calls = {0: "where it crashes", 1: "one call above the crash"}
        return calls.get(self.rank, f"{self.rank} calls above the crash")

    def added_by(self, patch: Patch) -> bool:
        return bool(self.text) and not self.settled and patch.adds(self.text)


@dataclass(frozen=True, slots=True)
class LineHistory:
    """The effect of one commit on the lines of the stack."""

    signals: tuple[Signal, ...]
    wrote: frozenset[int | None]
    """Numbers of the lines that it wrote."""


def follow_lines(
    own: Sequence[Frame],
    index: PathIndex,
    commits: Sequence[Commit],
    patches: Sequence[Sequence[Patch]],
) -> list[LineHistory]:
    """Walk from the newest commit to the oldest, and say of each what it did to the stack's lines.

    For each frame the place of its line before each patch is kept. `patches`: for each commit
    those of its files, in their order.
    """
    trails = _trails_by_path(own, index)
    histories: list[LineHistory] = []
    for commit, of_commit in zip(commits, patches, strict=True):
        changes: list[_FrameChange] = []
        moved: dict[str, str] = {}
        for file, patch in zip(commit.files, of_commit, strict=True):
            if here := trails.get(file.path):
                changes.append(_file_change(patch, here))
                if (before := patch.renamed_from) is not None:
                    moved[file.path] = before
        for path, before in moved.items():
            trails.setdefault(before, []).extend(trails.pop(path))
        changes.sort(key=lambda change: -change.worth)
        histories.append(
            LineHistory(
                signals=tuple(
                    signal._replace(points=signal.points * 0.5**position)
                    for position, change in enumerate(changes)
                    for signal in change.signals
                ),
                wrote=frozenset(change.trail.frame.line for change in changes if change.wrote),
            )
        )
    return histories


def _trails_by_path(own: Sequence[Frame], index: PathIndex) -> dict[str, list[_Trail]]:
    located = [_located_frame(frame, index) for frame in own]
    roots = {
        _deployed_root(frame.file, matches[0].path)
        for frame, matches in located
        if len(matches) == 1 and matches[0].quality == 1
    }
    trails: dict[str, list[_Trail]] = {}
    for rank, (frame, matches) in enumerate(located):
        parts = parts_of(frame.file)
        # Where the deployed code lies is known from another frame: then a path that agrees only
        # in part is another file.
        rooted = len(parts) > 1 and any(root and parts[: len(root)] == root for root in roots)
        for match in matches:
            if rooted and match.quality < 1 and match.shared < len(parts_of(match.path)):
                continue
            again = RERAISED_FACTOR if frame.again else 1.0
            trails.setdefault(match.path, []).append(
                _Trail(
                    rank=rank,
                    frame=frame,
                    weight=match.quality / (1 + 0.4 * rank) / len(matches) * again,
                    line=frame.line if rank < LINES_FOLLOWED else None,
                    text=_source_line(frame),
                    function=function_of(frame),
                )
            )
    return trails


def _located_frame(frame: Frame, index: PathIndex) -> tuple[Frame, list[PathMatch]]:
    """Return the frame with the paths that it may stand for; a compiled one by its source."""
    matches = index.find(frame.file, frame.module)
    if matches or (source := index.built_from(frame.file)) is None:
        return frame, matches
    frame = frame.model_copy(update={"file": source, "line": None, "context": ()})
    return frame, index.find(source)


def _deployed_root(file: str, path: str) -> tuple[str, ...]:
    """Return the folders that stand before a repository's path where it is deployed."""
    whole, inside = parts_of(file), parts_of(path)
    return whole[: max(0, len(whole) - len(inside))]


def _source_line(frame: Frame) -> str:
    if frame.line is None and len(frame.context) != 1:
        return ""
    texts = (text for number, text in frame.context if frame.line in (number, None))
    text = next(texts, "").strip()
    return text if len(text) >= TELLING else ""


def _file_change(patch: Patch, trails: Sequence[_Trail]) -> "_FrameChange":
    """Return the strongest of what this file's patch did to the frames in it."""
    changes: list[_FrameChange] = []
    most = 0.0
    for trail in trails:
        if (
            trail.line is None
            and trail.weight * (TOUCHED + CHANGED_FUNCTION) <= most
            and not trail.added_by(patch)
        ):
            continue  # it could not win, and has no line to be followed
        changes.append(_frame_change(patch, trail))
        most = max(most, changes[-1].worth)
    strongest = max(changes, key=lambda change: change.worth)
    # A commit that wrote a line which raises again changed how the error is worded. What else it
    # changed lies beside the call that failed, and only looks nearer.
    worded = [change for change in changes if change.wrote and change.trail.frame.again]
    return strongest if strongest.wrote or not worded else worded[-1]


class _FrameChange(NamedTuple):
    """The effect of a patch on one frame, in points."""

    trail: _Trail
    path: str
    touched: float
    shape: bool = False
    """The patch changes only comments or blanks."""
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

    @property
    def signals(self) -> list[Signal]:
        path, where = self.path, self.trail.where
        number = self.trail.frame.line
        line = f"{path}:{number}" if number else f"the line in {path}"
        only = "only comments or blanks in " if self.shape else ""
        signals = [Signal(self.touched, f"changes {only}{path}, {where}", "file")]
        if self.wrote:
            signals.append(Signal(self.line, f"wrote {line}, {where}", "line"))
        elif self.line and self.distance is not None and self.distance <= BESIDE_LINES:
            signals.append(Signal(self.line, f"changes the lines around {line}, {where}", "line"))
        elif self.line:
            reason = f"changes {path} {self.distance} lines off, {where}"
            signals.append(Signal(self.line, reason, "line"))
        if self.function:
            reason = f"changes `{self.trail.function}`, {where}"
            signals.append(Signal(self.function, reason, "function"))
        return signals


def _frame_change(patch: Patch, trail: _Trail) -> _FrameChange:
    """Judge a patch for one frame, and move the frame's line to where it stood before the patch."""
    touched = TOUCHED * trail.weight
    if not patch.hunks:
        return _FrameChange(trail, patch.path, touched)
    fate = patch.fate(trail.line) if trail.line is not None else None
    trail.line = fate.before if fate else None
    if patch.only_shape:
        return _FrameChange(trail, patch.path, touched * 0.15, shape=True)
    if fate and len(fate.text) >= TELLING:
        trail.text = trail.text or fate.text
    written = (fate is not None and fate.written and not trail.settled) or trail.added_by(patch)
    weight = trail.weight * (0.5 if trail.settled else 1.0)
    function = CHANGED_FUNCTION * weight if trail.function and patch.names(trail.function) else 0.0
    distance = fate.distance if fate else None
    near = distance is not None and distance <= NEAR_LINES
    if fate and not near:
        touched *= FAR_FACTOR
    if written:
        trail.settled = True
        points = WROTE_LINE * trail.weight
        return _FrameChange(trail, patch.path, touched, line=points, function=function)
    if distance is None or not near:
        return _FrameChange(trail, patch.path, touched, function=function)
    beside = distance <= BESIDE_LINES
    points = weight * (
        CHANGED_BESIDE if beside else CHANGED_NEAR * (1 - distance / (2 * NEAR_LINES))
    )
    return _FrameChange(
        trail, patch.path, touched, line=points, distance=distance, function=function
    )


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
    r"func\d+|lambda|locals|async|await|new|fn|in|block|anonymous|closure|invokeSuspend|MoveNext"
    r"|_?\d*"
)


def function_of(frame: Frame) -> str:
    """Return the bare name of a frame's function; empty where it says nothing."""
    if _UNNAMED.search(frame.function):
        return ""
    text = _ASIDE.sub(" ", _COMPILED.sub(r"\1", frame.function))
    name = next((word for word in reversed(_WORD.findall(text)) if not _MADE.fullmatch(word)), "")
    return "" if len(name) < 3 or _NAMELESS.search(name.lower()) else name
