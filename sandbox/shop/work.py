"""The developers' side: commits, releases and fixes, made in a working tree of their own.

`repo/` stays as whoever uses it has it; when it is on `main`, it is brought forward like a colleague's pull.
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
"""How far back the commits of a new release go."""


@dataclass(frozen=True, slots=True)
class Breakage:
    """One way in which production was broken. `release`, `commit` and `fix_*` are empty for bad data."""

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
    """What has been made so far is kept in a file, so that another start goes on from there."""

    def __init__(self, home: Path) -> None:
        self.repo = Tree(home / "repo")
        self.tree = Tree(home / "work")
        self._file = home / "run" / "work.json"
        self.changes = 0
        self.turns: dict[str, int] = {}
        self.breakages: list[Breakage] = []
        if self._file.exists():
            kept = json.loads(self._file.read_text())
            self.changes, self.turns = kept["changes"], kept["turns"]
            self.breakages = [Breakage(**one) for one in kept["breakages"]]

    def save(self) -> None:
        kept = {
            "changes": self.changes,
            "turns": self.turns,
            "breakages": [asdict(one) for one in self.breakages],
        }
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps(kept, indent=1))
        fresh.replace(self._file)

    # -- releases ------------------------------------------------------------------------------------------------------

    def next_tag(self) -> str:
        """The next minor version after the highest."""
        major, minor, _ = self.repo.tags()[0][1:].split(".")
        return f"v{major}.{int(minor) + 1}.0"

    def release_bad(self, kind: str, *, one_way: bool = False) -> Breakage:
        """Commit four or five innocent changes and one that breaks something, and tag them; with a branch that mends it.

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
        """Bring every fix that is missing to `main`, and tag it; None when nothing is broken there."""
        broken = [one for one in self.breakages if one.fix_commit and not one.mended]
        if not broken:
            return None
        self._begin(0)
        for one in broken:
            if not self._mended(one):
                self.tree.git("cherry-pick", "--keep-redundant-commits", one.fix_commit)
            self.breakages[self.breakages.index(one)] = replace(one, mended=True)
        tag = self._tag()
        self.save()
        return tag

    def merge(self, commit: str, message: str, author: Author) -> str:
        """Bring a branch to `main` with a merge commit; its name. Raises `GitFailed` where that has conflicts."""
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
        """A branch that takes a commit back; its head. Raises `GitFailed` where that has conflicts."""
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

    def _mended(self, breakage: Breakage) -> bool:
        """Whether what is checked out has the fix already: somebody merged the branch."""
        return (
            self.tree.try_git("merge-base", "--is-ancestor", breakage.fix_commit, "HEAD")
            is not None
        )

    def note(self, breakage: Breakage) -> None:
        self.breakages.append(breakage)
        self.save()

    def mended(self, breakage: Breakage) -> None:
        """Somebody repaired it in another way than by a release."""
        self.breakages[self.breakages.index(breakage)] = replace(breakage, mended=True)
        self.save()

    # -- commits -------------------------------------------------------------------------------------------------------

    def _begin(self, commits: int) -> list[datetime]:
        """Stand on `main`, and say when each of the coming commits shall have been made."""
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
        """Bring `main` to what is checked out, and make the next release of it."""
        for _ in range(5):
            if self._forward():
                tag = self.next_tag()
                self.tree.git("tag", tag)
                return tag
            # Somebody committed to main meanwhile (a post-mortem): ours go on top of it.
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
        """A branch on top of the release that mends it, not merged."""
        taken = self.repo.git("branch", "--format=%(refname:short)", "--list", "fix/*").split()
        names = [f"fix/{fault.name}", *(f"fix/{fault.name}-{number}" for number in range(2, 100))]
        branch = next(name for name in names if name not in taken)
        fix = self._commit(fault.mending(self.tree.read), at + timedelta(seconds=1))
        self.tree.git("branch", branch, fix)
        self.tree.git("checkout", "--quiet", "--detach", "--force", "main")
        return branch, fix


def unmended(breakages: Sequence[Breakage]) -> list[Breakage]:
    return [one for one in breakages if not one.mended]
