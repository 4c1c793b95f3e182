"""The values that a source of code answers with: commits, files, tests, checks."""

import re
from datetime import datetime

from phases.ports.source_paths import PathIndex
from phases.record.findings import Frame, Value

PATHS_NAMED = 5
"""Paths that fit equally well are named up to here."""


class CommitFile(Value):
    path: str
    added: int = 0
    deleted: int = 0
    patch: str = ""


class Commit(Value):
    sha: str
    author: str = ""
    at: datetime | None = None
    subject: str = ""
    body: str = ""
    """The message behind its first line."""
    files: tuple[CommitFile, ...] = ()
    url: str | None = None


class Covered(Value):
    """The tests that name a file, as far as the source can tell."""

    naming: tuple[str, ...] = ()
    """Test files that are called after it, or (where `read`) say its name in their text; five at
    most."""
    files: int = 0
    """Test files of its language that were looked through."""
    read: bool = True
    """False: only names were looked at."""
    everywhere: bool = True
    """False: only in the usual places."""


class Check(Value):
    name: str
    conclusion: str
    """`passed`, `failed`, `skipped`, `running` …: for people."""


class PullChecks(Value):
    """The checks of the newest commit of a pull request."""

    pull_request: str
    """`#7`"""
    url: str | None = None
    checks: tuple[Check, ...] = ()


class Place(Value):
    """The file of a repository that a frame stands for."""

    path: str | None = None
    """None: not found, or not which of several."""
    several: tuple[str, ...] = ()
    """Files that fit equally well, where there are more than one."""
    built_from: str | None = None
    """Its source, where it is itself written by a compiler: nothing is known of its lines."""
    complete: bool = True
    """False where the source shows a part of its files: others may still be there."""


def placed(index: PathIndex, frame: Frame, *, complete: bool = True) -> Place:
    """Find a frame's file among the paths of a repository."""
    paths = index.locate(frame.file, frame.module, frame.path)
    if len(paths) == 1:
        return Place(path=paths[0], complete=complete)
    built_from = None if paths else index.built_from(frame.file)
    return Place(several=tuple(paths[:PATHS_NAMED]), built_from=built_from, complete=complete)


SNIPPET_AROUND = 2
"""Lines of code before and after the crashing one."""


def lines_around(text: str, line: int) -> tuple[tuple[int, str], ...]:
    """Return a line of a file with those around it; nothing where it has fewer lines.

    Runtimes count the ends of lines alone. `str.splitlines` also counts form feeds, which stand in
    many sources between sections, and line separators of Unicode.
    """
    lines = text.removesuffix("\n").split("\n")
    if not 1 <= line <= len(lines):
        return ()
    first, last = max(1, line - SNIPPET_AROUND), min(len(lines), line + SNIPPET_AROUND)
    return tuple((n, lines[n - 1].rstrip("\r")[:300]) for n in range(first, last + 1))


IGNORED_REVISIONS = ".git-blame-ignore-revs"
"""The file at the root of a repository that names commits which only tidied.

https://docs.github.com/en/repositories/working-with-files/using-files/viewing-and-understanding-files#ignore-commits-in-the-blame-view
"""
_REVISION = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def ignored_revisions(*lists: str) -> frozenset[str]:
    """Read lists for `git blame --ignore-revs-file`: one whole sha a line, comments behind `#`.

    https://git-scm.com/docs/git-blame#Documentation/git-blame.txt---ignore-revs-fileltfilegt
    """
    rows = (row.partition("#")[0].strip().lower() for text in lists for row in text.splitlines())
    return frozenset(row for row in rows if _REVISION.fullmatch(row))
