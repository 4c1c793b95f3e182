"""A local GitHub: one repository with tags, commits, pull requests, workflows and deployments. The wire is `github_api.py`.

It knows what a chat-ops bot asks for, refuses what GitHub refuses, and lets whoever stages a story say how a run goes on.
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
    """The rollup of its head commit: SUCCESS, FAILURE, PENDING, …; None: it has no checks."""
    body: str = ""
    draft: bool = False
    merged: bool = False
    conflicts: bool = False
    """Neither it nor its revert can be made by itself."""
    fork: bool = False
    closed: bool = False
    """Without a merge."""
    merged_at: datetime | None = None
    merged_by: str = ""
    blocked: str = ""
    """Why the branch's protection does not let it in, in GitHub's words."""
    opened_at: datetime | None = None
    by: str = "ada"
    runs: list[tuple[str, str | None]] = field(default_factory=list[tuple[str, str | None]])
    """Its check runs: name and conclusion, None while one runs."""


@dataclass(slots=True)
class Workflow:
    file: str
    inputs: tuple[str, ...] = INPUTS
    run_name: str = RUN_NAME
    required: tuple[str, ...] = ()
    state: str = "active"
    """https://docs.github.com/en/rest/actions/workflows#get-a-workflow: `disabled_manually`, `disabled_inactivity`, `deleted`, …"""
    branch: str | None = None
    """Where its file is; None: on the default branch."""
    by_hand: bool = True
    """Whether it has a `workflow_dispatch` trigger."""


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
    """Taken, but not shown yet: what the real one does for some seconds."""


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
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class GitHub:
    """The state. Stories write to its lists; `dispatched` is called with every new run."""

    def __init__(
        self,
        *,
        token: str = TOKEN,
        repository: str = REPOSITORY,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.tokens = {token: BOT_LOGIN, CI_TOKEN: "ci"}
        """Token → who it says that one is."""
        self.web = "https://github.com"
        """Where people look at it."""
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
        """Entries of a recursive tree; there are no more of them in an answer: https://docs.github.com/en/rest/git/trees#get-a-tree"""
        self.blame: dict[tuple[str, str], list[tuple[int, int, str]]] = {}
        """(sha, path) → (first line, last line, sha that last touched them)."""
        self.merge_methods: tuple[str, ...] = ("merge", "squash", "rebase")
        self.older_heads: list[str] = []
        """Heads that pull requests had, and GitHub still knows."""
        self.built_on: set[tuple[str, str]] = set()
        """(older, newer): heads of a pull request of which the newer holds the older."""
        self.branches: dict[str, str] = {}
        """Name → sha, beside the default branch."""
        self.workflows: dict[str, Workflow] = {
            "deploy.yml": Workflow("deploy.yml"),
            "hotfix.yml": Workflow("hotfix.yml"),
        }
        self.archived = False
        self.actions = True
        """Whether GitHub Actions is enabled there."""
        self.runs: list[Run] = []
        self.deployments: list[Deployment] = []
        self.details = True
        """Whether `return_run_details` is known; without it the answer to a dispatch is empty."""
        self.on_change: Callable[[], None] = lambda: None
        self.tell: Callable[[str, dict[str, Any]], None] = lambda event, about: None
        """Called with what a webhook would tell; `github_api.py` makes its body."""
        self._now = now

    # --- what a story does ---------------------------------------------------------------------------------------

    def commit(self, sha: str, message: str = "change", *files: File, author: str = "Ada", tag: str = "") -> Commit:
        """The next commit of the default branch, with its tag."""
        parent = self.commits[-1].sha if self.commits else None
        made = Commit(sha, message, author, self._now(), list(files), parent=parent)
        self.commits.append(made)
        if tag:
            self.tags[tag] = sha
        return made

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
        """A deployment as a workflow makes it, begun and ended at `at`."""
        sha = self.resolve(ref) or ref
        made = Deployment(len(self.deployments) + 1, ref, sha, environment, payload, at or self._now(), by=by)
        self.deployments.append(made)
        self.say_status(made, state, at=at)
        return made

    def open_deployment(
        self, ref: str, sha: str, environment: str, payload: dict[str, Any], by: str | None
    ) -> Deployment:
        """As `POST …/deployments` makes it: without a status."""
        made = Deployment(len(self.deployments) + 1, ref, sha, environment, payload, self._now(), by=by or "ci")
        self.deployments.append(made)
        self.on_change()
        return made

    def say_status(self, deployment: Deployment, state: str, *, at: datetime | None = None) -> None:
        """How a deployment stands; webhooks tell of it. Success makes an earlier successful one inactive, but in production:
        https://docs.github.com/en/rest/deployments/statuses#create-a-deployment-status (`auto_inactive`)."""
        at = at or self._now()
        if state == "success" and deployment.environment != "production":
            for other in self.deployments:
                there = other is not deployment and other.environment == deployment.environment
                if there and other.statuses and other.statuses[-1][0] == "success":
                    other.statuses.append(("inactive", at))
        deployment.statuses.append((state, at))
        status = {"state": state, "created_at": at.isoformat(), "creator": {"login": deployment.by}}
        told = {"action": "created", "deployment_status": status, "deployment": deployment}
        self.tell("deployment_status", told)
        self.on_change()

    def go_on(self, run: Run, status: str) -> None:
        run.status, run.updated_at, run.hidden = status, self._now(), False
        self.tell("workflow_run", {"action": "completed" if status == "completed" else status, "workflow_run": run})
        self.on_change()

    def finish(self, run: Run, conclusion: str = "success", *, deploys: bool = True) -> None:
        """Ends a run as the documented workflows do: with a deployment of what it was asked for, where it succeeds."""
        if conclusion == "success" and deploys:
            hotfix = run.inputs.get("hotfix") == "true"
            ref = run.inputs["commit"] if hotfix else f"v{run.inputs['release']}"
            self.deploy(ref, decision=run.inputs["decision"], release=run.inputs["release"])
        run.conclusion = conclusion
        self.go_on(run, "completed")

    def revert(self, number: int, body: str) -> Pull | None:
        """The pull request that takes a merged one back; None where git has conflicts."""
        meant = next(p for p in self.pulls if p.number == number)
        if not meant.merged or meant.conflicts:
            return None
        made = Pull(
            max(p.number for p in self.pulls) + 1,
            f'Revert "{meant.title}"',
            f"{number:x}e".rjust(40, "e"),
            f"revert-{number}-{meant.head_ref}",
            "PENDING",
            body,
        )
        self.pulls.append(made)
        self.on_change()
        return made

    async def refresh(self) -> None:
        """Called before each request: a repository that is really there may have changed."""

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Around each request that writes."""
        yield

    def merge(self, pull: Pull, by: str) -> str:
        """Somebody merges it, by the bot's call or by the green button; the merge commit. Raises `GitHubRefusal` as GitHub refuses."""
        if pull.merged or pull.closed or pull.draft or pull.conflicts:
            why = "Pull Request is still a draft" if pull.draft else "Pull Request is not mergeable"
            raise GitHubRefusal(405, why)
        if pull.blocked:
            raise GitHubRefusal(405, pull.blocked)
        sha = self.bring_in(pull)
        pull.merged, pull.merged_at, pull.merged_by = True, self._now(), by
        self.tell("pull_request", {"action": "closed", "number": pull.number, "pull_request": pull})
        self.on_change()
        return sha

    def bring_in(self, pull: Pull) -> str:
        """The merge commit. A repository that is really there makes a real one; `GitHubRefusal` where git has conflicts."""
        sha = hashlib.sha1(f"merge:{pull.number}:{pull.head_sha}".encode(), usedforsecurity=False).hexdigest()
        return self.commit(sha, f"Merge pull request #{pull.number}", author=pull.by).sha

    def push(self, pull: Pull, sha: str) -> None:
        """Another head of an open pull request."""
        self.older_heads.append(pull.head_sha)
        pull.head_sha, pull.checks = sha, "PENDING"
        self.tell("pull_request", {"action": "synchronize", "number": pull.number, "pull_request": pull})
        self.on_change()

    def close(self, pull: Pull) -> None:
        pull.closed = True
        self.tell("pull_request", {"action": "closed", "number": pull.number, "pull_request": pull})
        self.on_change()

    # --- what GitHub does ----------------------------------------------------------------------------------------

    def dispatch(self, file: str, body: Mapping[str, Any]) -> Run:
        """Raises `GitHubRefusal` as `POST …/dispatches` refuses."""
        workflow = self.workflows.get(file)
        if workflow is None:
            raise GitHubRefusal(404, "Not Found")
        if not self.actions:
            raise GitHubRefusal(422, "Actions has been disabled for this repository.")
        if workflow.state.startswith("disabled"):
            raise GitHubRefusal(422, "Cannot trigger a 'workflow_dispatch' on a disabled workflow")
        if body.get("ref") != self.default_branch:
            raise GitHubRefusal(422, f"No ref found for: {body.get('ref')}")
        if not workflow.by_hand or workflow.state == "deleted" or workflow.branch not in (None, body["ref"]):
            raise GitHubRefusal(422, "Workflow does not have 'workflow_dispatch' trigger")
        inputs = {str(k): str(v) for k, v in (body.get("inputs") or {}).items()}
        strange = [name for name in inputs if name not in workflow.inputs]
        if strange:
            raise GitHubRefusal(422, f"Unexpected inputs provided: {json.dumps(strange)}")
        for name in workflow.required:
            if not inputs.get(name):
                raise GitHubRefusal(422, f"Required input '{name}' not provided")
        title = re.sub(r"\$\{\{ inputs\.(\w+) \}\}", lambda m: inputs.get(m.group(1), ""), workflow.run_name)
        now = self._now()
        run = Run(30_000_000_000 + len(self.runs) + 1, file, title, inputs, str(body["ref"]), now, now)
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
        """A commit on a branch of its own; `blob`: of the file that is replaced."""
        if branch not in self.branches:
            raise GitHubRefusal(404, f"Branch {branch} not found")
        there = self.files.get((self.branches[branch], path))
        if there is not None and blob is None:
            raise GitHubRefusal(422, 'Invalid request.\n\n"sha" wasn\'t supplied.')
        if there is not None and blob != blob_sha(there):
            raise GitHubRefusal(409, f"{path} does not match {blob}")
        before = self.branches[branch]
        sha = hashlib.sha1(f"{before}:{path}:{text}".encode(), usedforsecurity=False).hexdigest()
        self.files |= {(sha, name): kept for (at, name), kept in self.files.items() if at == before}
        self.files[sha, path] = text
        self.branches[branch] = sha
        self.on_change()

    def open_pull(self, head: str, title: str, body: str) -> Pull:
        if any(p.head_ref == head and not p.merged for p in self.pulls):
            raise GitHubRefusal(422, f"A pull request already exists for {self.repository.partition('/')[0]}:{head}.")
        made = Pull(max((p.number for p in self.pulls), default=0) + 1, title, self.branches[head], head, None, body)
        self.pulls.append(made)
        self.on_change()
        return made

    def head(self, branch: str) -> str | None:
        """Of a branch by its whole name; a tag or a commit is none: https://docs.github.com/en/rest/git/refs#get-a-reference"""
        if branch == self.default_branch:
            return self.commits[-1].sha if self.commits else None
        return self.branches.get(branch)

    def resolve(self, ref: str) -> str | None:
        """The sha of a tag, the default branch, or an (abbreviated) sha."""
        name = ref.removeprefix("refs/").removeprefix("tags/").removeprefix("heads/")
        if name in self.tags:
            return self.tags[name]
        if name in self.branches:
            return self.branches[name]
        if name == self.default_branch:
            return self.commits[-1].sha if self.commits else None
        known = [c.sha for c in self.commits] + [p.head_sha for p in self.pulls] + self.older_heads
        return next((sha for sha in known if len(name) >= 7 and sha.startswith(name)), None)

    def aside(self, base: str, head: str) -> str | None:
        """How two commits stand of which one is on no line of ours: only that is known of them."""
        line = {c.sha for c in self.commits}
        if base in line and head in line:
            return None
        return "ahead" if (base, head) in self.built_on else "diverged"

    def between(self, base: str, head: str) -> list[Commit]:
        """Commits of head that are not in base, oldest first; empty where head is behind."""
        order = [c.sha for c in self.commits]
        return self.commits[order.index(base) + 1 : order.index(head) + 1]
