"""Phase 2: follow the lines of a stack backwards through the patches of their files.

This shows which commit wrote a line, and which commits changed what is around it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from phases.ports.source_paths import PathIndex, PathMatch, parts_of
from phases.ports.source_values import Commit
from phases.record.findings import Frame
from phases.root_cause.patch import Patch

LINES = 10  # own frames whose lines are followed through the patches
AGAIN = 0.3  # how much less a line says that only catches an exception and raises another
TELLING = 12  # characters of a line of code that can be told from others


class Touch(NamedTuple):
    """The effect of one commit on one frame of the stack."""

    rank: int
    """The frame's distance from the crash, in calls of our own code."""
    frame: Frame
    path: str
    weight: float
    """From 0 to 1: how surely this is the frame's file, and how much its line says."""
    wrote: bool = False
    """It added the frame's line."""
    distance: int | None = None
    """Lines between its nearest change and the frame's; None where one of them is not known."""
    novelty: float = 1.0
    """How much of what it changed nearest to the line is not merely the same in other words."""
    blamed: bool = False
    """Git says that it wrote the line; the patches did not tell."""
    shape: bool = False
    """It changes only comments or blanks of the file."""

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


@dataclass(slots=True)
class _Trail:
    """One frame of our own, followed backwards through the patches of its file."""

    rank: int
    frame: Frame
    weight: float
    line: int | None
    text: str
    """The source of the line, where the trace has it and it says something."""
    settled: bool = False
    """The commit that wrote the line is found; older ones only touched what was around it."""


def follow(
    own: Sequence[Frame],
    index: PathIndex,
    commits: Sequence[Commit],
    patches: Sequence[Sequence[Patch]],
    blamed: Mapping[int, str],
) -> list[list[Touch]]:
    """Walk from the newest commit to the oldest, and say of each what it did to the stack's lines.

    For each frame the place of its line before each patch is kept. `patches`: for each commit
    those of its files, in their order. `blamed`: the commits that wrote a frame's line, as git
    says, which sees through moves, and through what a patch leaves out.
    """
    trails = _trails(own, index)
    touched: list[list[Touch]] = []
    for commit, of_commit in zip(commits, patches, strict=True):
        touches: list[Touch] = []
        moved: dict[str, str] = {}
        for file, patch in zip(commit.files, of_commit, strict=True):
            if here := trails.get(file.path):
                touches += [_touch(patch, trail) for trail in here]
                if (before := patch.renamed_from) is not None:
                    moved[file.path] = before
        for path, before in moved.items():
            trails.setdefault(before, []).extend(trails.pop(path))
        for rank, sha in blamed.items():
            if sha == commit.sha and not any(t.wrote and t.rank == rank for t in touches):
                weight = AGAIN if own[rank].again else 1.0
                touches.append(Touch(rank, own[rank], own[rank].file, weight, True, 0, blamed=True))
        touched.append(touches)
    return touched


def _touch(patch: Patch, trail: _Trail) -> Touch:
    """Judge a patch for one frame, and move the frame's line to where it stood before the patch."""
    rank, frame, path, weight = trail.rank, trail.frame, patch.path, trail.weight
    if not patch.hunks:
        return Touch(rank, frame, path, weight)
    line = trail.line
    fate = patch.fate(line) if line is not None else None
    trail.line = fate.before if fate else None
    if patch.only_shape:
        return Touch(rank, frame, path, weight, shape=True)
    if fate and len(fate.text) >= TELLING:
        trail.text = trail.text or fate.text
    wrote = not trail.settled and (
        (fate is not None and fate.written) or bool(trail.text and patch.adds(trail.text))
    )
    trail.settled = trail.settled or wrote
    distance = 0 if wrote else fate.distance if fate else None
    novelty = patch.novelty(line) if line is not None else 1.0
    return Touch(rank, frame, path, weight, wrote, distance, novelty)


def _trails(own: Sequence[Frame], index: PathIndex) -> dict[str, list[_Trail]]:
    located = [_located(frame, index) for frame in own]
    roots = {
        _root(frame.file, matches[0].path)
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
            weight = match.quality / len(matches) * (AGAIN if frame.again else 1.0)
            here = trails.setdefault(match.path, [])
            if rank >= LINES and any(trail.weight >= weight for trail in here):
                continue  # without a line it says only that the file was changed, as that one does
            here.append(
                _Trail(
                    rank=rank,
                    frame=frame,
                    weight=weight,
                    line=frame.line if rank < LINES else None,
                    text=_source_line(frame),
                )
            )
    return trails


def _located(frame: Frame, index: PathIndex) -> tuple[Frame, list[PathMatch]]:
    """Return the frame with the paths that it may stand for; a compiled one by its source."""
    matches = index.find(frame.file, frame.module)
    if matches or (source := index.built_from(frame.file)) is None:
        return frame, matches
    frame = frame.model_copy(update={"file": source, "line": None, "context": ()})
    return frame, index.find(source)


def _root(file: str, path: str) -> tuple[str, ...]:
    """Return the folders that stand before a repository's path where it is deployed."""
    whole, inside = parts_of(file), parts_of(path)
    return whole[: max(0, len(whole) - len(inside))]


def _source_line(frame: Frame) -> str:
    if frame.line is None and len(frame.context) != 1:
        return ""
    texts = (text for number, text in frame.context if frame.line in (number, None))
    text = next(texts, "").strip()
    return text if len(text) >= TELLING else ""
