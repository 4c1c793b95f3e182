"""Crashes with a known culprit, as a folder of facts beside clones names them.

One JSON file a crash: `<folder>/<language>/<project>/<case>.json`.

    {"project", "language", "git_dir", "good_sha", "bad_sha", "culprit": sha | null,
     "exception": {"type", "value"}, "frames": [...], "chained": [...],
     "nobody": {"good", "bad", "frames", "chained", "exception"}, "nobody_good": sha}

Frames are those of `firebreak suspects`; `"test": true` marks one of the test that found the crash,
which production does not have. The commits are read from `git_dir` as the bot reads a clone, and
kept in a folder for the next run. Each crash gives a second question whose answer is *nobody*: the
same crash over a range that begins behind its culprit.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.clients.git.source import LocalGit
from phases.ports.ports import PortError
from phases.ports.source_values import Commit
from phases.record.service import Service

Json = dict[str, Any]

KEPT = Path(tempfile.gettempdir()) / "firebreak-crashes"
WIDTHS, WIDEST = (80, 160, 300, 450), 495
ENOUGH = 10
"""Commits that a range without a culprit has at least: with fewer *nobody* is no finding."""


@dataclass(frozen=True, slots=True)
class Question:
    """One crash over one range of commits, with the right answer."""

    id: str
    project: str
    language: str
    culprit: str | None
    crash: Json
    """`frames`, `exception`, `chained` as `firebreak suspects` takes them."""
    commits: tuple[Commit, ...]
    """Newest first."""
    wide: bool = False
    """The range goes farther back than to the release before."""


def questions(folder: Path) -> list[Question]:
    """Return the crashes of a folder, each followed by the same over a range without its culprit.

    What cannot be read is left out, with a line on the reason.
    """
    collected: list[Question] = []
    for path in sorted(folder.glob("*/*/*.json")):
        try:
            collected += _of(path, json.loads(path.read_text(encoding="utf-8")))
        except (OSError, KeyError, ValueError, subprocess.CalledProcessError, PortError) as error:
            print(f"{path}: {type(error).__name__}: {error}", file=sys.stderr)
    return collected


def _of(path: Path, case: Json) -> list[Question]:
    project = path.parent.name
    name = f"{project}/{path.stem}"
    directory, good, bad = case["git_dir"], case["good_sha"], case["bad_sha"]
    culprit = case.get("culprit")
    commits = _commits(directory, good, bad)
    both: list[Question] = []
    if culprit is None or any(commit.sha == culprit for commit in commits):
        both.append(Question(name, project, case["language"], culprit, _crash(case), commits))
    else:
        raise ValueError("its culprit is not in its range")
    if culprit is None:
        return both
    if (wide := _wide(name, directory, bad, culprit)) and any(c.sha == culprit for c in wide):
        at = f"{name} wide"
        both.append(Question(at, project, case["language"], culprit, _crash(case), wide, True))
    later: Json | None = case.get("nobody")
    if later is not None:
        after = _commits(directory, later["good"], later["bad"])
        crash = _crash({**case, **later})
    else:
        begin = case.get("nobody_good") or culprit
        inside = {commit.sha for commit in commits}
        after = tuple(c for c in _commits(directory, begin, bad) if c.sha in inside)
        crash = _crash(case)
    if len(after) >= ENOUGH and all(commit.sha != culprit for commit in after):
        both.append(Question(f"{name} later", project, case["language"], None, crash, after))
    return both


def _crash(case: Json) -> Json:
    def own(frames: Sequence[Json] | None) -> list[Json]:
        return [frame for frame in frames or () if not frame.get("test")]

    return {
        "frames": own(case.get("frames")),
        "exception": case.get("exception"),
        "chained": [
            {**cause, "frames": own(cause.get("frames"))} for cause in case.get("chained") or ()
        ],
    }


def _commits(git_dir: str, good: str, bad: str) -> tuple[Commit, ...]:
    """Return the commits between two others, as the bot's own client reads them."""
    key = hashlib.sha256(f"{git_dir} {good} {bad}".encode()).hexdigest()[:24]
    cached = KEPT / f"{key}.json"
    if not cached.is_file():
        service = Service.model_validate({"name": "mined", "checkout": git_dir})
        read = asyncio.run(LocalGit().commits(service, _sha(git_dir, good), _sha(git_dir, bad)))
        cached.parent.mkdir(parents=True, exist_ok=True)
        rows = [commit.model_dump(mode="json") for commit in read]
        cached.write_text(json.dumps(rows), encoding="utf-8")
    return tuple(Commit.model_validate(row) for row in json.loads(cached.read_text("utf-8")))


def _wide(name: str, git_dir: str, bad: str, culprit: str) -> tuple[Commit, ...]:
    """Return some 80 to 450 commits up to the bad one, with the culprit among them.

    Services that are deployed once a month have such ranges.
    """

    def ahead(of: str) -> int:
        return int(_git(git_dir, "rev-list", "--no-merges", "--count", f"{of}..{bad}"))

    aimed = max(random.Random(name).choice(WIDTHS), ahead(culprit) + ENOUGH)
    if aimed > WIDEST:
        return ()
    low, high = 1, int(_git(git_dir, "rev-list", "--first-parent", "--count", bad)) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if ahead(f"{bad}~{middle}") < aimed else (low, middle)
    while low > 1 and ahead(f"{bad}~{low}") > WIDEST:
        low -= 1
    return _commits(git_dir, f"{bad}~{low}", bad)


def _sha(git_dir: str, name: str) -> str:
    return _git(git_dir, "rev-parse", "--verify", f"{name}^{{commit}}").strip()


def _git(git_dir: str, *arguments: str) -> str:
    return subprocess.run(
        ["git", f"--git-dir={git_dir}", *arguments], check=True, capture_output=True, text=True
    ).stdout
