"""The output of `git log` as values: commits with files, and patches beside them."""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

from bot.clients.git.moments import moment
from phases.ports.source_values import Commit, CommitFile
from phases.text.cleaning import foreign

FORMAT = "%x1e%H%x00%an%x00%at%x00%s%x00%b%x00"
"""For `git log -z --numstat`: everything ends with NUL, which no message or file name can hold.

For `git rev-list`, too, which writes `commit <sha>` in front of each.
"""

BODY_LIMIT = 2000

_COMMIT = re.compile(r"(?:\n?commit [0-9a-f]+)?\n?\x1e([0-9a-f]{40}(?:[0-9a-f]{24})?)")
_PATCHED_COMMIT = re.compile(rb"(?m)^\x1e([0-9a-f]{40}(?:[0-9a-f]{24})?)$")
_RAW = re.compile(r":\d{6} \d{6} [0-9a-f]+\.* [0-9a-f]+\.* [A-Z]\d*")
_PATCH_HEAD = re.compile(rb"(?m)^diff --git ")


def read_log(out: bytes, patch_of: Mapping[tuple[str, str], str]) -> tuple[Commit, ...]:
    """Return commits as git ordered them, newest first. `patch_of`: (sha, path) → patch."""
    words = [foreign(word) for word in out.decode("utf-8", "replace").split("\0")]
    begins = [i for i, word in enumerate(words) if _COMMIT.fullmatch(word)]
    commits: list[Commit] = []
    for begin, end in pairwise([*begins, len(words)]):
        if end - begin < 5:
            continue  # the output limit was reached within this commit
        head, author, at, subject, body, *files = words[begin:end]
        sha = head.rpartition("\x1e")[2]
        commits.append(
            Commit(
                sha=sha,
                author=author,
                at=moment(at),
                subject=subject[:300],
                body=body.strip()[:BODY_LIMIT],
                files=tuple(
                    CommitFile(
                        path=path, added=added, deleted=deleted, patch=patch_of.get((sha, path), "")
                    )
                    for path, added, deleted in _numstat(files)
                ),
            )
        )
    return tuple(commits)


def _numstat(listed: Sequence[str]) -> list[tuple[str, int, int]]:
    """Read `added TAB deleted TAB path NUL`; `-` stands for binary.

    A rename is `added TAB deleted TAB NUL old NUL new NUL`. With `--raw` only names are told:
    `:modes shas status NUL path NUL`.
    https://git-scm.com/docs/git-diff#_other_diff_formats
    """
    files: list[tuple[str, int, int]] = []
    words = iter(listed)
    for word in words:
        if _RAW.fullmatch(word.lstrip("\n")):
            files.append((next(words, ""), 0, 0))
            continue
        fields = word.lstrip("\n").split("\t", 2)
        if len(fields) != 3:
            continue
        path = fields[2]
        if not path:
            next(words, "")
            path = next(words, "")
        if path:
            files.append((path, _number(fields[0]), _number(fields[1])))
    return files


def patches(out: bytes, limit: int) -> dict[tuple[str, str], str]:
    """Return (sha, path) → patch from `git log -p --format=%x1e%H`.

    A patch is cut after `limit` bytes.
    """
    by_file: dict[tuple[str, str], str] = {}
    heads = list(_PATCHED_COMMIT.finditer(out))
    ends = [*(h.start() for h in heads[1:]), len(out)]
    for head, end in zip(heads, ends, strict=False):  # without a commit there is an end and no head
        rest = out[head.end() : end]
        sha = head.group(1).decode("ascii")
        starts = [m.start() for m in _PATCH_HEAD.finditer(rest)]
        for start, stop in pairwise([*starts, len(rest)]):
            patch = rest[start:stop]
            path = _patched_path(patch)
            if path is not None:
                by_file[sha, path] = patch[:limit].decode("utf-8", "replace")
    return by_file


def _patched_path(patch: bytes) -> str | None:
    """Return the file that a patch leaves, or removes; None for names in quotes."""
    head = patch.partition(b"\n@@ ")[0].split(b"\n")
    for start in (b"+++ b/", b"rename to ", b"--- a/"):
        for line in head:
            if line.startswith(start):
                return line.removeprefix(start).rstrip(b"\t\r").decode("utf-8", "replace")
    return None


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0
