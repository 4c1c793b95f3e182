"""What `git log` prints, read: commits with files, and patches beside them. Pure text in, values out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from phases.ports import Commit, CommitFile

FORMAT = "%x1e%H%x1f%an%x1f%aI%x1f%s%x1f%b%x1f"
"""For `git log -z --numstat`: a record separator, five fields, and then the files."""

BODY_LIMIT = 2000

_PATCH_HEAD = re.compile(rb"(?m)^diff --git ")


def read_log(out: bytes, patch_of: Mapping[tuple[str, str], str]) -> tuple[Commit, ...]:
    """Commits as git ordered them, newest first. `patch_of`: (sha, path) → patch."""
    commits: list[Commit] = []
    for record in out.decode("utf-8", "replace").split("\x1e")[1:]:
        parts = record.split("\x1f")
        if len(parts) < 6:
            continue  # the output limit was reached within this record
        sha, author, at, subject, body, files = parts[0], parts[1], parts[2], parts[3], parts[4], parts[-1]
        commits.append(
            Commit(
                sha=sha,
                author=author,
                at=datetime.fromisoformat(at),
                subject=subject[:300],
                body=body.strip()[:BODY_LIMIT],
                files=tuple(
                    CommitFile(path=path, added=added, deleted=deleted, patch=patch_of.get((sha, path), ""))
                    for path, added, deleted in _numstat(files)
                ),
            )
        )
    return tuple(commits)


def _numstat(text: str) -> list[tuple[str, int, int]]:
    """`added TAB deleted TAB path NUL`; of a rename `added TAB deleted TAB NUL old NUL new NUL`; `-` stands for binary.

    https://git-scm.com/docs/git-diff#_other_diff_formats
    """
    found: list[tuple[str, int, int]] = []
    words = iter(text.lstrip("\0\n").split("\0"))
    for word in words:
        fields = word.lstrip("\n").split("\t", 2)
        if len(fields) != 3:
            continue
        path = fields[2]
        if not path:
            next(words, "")
            path = next(words, "")
        if path:
            found.append((path, _number(fields[0]), _number(fields[1])))
    return found


def patches(out: bytes, limit: int) -> dict[tuple[str, str], str]:
    """(sha, path) → patch from `git log -p --format=%x1e%H`; a patch is cut after `limit` bytes."""
    found: dict[tuple[str, str], str] = {}
    for record in out.split(b"\x1e")[1:]:
        heading, _, rest = record.partition(b"\n")
        sha = heading.strip(b"\0 ").decode("ascii", "replace")
        starts = [m.start() for m in _PATCH_HEAD.finditer(rest)]
        for start, end in zip(starts, [*starts[1:], len(rest)], strict=True):
            patch = rest[start:end]
            path = _patched_path(patch)
            if path is not None:
                found[sha, path] = patch[:limit].decode("utf-8", "replace")
    return found


def _patched_path(patch: bytes) -> str | None:
    for line in patch.split(b"\n", 12)[:12]:
        for start in (b"+++ b/", b"rename to "):
            if line.startswith(start):
                return _unquoted(line.removeprefix(start).rstrip(b"\t\r"))
        if line.startswith(b"+++ /dev/null"):
            break
        if line.startswith(b"@@"):
            break
    for line in patch.split(b"\n", 12)[:12]:
        if line.startswith(b"--- a/"):
            return _unquoted(line.removeprefix(b"--- a/").rstrip(b"\t\r"))
    return None


def _unquoted(path: bytes) -> str:
    return path.decode("utf-8", "replace")


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0
