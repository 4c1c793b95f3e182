"""What the phases need from outside, as small protocols; `bot/clients/` keeps them. Every error that a port raises is a `PortError`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, Protocol, runtime_checkable

from phases.ports.source_values import Commit, Covered, Place, PullChecks
from phases.ports.tracker_values import EventDetail, EventPicture, IssuePage, IssueRow, Minutes
from phases.record.documents import Adr, LinearIssue, SubIssue, Ticket
from phases.record.findings import (
    Bisect,
    DeployOutput,
    DeploySeen,
    EndpointAnswer,
    Frame,
    MergeState,
    Release,
    Share,
    Suspect,
    Value,
)
from phases.record.incident import Incident
from phases.record.memories import Counted, PastIncident, Question, Recalled
from phases.record.service import Service


class PortError(Exception):
    """An outside system did not do what was asked. `system` names it, `retryable` says whether trying again may help.

    `retry_after` in seconds, where the system asked for it. The text is shown to people: no token, no end user in it.
    """

    def __init__(
        self, system: str, text: str, *, retryable: bool, retry_after: float | None = None
    ) -> None:
        super().__init__(text)
        self.system = system
        self.text = text
        self.retryable = retryable
        self.retry_after = retry_after


class NotSetUp(PortError):
    """The system has no settings: it is off, and the text says what that costs."""

    def __init__(self, system: str, text: str) -> None:
        super().__init__(system, text, retryable=False)


# --- Sentry ------------------------------------------------------------------------------------


class ErrorTracker(Protocol):
    """Sentry, as the phases ask it. Times are aware, in UTC. Of `services` the first is the incident's: its environments count.

    Every call raises `PortError`. Where a plan has no Discover, each answers with what there is and says so.
    """

    async def page(
        self,
        services: Sequence[Service],
        since: datetime,
        until: datetime,
        *,
        after: str | None = None,
    ) -> IssuePage:
        """Issues of level error or fatal with events in the window, 100 a page; `after` is a page's `next`."""
        ...

    async def per_minute(
        self, services: Sequence[Service], issues: Sequence[str], since: datetime, until: datetime
    ) -> Minutes: ...

    async def first_event(
        self, services: Sequence[Service], issues: Sequence[str], since: datetime, until: datetime
    ) -> datetime | None:
        """When the first event of these issues in this span happened, to the second."""
        ...

    async def picture(
        self, services: Sequence[Service], issues: Sequence[str], since: datetime, until: datetime
    ) -> EventPicture: ...

    async def releases(
        self, service: Service, issues: Sequence[str], since: datetime, until: datetime
    ) -> Sequence[Share]:
        """Events by release, names as Sentry writes them and `` for none, of the service's own projects only."""
        ...

    async def addresses(self, service: Service, since: datetime, until: datetime) -> int | None:
        """Distinct client addresses over all events of the service; None where Sentry does not tell."""
        ...

    async def detail(self, service: Service, issue: str) -> EventDetail | None:
        """The newest event; None where there is none any more."""
        ...

    async def elsewhere(self, service: Service, issue: str) -> str | None:
        """The environment that an issue burns in, where it does in none that counts; None: it does, or nobody can tell."""
        ...

    async def deploys(self, services: Sequence[Service]) -> Sequence[DeploySeen]:
        """Deploys to the counted environment, and the first events of releases there, marked as such; newest first."""
        ...

    async def count(
        self, services: Sequence[Service], issues: Sequence[str], since: datetime, until: datetime
    ) -> int:
        """Events of these issues in the counted environments."""
        ...

    async def new_issues(
        self, service: Service, release: str, since: datetime, until: datetime
    ) -> Sequence[IssueRow]:
        """Issues first seen after `since` with events in this release (a version)."""
        ...

    async def names_of(self, service: Service, release: str) -> Sequence[str]: ...

    async def issue(self, id: str) -> IssueRow: ...

    async def by_short_id(self, short_id: str) -> IssueRow: ...


# --- deploys -----------------------------------------------------------------------------------


class DeployState(Value):
    state: Literal["running", "done", "failed", "unknown"]
    lines: tuple[str, ...] = ()
    """The newest lines of output, redacted, at most five."""
    output: DeployOutput | None = None
    """What the thread shows of it; None where the deployer has no output of its own."""
    reason: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    taken: bool = True
    """False: it is recorded, and nothing has begun it yet; `start` does."""


class Deployer(Protocol):
    """The small port of every deployer. A deploy is started under a record and then asked about; nothing waits for it."""

    async def running(self, service: Service) -> Release | None:
        """What runs now; None where it cannot be named."""
        ...

    async def releases(self, service: Service) -> Sequence[Release]:
        """What may be deployed, newest first; names that fit no pattern are left out."""
        ...

    async def start(self, service: Service, deploy_id: str, to: Release, *, hotfix: bool) -> None:
        """Starts once: with a known `deploy_id` it does nothing. Raises `PortError` when nothing was started."""
        ...

    async def look(self, service: Service, deploy_id: str) -> DeployState: ...

    async def give_up(self, service: Service, deploy_id: str) -> bool:
        """True: nothing was started, and from now on nothing will be. False: that cannot be said."""
        ...


class DeployHistory(Protocol):
    """Who else knows of deploys: GitHub's deployments."""

    async def deploys(self, services: Sequence[Service]) -> Sequence[DeploySeen]:
        """Deploys to the environment that counts, of the services that it knows. Raises `PortError`."""
        ...


class HotfixRef(Value):
    """A branch or pull request that can be shipped."""

    name: str
    commit: str
    subject: str = ""
    body: str = ""
    """The description of a pull request: it may name the issue that it mends."""
    url: str | None = None
    checks: Literal["green", "red", "running"] | None = None
    """Of its head commit; None where it has none, or nobody can tell."""

    @property
    def release(self) -> Release:
        """What is deployed when this is shipped: `hotfix <branch>@<sha7>`, by its full head commit (rules: Releases and deploys)."""
        return Release(version=f"hotfix {self.name}@{self.commit[:7]}", commit=self.commit)


# --- source code -------------------------------------------------------------------------------


class SourceCode(Protocol):
    """Git: the local clone (`checkout`) or GitHub."""

    def remarks(self, service: Service) -> Sequence[str]:
        """Return what is missing from the newest answers, in sentences."""
        ...

    async def commits(self, service: Service, older: str, newer: str) -> Sequence[Commit]:
        """Commits in `newer` that are not in `older` (versions), newest first, with files and patches, at most 500."""
        ...

    async def place(self, service: Service, release: str, frame: Frame) -> Place:
        """The file that a frame stands for as of `release`; the calls below take its path."""
        ...

    async def blame(self, service: Service, release: str, file: str, line: int) -> Suspect | None:
        """The commit that last touched that line as of `release`; None where file or line are not there."""
        ...

    async def snippet(
        self, service: Service, release: str, file: str, line: int
    ) -> Sequence[tuple[int, str]]:
        """The code around a line; empty where file or line are not there. Raises where that cannot be told."""
        ...

    async def hotfixes(self, service: Service) -> Sequence[HotfixRef]:
        """Unmerged branches or open pull requests, newest first, at most 25."""
        ...

    async def changed_paths(self, service: Service, older: str, newer: str) -> Sequence[str]: ...

    async def commit(self, service: Service, sha: str) -> Commit | None:
        """One commit with the files it changed, without patches; None where it is not known."""
        ...

    async def tests_of(self, service: Service, release: str, file: str) -> Covered | None:
        """The tests of a frame's file as of `release`; None where that file is not there."""
        ...


@runtime_checkable
class PullRequests(Protocol):
    """A source that also knows pull requests: GitHub."""

    async def pull_request(self, service: Service, sha: str) -> str | None:
        """The address of the pull request that brought a commit; None where none did."""
        ...

    async def checks(self, service: Service, sha: str) -> PullChecks | None:
        """The checks of the pull request that brought a commit; None where none did."""
        ...


class Merges(Protocol):
    """Whether a shipped hotfix is merged, and the ordinary merge of its pull request."""

    async def state(self, service: Service, fix: Release) -> MergeState | None:
        """How its branch or pull request stands; None where nobody can tell."""
        ...

    async def merge(self, service: Service, number: int, commit: str) -> MergeState:
        """Merges the pull request if its head is `commit` and its checks allow; merged already is success.

        Raises `PortError` with the reason and what to do, where it is refused.
        """
        ...


class Reverts(Protocol):
    async def prepare(self, service: Service, pull_request: str, why: str) -> str:
        """Makes the pull request that reverts `pull_request`, once, and gives its address."""
        ...


class Bisector(Protocol):
    """`git bisect run` in a scratch worktree, in a process group of its own, under a record that outlives the bot."""

    async def start(self, service: Service, bisect_id: str, good: str, bad: str) -> Bisect: ...

    async def look(self, service: Service, bisect_id: str) -> Bisect: ...

    async def cancel(self, service: Service, bisect_id: str) -> Bisect: ...


# --- coordination ------------------------------------------------------------------------------


class Tickets(Protocol):
    """Linear. `key` makes every creation idempotent: the same key is the same thing."""

    async def open(
        self,
        service: Service,
        *,
        key: str,
        title: str,
        body: str,
        priority: int,
        parent: Ticket | None = None,
    ) -> Ticket: ...

    async def open_item(
        self,
        service: Service,
        parent: Ticket,
        *,
        key: str,
        title: str,
        body: str,
        due: date | None,
        assignee: str | None,
    ) -> SubIssue:
        """A sub-issue; `assignee` as `person` knows them."""
        ...

    async def person(self, *, name: str, email: str | None) -> str | None:
        """Linear's id of an active user, by e-mail address, else by a name that only one has. Neither is kept."""
        ...

    async def look(self, id: str) -> Sequence[LinearIssue]:
        """The issue as it stands, and its sub-issues after it; none where it is gone."""
        ...

    async def move(
        self, id: str, *, state: str | None = None, priority: int | None = None
    ) -> LinearIssue:
        """Writes what is given: the type of a state, of which the team's first is taken."""
        ...

    async def find(self, identifier: str) -> Ticket | None:
        """The issue that people call `ENG-123`; None where there is none that our key may see."""
        ...

    async def attach(self, ticket: Ticket, *, key: str, url: str, title: str) -> None: ...

    async def comment(self, ticket: Ticket, *, key: str, body: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Posted:
    """A post outside, and the channel that it is in, where that is known."""

    id: str
    channel: str | None = None


class Announcer(Protocol):
    """Discord: one post an incident, edited in place, pinned where we may."""

    async def post(
        self, text: str, *, author: str, maybe_posted_since: datetime | None = None
    ) -> Posted:
        """`maybe_posted_since`: an earlier try may have arrived since then, and is looked for first."""
        ...

    async def edit(self, id: str, text: str) -> None: ...

    async def pin(self, id: str, channel: str | None, *, pinned: bool) -> None: ...


class Pager(Protocol):
    async def page(
        self,
        *,
        key: str,
        text: str,
        severity: Literal["critical", "error", "warning"],
        url: str | None,
    ) -> None: ...

    async def follow(self, *, key: str, what: Literal["acknowledge", "resolve"]) -> None:
        """Somebody is at it, or it is over; a key that nothing was triggered with is nothing."""
        ...


class Endpoint(Protocol):
    async def call(self, url: str) -> EndpointAnswer:
        """Up to three tries; never raises for an answer that is merely bad."""
        ...


class Archive(Protocol):
    """Where post-mortems are written."""

    async def highest(self, service: Service) -> int:
        """The highest ADR number in use there; 0 where there is none."""
        ...

    async def template(self, service: Service) -> str:
        """The folder's own template for such files; empty where there is none."""
        ...

    async def write(self, service: Service, incident: Incident, number: int, text: str) -> Adr:
        """Writes once: the file name carries the incident's id."""
        ...

    def repository(self, service: Service) -> str:
        """A stable name of the place, for the claim on the number."""
        ...

    async def revise(
        self, service: Service, incident: Incident, revised: Callable[[str], str], why: str
    ) -> str | None:
        """Changes the written file once: `revised` changes nothing in a text that it has changed. The pull request, if any."""
        ...


class Memory(Protocol):
    async def recall(self, asked: Question) -> Recalled:
        """What was there before. Raises `PortError`."""
        ...

    async def newest(self, service: str | None, many: int) -> Sequence[PastIncident]:
        """The newest of a service, or of all; newest first. Raises `PortError`."""
        ...

    async def since(self, at: datetime) -> Sequence[Counted]:
        """What trends count of all that was detected since then. Raises `PortError`."""
        ...


# --- who and what ------------------------------------------------------------------------------


class Catalogue(Protocol):
    def get(self, name: str) -> Service | None: ...

    def all(self) -> Sequence[Service]: ...

    def named_in(self, text: str) -> Service | None:
        """The service that the text names, by name or alias as a whole word; the only one; else None."""
        ...

    def by_sentry_project(self, slug: str) -> Service | None: ...


class Person(Value):
    """A member of Slack, as far as the rules ask."""

    id: str
    name: str
    member: bool
    """A full member of our workspace: no guest, nobody of another workspace, not a bot."""
    offset: int = 0
    """Seconds that their clock is ahead of UTC."""


class People(Protocol):
    async def person(self, id: str, team: str | None, enterprise: str | None = None) -> Person: ...

    async def owners(self, service: Service) -> Sequence[str]:
        """Slack ids of the people who may deploy; empty: any full member. Raises `PortError`."""
        ...

    async def name(self, id: str) -> str:
        """Display name, for texts outside Slack."""
        ...
