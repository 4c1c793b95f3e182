"""The lines of a stack, followed backwards through the patches of their files: which commit wrote them, which changed what is around them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from phases.patches import Patch, changed_word, only_shape
from phases.paths import PathIndex, parts_of
from phases.ports import Commit, CommitFile
from phases.report import Frame

LINES = 10  # own frames whose lines are followed through the patches
PATCH_LIMIT = 60_000  # characters of a patch that are looked at
LINE = 16.0  # wrote the line that crashes
BESIDE = 9.0  # changed something within three lines of it
NEAR = 5.0  # changed something within 25 lines of it
TOUCHED = 6.0  # changed the file
FUNCTION = 4.0  # changed lines that name the function, in its file
NEAR_LINES = 25


@dataclass(slots=True)
class _Trail:
    """One frame of our own, followed backwards through the patches of its file."""

    rank: int
    frame: Frame
    weight: float
    line: int | None
    text: str
    """The source of the crashing line, where the trace has it and it says something."""
    settled: bool = False
    """The commit that wrote the line is found; older ones can only have touched what was around it."""


def follow(own: Sequence[Frame], index: PathIndex, commits: Sequence[Commit]) -> list[list[tuple[float, str]]]:
    """Walks from the newest commit to the oldest and keeps, for each frame, where its line stood before each patch."""
    trails = _trails(own, index)
    told: list[list[tuple[float, str]]] = []
    for commit in commits:
        found: list[list[tuple[float, str]]] = []
        moved: dict[str, str] = {}
        for file in commit.files:
            here = trails.get(file.path)
            if here:
                patch = Patch(file.patch[:PATCH_LIMIT])
                found.append(_one_file(file, patch, here, len(commit.files)))
                if (before := patch.renamed_from) is not None:
                    moved[file.path] = before
        for path, before in moved.items():
            trails.setdefault(before, []).extend(trails.pop(path))
        found.sort(key=lambda points: -sum(p for p, _ in points))
        told.append([(p * 0.5**position, reason) for position, points in enumerate(found) for p, reason in points])
    return told


def _trails(own: Sequence[Frame], index: PathIndex) -> dict[str, list[_Trail]]:
    trails: dict[str, list[_Trail]] = {}
    matches = [index.find(frame.file, frame.module) for frame in own]
    roots = {_root(f.file, m[0].path) for f, m in zip(own, matches, strict=True) if len(m) == 1 and m[0].quality == 1}
    for rank, (frame, matched) in enumerate(zip(own, matches, strict=True)):
        known = tuple(parts_of(frame.file))
        # Where the deployed code lies is known from another frame: then a path that agrees only in part is another file.
        elsewhere = any(root and known[: len(root)] == root for root in roots)
        for match in matched:
            if match.quality < 1 and elsewhere and len(known) > 1 and match.shared < len(parts_of(match.path)):
                continue
            weight = match.quality / (1 + 0.4 * rank) / len(matched)
            line = frame.line if rank < LINES else None
            trails.setdefault(match.path, []).append(_Trail(rank, frame, weight, line, _source_line(frame)))
    return trails


def _root(file: str, path: str) -> tuple[str, ...]:
    """The folders that stand before a repository's path where it is deployed."""
    whole, inside = parts_of(file), parts_of(path)
    return whole[: max(0, len(whole) - len(inside))]


def _source_line(frame: Frame) -> str:
    text = next((text.strip() for number, text in frame.context if number == frame.line), "")
    return text if len(text) >= 12 else ""


def _one_file(file: CommitFile, patch: Patch, trails: Sequence[_Trail], files: int) -> list[tuple[float, str]]:
    """The best that this file's change says about any frame in it."""
    shape = bool(patch.text) and only_shape(patch.text, file.path)
    best: list[tuple[float, str]] = []
    focus = 1 / (1 + math.log10(max(1, files)) / 1.5)
    for trail in trails:
        points = _one_trail(file, patch, trail, focus, shape)
        if sum(p for p, _ in points) > sum(p for p, _ in best):
            best = points
    return best


def _one_trail(file: CommitFile, patch: Patch, trail: _Trail, focus: float, shape: bool) -> list[tuple[float, str]]:
    where = _where(trail)
    touched = TOUCHED * trail.weight * focus
    if not patch.hunks:
        return [(touched, f"changes {file.path}, {where}")]
    if shape:
        if trail.line is not None:
            trail.line = patch.fate(trail.line).before
        return [(touched * 0.15, f"changes only comments or blanks in {file.path}, {where}")]
    points = [(touched, f"changes {file.path}, {where}")]
    worth = trail.weight * (0.5 if trail.settled else 1.0)
    line = trail.line
    distance: int | None = None
    written = False
    if line is not None:
        fate = patch.fate(line)
        written, distance, trail.line = fate.written and not trail.settled, fate.distance, fate.before
    if not written and not trail.settled and trail.text:
        written = _adds(patch.text, trail.text)
    if written:
        trail.settled = True
        points.append((LINE * trail.weight, f"wrote {_line(trail, file)}, {where}"))
    elif distance is not None and distance <= 3:
        points.append((BESIDE * worth, f"changes the lines around {_line(trail, file)}, {where}"))
    elif distance is not None and distance <= NEAR_LINES:
        points.append(
            (NEAR * worth * (1 - distance / (2 * NEAR_LINES)), f"changes {file.path} {distance} lines off, {where}")
        )
    name = function_of(trail.frame)
    if name and _in_change(patch, name):
        points.append((FUNCTION * worth, f"changes `{name}`, {where}"))
    return points


def _where(trail: _Trail) -> str:
    if trail.rank == 0:
        return "where it crashes"
    return "one call above the crash" if trail.rank == 1 else f"{trail.rank} calls above the crash"


def _line(trail: _Trail, file: CommitFile) -> str:
    return f"{file.path}:{trail.frame.line}" if trail.frame.line else f"the line in {file.path}"


def _adds(text: str, line: str) -> bool:
    at = text.find(line)
    while at >= 0:
        if text[text.rfind("\n", 0, at) + 1 : at].startswith("+"):
            return True
        at = text.find(line, at + 1)
    return False


_NAMELESS = re.compile(
    r"^<|^\?$|anonymous|^lambda|^main$|^__init__$|^run$|^call$|^__call__$|^handler?$|^get$|^set$|^init$"
)


def function_of(frame: Frame) -> str:
    """The bare name of a frame's function; empty where it has none that says anything."""
    name = re.split(r"[.:#/\\$ ]+", frame.function.split("(", 1)[0].strip())[-1]
    return "" if len(name) < 3 or _NAMELESS.search(name.lower()) else name


def _in_change(patch: Patch, name: str) -> bool:
    return any(name in hunk.heading for hunk in patch.hunks) or any(changed_word(patch.text, name))
