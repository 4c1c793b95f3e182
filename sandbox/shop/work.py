"""The developers' side: commits, releases and fixes, made in a working tree of their own.

`repo/` stays as its user has it; while it is on `main`, it is brought forward as by `git pull`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sandbox.shop.changes import (
    EVERYTHING,
    INNOCENT,
    ONE_FEATURE,
    Change,
    Fault,
    Innocent,
    migration,
)
from sandbox.shop.git import Author, GitFailed, Tree

FAULTS = {"everything": EVERYTHING, "one-feature": ONE_FEATURE}

BEHIND = timedelta(hours=4)
"""The time over which the commits of a new release are spread."""


@dataclass(frozen=True, slots=True)
class Breakage:
    """Something that broke production. `release`, `commit` and `fix_*` are empty for bad data."""

    kind: str
    name: str
    error: str
    release: str = ""
    commit: str = ""
    message: str = ""
    author: str = ""
    fix_branch: str = ""
    fix_commit: str = ""
    user_id: str = ""
    customer: str = ""
    mended: bool = False


class Work:
    """Commits and releases so far, kept in a file: another start goes on from there."""

    def __init__(self, home: Path) -> None:
        self.repo = Tree(home / "repo")
        self.tree = Tree(home / "work")
        self._file = home / "run" / "work.json"
        self.changes = 0
        self.turns: dict[str, int] = {}
        self.breakages: list[Breakage] = []
        if self._file.exists():
            state = json.loads(self._file.read_text())
            self.changes, self.turns = state["changes"], state["turns"]
            self.breakages = [Breakage(**row) for row in state["breakages"]]

    def save(self) -> None:
        state = {
            "changes": self.changes,
            "turns": self.turns,
            "breakages": [asdict(breakage) for breakage in self.breakages],
        }
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps(state, indent=1))
        fresh.replace(self._file)

    # -- releases ---------------------------------------------------------------------------------

    def next_tag(self) -> str:
        """Return the next minor version after the highest."""
        major, minor, _ = self.repo.tags()[0][1:].split(".")
        return f"v{major}.{int(minor) + 1}.0"

    def release_bad(self, kind: str, *, one_way: bool = False) -> Breakage:
        """Commit four or five innocent changes and one that breaks something, and tag them.

        A branch mends it, not merged yet.

        Raises:
            GitFailed
        """
        turn = self.turns.get(kind, 0)
        fault = FAULTS[kind][turn % len(FAULTS[kind])]
        self.turns[kind] = turn + 1
        dice = random.Random(f"{kind}{turn}")
        innocents: list[Innocent] = dice.sample(INNOCENT, dice.choice((4, 5)))
        if one_way:
            innocents[0] = migration
        place = dice.randrange(1, len(innocents))
        guilty = ""
        times = self._begin(len(innocents) + 1)
        for number, at in enumerate(times):
            if number == place:
                guilty = self._commit(fault.breaking(self.tree.read), at)
            else:
                make = innocents[number - (number > place)]
                self._commit(make(self.tree.read, self.changes), at)
                self.changes += 1
        tag = self._tag()
        branch, fix = self._branch_with_fix(fault, times[-1])
        breakage = Breakage(
            kind=kind,
            name=fault.name,
            error=fault.error,
            release=tag,
            commit=guilty,
            message=fault.message,
            author=fault.author.name,
            fix_branch=branch,
            fix_commit=fix,
        )
        self.note(breakage)
        return breakage

    def release_fix(self) -> str | None:
        """Bring every missing fix to `main`, and tag it; None when nothing is broken there."""
        broken = [breakage for breakage in unmended(self.breakages) if breakage.fix_commit]
        if not broken:
            return None
        self._begin(0)
        for breakage in broken:
            if not self._has_fix(breakage):
                self.tree.git("cherry-pick", "--keep-redundant-commits", breakage.fix_commit)
            self.breakages[self.breakages.index(breakage)] = replace(breakage, mended=True)
        tag = self._tag()
        self.save()
        return tag

    def merge(self, commit: str, message: str, author: Author) -> str:
        """Bring a branch to `main` with a merge commit, and return that. Raises `GitFailed`."""
        for _ in range(5):
            self._begin(0)
            try:
                self.tree.git("merge", "--quiet", "--no-ff", "-m", message, commit, author=author)
            except GitFailed:
                self.tree.try_git("merge", "--abort")
                raise
            if self._forward():
                return self.tree.head()
        raise GitFailed("main does not stand still")

    def revert(self, commit: str, branch: str, author: Author) -> str:
        """Make a branch that takes a commit back, and return its head. Raises `GitFailed`."""
        self._begin(0)
        try:
            self.tree.git("revert", "--no-edit", commit, author=author)
        except GitFailed:
            self.tree.try_git("revert", "--abort")
            raise
        head = self.tree.head()
        self.tree.git("branch", "--force", branch, head)
        self.tree.git("checkout", "--quiet", "--detach", "--force", "main")
        return head

    def _has_fix(self, breakage: Breakage) -> bool:
        """Return whether somebody has merged the fix already."""
        return (
            self.tree.try_git("merge-base", "--is-ancestor", breakage.fix_commit, "HEAD")
            is not None
        )

    def note(self, breakage: Breakage) -> None:
        self.breakages.append(breakage)
        self.save()

    def mended(self, breakage: Breakage) -> None:
        """Note that it was repaired in another way than by a release."""
        self.breakages[self.breakages.index(breakage)] = replace(breakage, mended=True)
        self.save()

    # -- commits ----------------------------------------------------------------------------------

    def _begin(self, commits: int) -> list[datetime]:
        """Check out `main`, and return the times of the coming commits."""
        self.tree.git("checkout", "--quiet", "--detach", "--force", "main")
        last = datetime.fromtimestamp(int(self.tree.git("log", "-1", "--format=%ct")), UTC)
        now = datetime.now(UTC).replace(microsecond=0)
        first = min(max(last, now - BEHIND), now)
        return [first + (now - first) * (number + 1) / (commits + 1) for number in range(commits)]

    def _commit(self, change: Change, at: datetime) -> str:
        return self.tree.commit(
            change.message, change.files, author=change.author, at=at.replace(microsecond=0)
        )

    def _tag(self) -> str:
        """Bring `main` to what is checked out, and tag the next release."""
        for _ in range(5):
            if self._forward():
                tag = self.next_tag()
                self.tree.git("tag", tag)
                return tag
            # Somebody committed to main meanwhile (a post-mortem): these commits go on top.
            self.tree.git("rebase", "--quiet", "main")
        raise GitFailed("main does not stand still")

    def _forward(self) -> bool:
        head = self.tree.head()
        if self.repo.git("rev-parse", "--abbrev-ref", "HEAD") == "main":
            return self.repo.try_git("merge", "--quiet", "--ff-only", head) is not None
        main = self.repo.git("rev-parse", "main")
        if self.tree.try_git("merge-base", "--is-ancestor", main, head) is None:
            return False
        return self.repo.try_git("update-ref", "refs/heads/main", head, main) is not None

    def _branch_with_fix(self, fault: Fault, at: datetime) -> tuple[str, str]:
        """Make a branch on top of the release that mends it; return its name and commit."""
        taken = self.repo.git("branch", "--format=%(refname:short)", "--list", "fix/*").split()
        names = [f"fix/{fault.name}", *(f"fix/{fault.name}-{number}" for number in range(2, 100))]
        branch = next(name for name in names if name not in taken)
        fix = self._commit(fault.mending(self.tree.read), at + timedelta(seconds=1))
        self.tree.git("branch", branch, fix)
        self.tree.git("checkout", "--quiet", "--detach", "--force", "main")
        return branch, fix


def unmended(breakages: Sequence[Breakage]) -> list[Breakage]:
    return [breakage for breakage in breakages if not breakage.mended]
