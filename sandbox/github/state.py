"""The state of a local GitHub: a repository with commits, pull requests, workflows, deployments.

It refuses what GitHub refuses. Tests and the page say how a run or a deployment goes on.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

TOKEN = "ghp_sandbox"
CI_TOKEN = "ghs_sandbox_ci"
BOT_LOGIN = "firebreak[bot]"
REPOSITORY = "acme/shop"
INPUTS = ("release", "commit", "decision", "hotfix")
RUN_NAME = "Deploy ${{ inputs.release }} (${{ inputs.decision }})"
_INPUT = re.compile(r"\$\{\{ inputs\.(\w+) \}\}")


@dataclass(slots=True)
class File:
    path: str
    patch: str = ""
    added: int = 1
    deleted: int = 0
    previous: str | None = None


@dataclass(slots=True)
class Commit:
    sha: str
    message: str
    author: str
    at: datetime
    files: list[File] = field(default_factory=list)
    pull: int | None = None
    parent: str | None = None
    merged: str | None = None
    """The second parent: it is a merge."""


@dataclass(slots=True)
class Pull:
    number: int
    title: str
    head_sha: str
    head_ref: str
    checks: str | None = "SUCCESS"
    """Rollup of its head commit (SUCCESS, FAILURE, PENDING, …); None: it has no checks."""
    body: str = ""
    draft: bool = False
    merged: bool = False
    conflicts: bool = False
    """Git can make neither its merge nor its revert."""
    fork: bool = False
    closed: bool = False
    """Without a merge."""
    merged_at: datetime | None = None
    merged_by: str = ""
    blocked: str = ""
    """GitHub's words, where the branch's protection does not let it in."""
    opened_at: datetime | None = None
    by: str = "ada"
    runs: list[tuple[str, str | None]] = field(default_factory=list[tuple[str, str | None]])
    """Check runs: name and conclusion, None while one runs."""


@dataclass(slots=True)
class Workflow:
    file: str
    inputs: tuple[str, ...] = INPUTS
    run_name: str = RUN_NAME
    required: tuple[str, ...] = ()
    state: str = "active"
    """`disabled_manually`, `disabled_inactivity`, `deleted`, …

    https://docs.github.com/en/rest/actions/workflows#get-a-workflow
    """
    branch: str | None = None
    """The branch of its file; None: the default branch."""
    by_hand: bool = True
    """It has a `workflow_dispatch` trigger."""


@dataclass(slots=True)
class Run:
    id: int
    workflow: str
    title: str
    inputs: dict[str, str]
    ref: str
    created_at: datetime
    updated_at: datetime
    status: str = "queued"
    conclusion: str | None = None
    hidden: bool = False
    """Accepted, but not listed yet; so is a real run for some seconds."""


@dataclass(slots=True)
class Deployment:
    id: int
    ref: str
    sha: str
    environment: str
    payload: dict[str, Any]
    created_at: datetime
    statuses: list[tuple[str, datetime]] = field(default_factory=list)
    """Oldest first."""
    by: str = "ci"


def blob_sha(text: str) -> str:
    """https://git-scm.com/book/en/v2/Git-Internals-Git-Objects"""
    raw = text.encode()
    return hashlib.sha1(b"blob %d\0" % len(raw) + raw, usedforsecurity=False).hexdigest()


class GitHubRefusal(Exception):
    """An answer with an error status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class GitHub:
    """The state. Tests write to its lists."""

    def __init__(
        self,
        *,
        token: str = TOKEN,
        repository: str = REPOSITORY,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.tokens = {token: BOT_LOGIN, CI_TOKEN: "ci"}
        """Token → login of its owner."""
        self.web = "https://github.com"
        """Address for people; links begin with it."""
        self.repository = repository
        self.default_branch = "main"
        self.tags: dict[str, str] = {}
        """Name → sha, oldest first."""
        self.releases: list[tuple[str, bool]] = []
        """Tag and whether it is a draft, oldest first."""
        self.commits: list[Commit] = []
        """One line of history, oldest first."""
        self.pulls: list[Pull] = []
        self.files: dict[tuple[str, str], str] = {}
        """(sha, path) → text."""
        self.listed = 100_000
        """The most entries of a recursive tree: https://docs.github.com/en/rest/git/trees"""
        self.blame: dict[tuple[str, str], list[tuple[int, int, str]]] = {}
        """(sha, path) → (first line, last line, sha that last touched them)."""
        self.merge_methods: tuple[str, ...] = ("merge", "squash", "rebase")
        self.older_heads: list[str] = []
        """Heads that pull requests had, and GitHub still knows."""
        self.built_on: set[tuple[str, str]] = set()
        """(older, newer): heads of a pull request; the newer is built on the older."""
        self.branches: dict[str, str] = {}
        """Name → sha, without the default branch."""
        self.workflows: dict[str, Workflow] = {
            "deploy.yml": Workflow("deploy.yml"),
            "hotfix.yml": Workflow("hotfix.yml"),
        }
        self.archived = False
        self.actions = True
        """GitHub Actions is enabled."""
        self.runs: list[Run] = []
        self.deployments: list[Deployment] = []
        self.details = True
        """`return_run_details` is known; without it the answer to a dispatch is empty."""
        self.on_change: Callable[[], None] = lambda: None
        self.on_event: Callable[[str, dict[str, Any]], None] = lambda event, about: None
        """Called with a webhook's event and the values of its body; see `webhooks.py`."""
        self._now = now

    # --- by tests, the page and the shop ---------------------------------------------------------

    def commit(
        self, sha: str, message: str = "change", *files: File, author: str = "Ada", tag: str = ""
    ) -> Commit:
        """Add a commit to the default branch, with its tag."""
        parent = self.commits[-1].sha if self.commits else None
        commit = Commit(sha, message, author, self._now(), list(files), parent=parent)
        self.commits.append(commit)
        if tag:
            self.tags[tag] = sha
        return commit

    def deploy(
        self,
        ref: str,
        state: str = "success",
        environment: str = "production",
        *,
        at: datetime | None = None,
        by: str = "ci",
        **payload: Any,
    ) -> Deployment:
        """Add a deployment as a workflow makes it, begun and ended at `at`."""
        sha, number = self.resolve(ref) or ref, len(self.deployments) + 1
        deployment = Deployment(number, ref, sha, environment, payload, at or self._now(), by=by)
        self.deployments.append(deployment)
        self.set_status(deployment, state, at=at)
        return deployment

    def open_deployment(
        self, ref: str, sha: str, environment: str, payload: dict[str, Any], by: str
    ) -> Deployment:
        """Add a deployment without a status, as `POST …/deployments` does."""
        number = len(self.deployments) + 1
        deployment = Deployment(number, ref, sha, environment, payload, self._now(), by=by)
        self.deployments.append(deployment)
        self.on_change()
        return deployment

    def set_status(self, deployment: Deployment, state: str, *, at: datetime | None = None) -> None:
        """Add a status to a deployment. Outside production, success makes earlier ones inactive.

        `auto_inactive` of https://docs.github.com/en/rest/deployments/statuses
        """
        at = at or self._now()
        if state == "success" and deployment.environment != "production":
            for other in self.deployments:
                same_place = other is not deployment and other.environment == deployment.environment
                if same_place and other.statuses and other.statuses[-1][0] == "success":
                    other.statuses.append(("inactive", at))
        deployment.statuses.append((state, at))
        status = {"state": state, "created_at": at.isoformat(), "creator": {"login": deployment.by}}
        values = {"action": "created", "deployment_status": status, "deployment": deployment}
        self.on_event("deployment_status", values)
        self.on_change()

    def advance(self, run: Run, status: str) -> None:
        run.status, run.updated_at, run.hidden = status, self._now(), False
        self.on_event("workflow_run", {"action": status, "workflow_run": run})
        self.on_change()

    def finish(self, run: Run, conclusion: str = "success", *, deploys: bool = True) -> None:
        """End a run as the documented workflows do: success makes a deployment of its inputs."""
        if conclusion == "success" and deploys:
            hotfix = run.inputs.get("hotfix") == "true"
            ref = run.inputs["commit"] if hotfix else f"v{run.inputs['release']}"
            self.deploy(ref, decision=run.inputs["decision"], release=run.inputs["release"])
        run.conclusion = conclusion
        self.advance(run, "completed")

    def revert(self, number: int, body: str) -> Pull | None:
        """Open the pull request that takes a merged one back; None where git has conflicts."""
        reverted = next(pull for pull in self.pulls if pull.number == number)
        if not reverted.merged or reverted.conflicts:
            return None
        sha = f"{number:x}e".rjust(40, "e")
        branch = f"revert-{number}-{reverted.head_ref}"
        revert = Pull(
            self.next_number(), f'Revert "{reverted.title}"', sha, branch, "PENDING", body
        )
        self.pulls.append(revert)
        self.on_change()
        return revert

    def next_number(self) -> int:
        return max((pull.number for pull in self.pulls), default=0) + 1

    async def refresh(self) -> None:
        """Read anew what may have changed; called before each request."""

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Entered around each request that writes."""
        yield

    def merge(self, pull: Pull, by: str) -> str:
        """Merge a pull request, and return the merge commit. Raises `GitHubRefusal`."""
        if pull.draft:
            raise GitHubRefusal(405, "Pull Request is still a draft")
        if pull.merged or pull.closed or pull.conflicts:
            raise GitHubRefusal(405, "Pull Request is not mergeable")
        if pull.blocked:
            raise GitHubRefusal(405, pull.blocked)
        sha = self.make_merge_commit(pull)
        pull.merged, pull.merged_at, pull.merged_by = True, self._now(), by
        self.announce(pull, "closed")
        self.on_change()
        return sha

    def make_merge_commit(self, pull: Pull) -> str:
        """Return the commit that brings in a pull request. Raises `GitHubRefusal`."""
        sha = _sha(f"merge:{pull.number}:{pull.head_sha}")
        return self.commit(sha, f"Merge pull request #{pull.number}", author=pull.by).sha

    def push(self, pull: Pull, sha: str) -> None:
        """Give an open pull request another head."""
        self.older_heads.append(pull.head_sha)
        pull.head_sha, pull.checks = sha, "PENDING"
        self.announce(pull, "synchronize")
        self.on_change()

    def close(self, pull: Pull) -> None:
        """Close a pull request without a merge."""
        pull.closed = True
        self.announce(pull, "closed")
        self.on_change()

    def announce(self, pull: Pull, action: str) -> None:
        values = {"action": action, "number": pull.number, "pull_request": pull}
        self.on_event("pull_request", values)

    # --- by calls of the API ---------------------------------------------------------------------

    def dispatch(self, file: str, body: Mapping[str, Any]) -> Run:
        """Start a run. Raises `GitHubRefusal` as `POST …/dispatches` does."""
        workflow = self.workflows.get(file)
        if workflow is None:
            raise GitHubRefusal(404, "Not Found")
        if not self.actions:
            raise GitHubRefusal(422, "Actions has been disabled for this repository.")
        if workflow.state.startswith("disabled"):
            raise GitHubRefusal(422, "Cannot trigger a 'workflow_dispatch' on a disabled workflow")
        if body.get("ref") != self.default_branch:
            raise GitHubRefusal(422, f"No ref found for: {body.get('ref')}")
        there = workflow.state != "deleted" and workflow.branch in (None, body["ref"])
        if not workflow.by_hand or not there:
            raise GitHubRefusal(422, "Workflow does not have 'workflow_dispatch' trigger")
        inputs = {str(name): str(value) for name, value in (body.get("inputs") or {}).items()}
        if unexpected := [name for name in inputs if name not in workflow.inputs]:
            raise GitHubRefusal(422, f"Unexpected inputs provided: {json.dumps(unexpected)}")
        for name in workflow.required:
            if not inputs.get(name):
                raise GitHubRefusal(422, f"Required input '{name}' not provided")
        title = _INPUT.sub(lambda name: inputs.get(name[1], ""), workflow.run_name)
        now, number = self._now(), 30_000_000_000 + len(self.runs) + 1
        run = Run(number, file, title, inputs, str(body["ref"]), now, now)
        self.runs.append(run)
        self.on_change()
        return run

    def create_ref(self, ref: str, sha: str) -> None:
        name = ref.removeprefix("refs/heads/")
        if name in self.branches or name == self.default_branch:
            raise GitHubRefusal(422, "Reference already exists")
        self.branches[name] = sha
        self.on_change()

    def put(self, branch: str, path: str, text: str, blob: str | None = None) -> None:
        """Commit a file on a branch. `blob` is the sha of the file that it replaces."""
        if branch not in self.branches:
            raise GitHubRefusal(404, f"Branch {branch} not found")
        before = self.branches[branch]
        replaced = self.files.get((before, path))
        if replaced is not None and blob is None:
            raise GitHubRefusal(422, 'Invalid request.\n\n"sha" wasn\'t supplied.')
        if replaced is not None and blob != blob_sha(replaced):
            raise GitHubRefusal(409, f"{path} does not match {blob}")
        sha = _sha(f"{before}:{path}:{text}")
        unchanged = {name: old for (at, name), old in self.files.items() if at == before}
        self.files |= {(sha, name): old for name, old in unchanged.items()}
        self.files[sha, path] = text
        self.branches[branch] = sha
        self.on_change()

    def open_pull(self, head: str, title: str, body: str) -> Pull:
        owner = self.repository.partition("/")[0]
        if any(pull.head_ref == head and not pull.merged for pull in self.pulls):
            raise GitHubRefusal(422, f"A pull request already exists for {owner}:{head}.")
        pull = Pull(self.next_number(), title, self.branches[head], head, None, body)
        self.pulls.append(pull)
        self.on_change()
        return pull

    def head(self, branch: str) -> str | None:
        """Return the newest commit of a branch, given by its whole name.

        https://docs.github.com/en/rest/git/refs#get-a-reference
        """
        if branch == self.default_branch:
            return self.commits[-1].sha if self.commits else None
        return self.branches.get(branch)

    def resolve(self, ref: str) -> str | None:
        """Return the sha of a tag, a branch, or an (abbreviated) sha."""
        name = ref.removeprefix("refs/").removeprefix("tags/").removeprefix("heads/")
        if name in self.tags:
            return self.tags[name]
        if name == "HEAD":
            return self.head(self.default_branch)
        if name in self.branches or name == self.default_branch:
            return self.head(name)
        heads = [pull.head_sha for pull in self.pulls]
        known = [*(commit.sha for commit in self.commits), *heads, *self.older_heads]
        return next((sha for sha in known if len(name) >= 7 and sha.startswith(name)), None)

    def relation_beside_main(self, base: str, head: str) -> str | None:
        """Return the comparison's status where one commit is not on the main line, else None."""
        line = {commit.sha for commit in self.commits}
        if base in line and head in line:
            return None
        return "ahead" if self.is_built_on(base, head) else "diverged"

    def is_built_on(self, base: str, head: str) -> bool:
        return (base, head) in self.built_on

    def between(self, base: str, head: str) -> list[Commit]:
        """Return the commits of `head` that are not in `base`, oldest first."""
        order = [commit.sha for commit in self.commits]
        return self.commits[order.index(base) + 1 : order.index(head) + 1]


def _sha(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
