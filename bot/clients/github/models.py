"""The parts of GitHub's answers that are read, by the names of its OpenAPI description.

https://github.com/github/rest-api-description
"""

import base64
import binascii
from datetime import datetime
from typing import Any

from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12

from bot.clients.github.http import SYSTEM
from bot.clients.http.errors import HttpError
from bot.clients.http.shape import Shape


class Account(Shape):
    login: str = ""


class WorkflowRun(Shape):
    """https://docs.github.com/en/rest/actions/workflow-runs"""

    id: int
    display_title: str = ""
    """The text that the workflow's `run-name` made."""
    status: str | None
    conclusion: str | None
    html_url: str
    created_at: datetime
    updated_at: datetime
    run_started_at: datetime | None = None


class WorkflowRuns(Shape):
    workflow_runs: tuple[WorkflowRun, ...]


class Workflow(Shape):
    """https://docs.github.com/en/rest/actions/workflows#get-a-workflow"""

    path: str = ""
    state: str = "active"


class Dispatched(Shape):
    """https://docs.github.com/en/rest/actions/workflows#create-a-workflow-dispatch-event,
    with `return_run_details`"""

    workflow_run_id: int


class Deployment(Shape):
    """https://docs.github.com/en/rest/deployments/deployments"""

    id: int
    sha: str
    ref: str
    environment: str
    payload: Any = None
    """An object or its text. Whoever makes a deployment may have put in anything else."""
    description: str | None = None
    created_at: datetime
    creator: Account | None = None


class DeploymentStatus(Shape):
    state: str
    created_at: datetime
    description: str | None = None
    log_url: str | None = None
    target_url: str | None = None
    """The older name of `log_url`; those who report still fill it."""


class Published(Shape):
    """A release: https://docs.github.com/en/rest/releases/releases#list-releases"""

    tag_name: str
    draft: bool = False


class _TagCommit(Shape):
    sha: str = ""


class Tag(Shape):
    name: str
    commit: _TagCommit = _TagCommit()


class ChangedFile(Shape):
    """`diff-entry`; `patch` is missing of binary and of very large files."""

    filename: str
    previous_filename: str | None = None
    additions: int = 0
    deletions: int = 0
    patch: str = ""


class GitActor(Shape):
    name: str | None = None
    date: datetime | None = None


class CommitText(Shape):
    message: str = ""
    author: GitActor | None = None


class Parent(Shape):
    sha: str = ""


class Commit(Shape):
    sha: str
    html_url: str | None = None
    commit: CommitText = CommitText()
    parents: tuple[Parent, ...] = ()
    files: tuple[ChangedFile, ...] = ()

    @property
    def merges(self) -> bool:
        return len(self.parents) > 1


class Comparison(Shape):
    """Commits are oldest first, and files are on the first page only:
    https://docs.github.com/en/rest/commits/commits#compare-two-commits"""

    status: str
    total_commits: int
    commits: tuple[Commit, ...]
    files: tuple[ChangedFile, ...] = ()


class Content(Shape):
    """https://docs.github.com/en/rest/repos/contents: `content` is empty of files over 1 MB."""

    type: str
    sha: str = ""
    encoding: str = ""
    content: str = ""

    @property
    def text(self) -> str:
        """Empty for a directory, and for a file over 1 MB, of which GitHub sends nothing here."""
        if self.type != "file" or self.encoding != "base64":
            return ""
        try:
            return base64.b64decode(self.content).decode("utf-8", "replace")
        except binascii.Error as error:
            text = "GitHub sent a file that cannot be decoded"
            raise HttpError(SYSTEM, text, retryable=True) from error


class TreeEntry(TypedDict):
    """One of up to 100,000: no object of its own."""

    path: str
    type: str


class Tree(Shape):
    """`truncated` where there are over 100,000 entries, or 7 MB of them:
    https://docs.github.com/en/rest/git/trees#get-a-tree"""

    truncated: bool
    tree: tuple[TreeEntry, ...]


class PullNumber(Shape):
    number: int
    html_url: str
    merged_at: datetime | None = None


class _Head(Shape):
    ref: str
    sha: str = ""


class PullState(Shape):
    """https://docs.github.com/en/rest/pulls/pulls#get-a-pull-request"""

    state: str
    merged: bool = False
    merged_at: datetime | None = None
    merged_by: Account | None = None
    html_url: str
    head: _Head


class Pull(Shape):
    number: int
    html_url: str
    head: _Head


class _Object(Shape):
    sha: str


class GitRef(Shape):
    object: _Object


class Entry(Shape):
    name: str
    type: str = "file"


class Repository(Shape):
    full_name: str = ""
    default_branch: str
    archived: bool = False
    disabled: bool = False
    allow_merge_commit: bool | None = None
    """These are shown to those who may write."""
    allow_squash_merge: bool | None = None
    allow_rebase_merge: bool | None = None
