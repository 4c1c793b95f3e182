"""The shop's repository as GitHub has it: pull requests, merges and reverts by git.

A branch that is pushed into `repo/` is a pull request a moment later; one that is merged there by
hand is merged here, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sandbox.github.state import Commit, GitHub, GitHubRefusal, Pull
from sandbox.shop.git import Author, GitFailed, Tree
from sandbox.shop.history import AUTHORS
from sandbox.shop.work import Work

SEPARATOR = "\x1f"
LOG = SEPARATOR.join(("%H", "%P", "%an", "%cI", "%s"))
PEOPLE = frozenset(author.name for author in AUTHORS)
GITHUB_ITSELF = Author("GitHub", "noreply@github.com")


@dataclass(frozen=True, slots=True)
class Read:
    """The main line, the releases, and the branches beside it."""

    main: tuple[tuple[str, tuple[str, ...], str, datetime, str], ...]
    """Sha, parents, author, time, subject; oldest first."""
    tags: dict[str, str]
    branches: dict[str, tuple[str, str, str]]
    """Name → sha, author, subject."""


class ShopGitHub(GitHub):
    """GitHub of a real repository. `busy` is held while a developer works in the tree of `work`."""

    def __init__(
        self, repo: Tree, work: Callable[[], Work], busy: asyncio.Lock, **more: Any
    ) -> None:
        super().__init__(**more)
        self._repo = repo
        self._work = work
        self._busy = busy
        self._refs = ""
        self._reading = asyncio.Lock()

    async def refresh(self) -> None:
        async with self._reading:
            refs = await asyncio.to_thread(
                self._repo.git, "for-each-ref", "refs/heads", "refs/tags"
            )
            if refs != self._refs:
                self._take(await asyncio.to_thread(self._read))
                self._refs = refs
                self.on_change()

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        async with self._busy:
            yield

    def make_merge_commit(self, pull: Pull) -> str:
        try:
            message = f"Merge pull request #{pull.number} from acme/{pull.head_ref}\n\n{pull.title}"
            return self._work().merge(pull.head_sha, message, GITHUB_ITSELF)
        except GitFailed:
            raise GitHubRefusal(405, "Pull Request is not mergeable") from None

    def revert(self, number: int, body: str) -> Pull | None:
        reverted = next(p for p in self.pulls if p.number == number)
        if not reverted.merged:
            return None
        branch = f"revert-{number}-{reverted.head_ref}"
        try:
            sha = self._work().revert(reverted.head_sha, branch, GITHUB_ITSELF)
        except GitFailed:
            return None
        revert = Pull(
            self.next_number(),
            f'Revert "{reverted.title}"',
            sha,
            branch,
            body=body,
            by="firebreak[bot]",
        )
        revert.opened_at = self._now()
        self.pulls.append(revert)
        self.on_change()
        return revert

    def resolve(self, ref: str) -> str | None:
        return super().resolve(ref) or self._repo.resolve(ref)

    def is_built_on(self, base: str, head: str) -> bool:
        return self._repo.try_git("merge-base", "--is-ancestor", base, head) is not None

    # --- from git --------------------------------------------------------------------------------

    def _read(self) -> Read:
        rows = [
            row.split(SEPARATOR)
            for row in self._repo.git("log", "--reverse", f"--format={LOG}", "main").splitlines()
        ]
        main = tuple(
            (sha, tuple(up.split()), who, datetime.fromisoformat(at), says)
            for sha, up, who, at, says in rows
        )
        listed = (
            "--format=%(objectname)%1f%(refname:short)%1f%(authorname)%1f%(subject)",
            "--sort=committerdate",
        )
        tags = [
            row.split(SEPARATOR)
            for row in self._repo.git("for-each-ref", *listed, "refs/tags").splitlines()
        ]
        heads = [
            row.split(SEPARATOR)
            for row in self._repo.git("for-each-ref", *listed, "refs/heads").splitlines()
        ]
        return Read(
            main=main,
            tags={name: sha for sha, name, _, _ in tags},
            branches={name: (sha, who, says) for sha, name, who, says in heads if name != "main"},
        )

    def _take(self, repository: Read) -> None:
        line = {sha for sha, *_ in repository.main}
        self.tags, self.branches = (
            repository.tags,
            {name: sha for name, (sha, _, _) in repository.branches.items()},
        )
        for pull in self.pulls:
            pushed = self.branches.get(pull.head_ref)
            if pushed is not None and pushed != pull.head_sha and not (pull.merged or pull.closed):
                self.push(pull, pushed)
                pull.checks = "SUCCESS"
        self._merged_by_hand(line, repository)
        known = {pull.head_sha for pull in self.pulls}
        for sha, parents, who, at, says in repository.main:
            if sha not in known and who in PEOPLE and len(parents) < 2:
                self._add_merged_pull(sha, who, at, says)
        numbers = {pull.head_sha: pull.number for pull in self.pulls if pull.merged}
        self.commits = [
            Commit(
                sha, says, who, at, pull=numbers.get(sha), parent=parents[0] if parents else None
            )
            for sha, parents, who, at, says in repository.main
        ]
        self._branches(repository, line)

    def _merged_by_hand(self, line: set[str], repository: Read) -> None:
        """As on GitHub, a pull request is merged once its head is in the main branch."""
        for pull in self.pulls:
            if pull.head_sha in line and not (pull.merged or pull.closed):
                pull.merged, pull.merged_at, pull.merged_by = (
                    True,
                    self._now(),
                    login(repository.main[-1][2]),
                )
                self.on_event(
                    "pull_request",
                    {"action": "closed", "number": pull.number, "pull_request": pull},
                )

    def _add_merged_pull(self, sha: str, who: str, at: datetime, says: str) -> None:
        """Add the merged pull request of a change that is on main already."""
        pull = Pull(self.next_number(), says, sha, f"change/{sha[:7]}", by=login(who), merged=True)
        pull.opened_at = pull.merged_at = at
        pull.merged_by = login(who)
        self.pulls.append(pull)

    def _branches(self, repository: Read, line: set[str]) -> None:
        breakages = self._work().breakages
        mended = {breakage.fix_branch for breakage in breakages if breakage.mended}
        for name, (sha, who, says) in repository.branches.items():
            pull = next(
                (p for p in reversed(self.pulls) if p.head_ref == name and not p.merged), None
            )
            if pull is None and sha not in line and name not in mended:
                self.pulls.append(
                    Pull(self.next_number(), says, sha, name, by=login(who), opened_at=self._now())
                )
            elif pull is not None and name in mended and not pull.closed:
                self.close(pull)  # the fix came to main in another way


def login(name: str) -> str:
    """`Tomás Vega` → `tomas`."""
    first = name.split(" ")[0].lower()
    return first.replace("á", "a")
