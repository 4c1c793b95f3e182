"""The protocols by which the phases ask the outside; `bot/clients/` keeps them.

Every error that a port raises is a `PortError`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal, Protocol, runtime_checkable

from phases.ports.source_values import Commit, Covered, Place, PullChecks
from phases.ports.tracker_values import (
    EventDetail,
    EventPicture,
    IssuePage,
    IssueRow,
    Minutes,
    OtherErrors,
)
from phases.record.findings import (
    ChangeSeen,
    DeployOutput,
    DeploySeen,
    EndpointAnswer,
    Frame,
    Release,
    Share,
    Suspect,
    Value,
)
from phases.record.service import Service
from phases.record.traffic_seen import TrafficSeen


class PortError(Exception):
    """An outside system did not do what was asked.

    `system` names it. It is final unless trying again may help (`retryable`). `retry_after` is in
    seconds, where the system asked for it. People read the text: no token, no end user in it.
    """

    def __init__(
        self,
        system: str,
        text: str,
        *,
        retryable: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(text)
        self.system = system
        self.text = text
        self.retryable = retryable
        self.retry_after = retry_after


class NotSetUp(PortError):
    """The system has no settings: it is off, and the text says what that costs."""


# --- Sentry ------------------------------------------------------------------------------------


class ErrorTracker(Protocol):
    """Sentry, as the phases ask it.

    Times are aware, in UTC. The first of `services` is the incident's: its environments count.
    Every call raises `PortError`. Where a plan has no Discover, each answers with what there is and
    says so.
    """

    def clock_ahead(self) -> timedelta:
        """Return how much its clock is ahead of ours, as its last answer told; below 0: behind."""
        ...

    async def page(
        self,
        services: Sequence[Service],
        since: datetime,
        until: datetime,
        *,
        after: str | None = None,
    ) -> IssuePage:
        """Return the issues of level error or fatal with events in the window.

        A page holds 100; `after` is a page's `next`.
        """
        ...

    async def per_minute(
        self, services: Sequence[Service], issues: Sequence[str], since: datetime, until: datetime
    ) -> Minutes: ...

    async def history(
        self, services: Sequence[Service], since: datetime, until: datetime
    ) -> Minutes:
        """Return all errors of these services together, by five minutes instead of by one."""
        ...

    async def transactions(
        self, services: Sequence[Service], since: datetime, until: datetime
    ) -> Sequence[Share] | None:
        """Return all errors of these services by transaction, most first.

        The result is None where Sentry does not tell.
        """
        ...

    async def first_event(
        self, services: Sequence[Service], issues: Sequence[str], since: datetime, until: datetime
    ) -> datetime | None:
        """Return the time of the first event of these issues in this span, to the second."""
        ...

    async def picture(
        self, services: Sequence[Service], issues: Sequence[str], since: datetime, until: datetime
    ) -> EventPicture: ...

    async def releases(
        self, service: Service, issues: Sequence[str], since: datetime, until: datetime
    ) -> Sequence[Share]:
        """Return events by release, of the service's own projects only.

        Names are as Sentry writes them, and `` for none.
        """
        ...

    async def addresses(self, service: Service, since: datetime, until: datetime) -> int | None:
        """Count the client addresses over all events of the service.

        The result is None where Sentry does not tell.
        """
        ...

    async def others(
        self, service: Service, issues: Sequence[str], since: datetime, until: datetime
    ) -> OtherErrors:
        """Return where the service's errors besides these issues are."""
        ...

    async def detail(self, service: Service, issue: str) -> EventDetail | None:
        """The newest event; None where there is none any more."""
        ...

    async def elsewhere(self, service: Service, issue: str) -> str | None:
        """Return the environment that an issue burns in, where it does in none that counts.

        The result is None where it does, or nobody can tell.
        """
        ...

    async def deploys(self, services: Sequence[Service]) -> Sequence[DeploySeen]:
        """Return deploys to the counted environment, newest first.

        The first events of releases there are among them, marked as such.
        """
        ...

    async def count(
        self, services: Sequence[Service], issues: Sequence[str], since: datetime, until: datetime
    ) -> int:
        """Events of these issues in the counted environments."""
        ...

    async def traffic(
        self, service: Service, since: datetime, until: datetime
    ) -> TrafficSeen | None:
        """Return the requests that the service was sent; None where its traces do not tell."""
        ...

    async def traffic_around(
        self, service: Service, since: datetime, at: datetime, until: datetime
    ) -> tuple[TrafficSeen, TrafficSeen] | None:
        """Return the requests before and after the minute of `at`; None as above."""
        ...

    async def new_issues(
        self, service: Service, release: str, since: datetime, until: datetime
    ) -> Sequence[IssueRow]:
        """Issues first seen after `since` with events in this release (a version)."""
        ...

    async def names_of(self, service: Service, release: str) -> Sequence[str]: ...

    async def issue(self, id: str) -> IssueRow: ...

    async def by_short_id(self, short_id: str) -> IssueRow: ...


class FlagLog(Protocol):
    """The feature flags that Sentry knows of. Raises `PortError`."""

    def unused(self) -> bool:
        """Return whether nobody had told Sentry of a flag for months, some minutes ago."""
        ...

    async def changes(
        self, service: Service, since: datetime, until: datetime
    ) -> Sequence[ChangeSeen]:
        """Return the flags that were changed in this span, in the whole organisation."""
        ...

    async def off(
        self, services: Sequence[Service], flag: str, span: tuple[datetime, datetime]
    ) -> Mapping[str, tuple[int, int]]:
        """Return, by issue, its events with the flag off and all its events in this span.

        Issues without such an event are missing: they have it on, or never ask for it.
        """
        ...


# --- deploys -----------------------------------------------------------------------------------


class DeployState(Value):
    state: Literal["running", "done", "failed", "unknown"]
    lines: tuple[str, ...] = ()
    """The newest lines of output, redacted, at most five."""
    output: DeployOutput | None = None
    """The output that the thread shows; None where the deployer has none of its own."""
    reason: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    taken: bool = True
    """False: it is recorded, and nothing has begun it yet; `start` does."""


class Deployer(Protocol):
    """The small port of every deployer.

    A deploy is started under a record and then asked about; nothing waits for it.
    """

    async def running(self, service: Service) -> Release | None:
        """Return the release that runs; None where it cannot be named."""
        ...

    async def releases(self, service: Service) -> Sequence[Release]:
        """Return the releases that may be deployed, newest first.

        Names that fit no pattern are left out.
        """
        ...

    async def start(self, service: Service, deploy_id: str, to: Release, *, hotfix: bool) -> None:
        """Start a deploy once: with a known `deploy_id` nothing is done.

        Raises `PortError` when nothing was started.
        """
        ...

    async def look(self, service: Service, deploy_id: str) -> DeployState: ...

    async def give_up(self, service: Service, deploy_id: str) -> bool:
        """Return whether nothing was started, and from now on nothing will be.

        False: that cannot be said.
        """
        ...


class DeployHistory(Protocol):
    """Another source of deploys: GitHub's deployments."""

    async def deploys(self, services: Sequence[Service]) -> Sequence[DeploySeen]:
        """Return deploys to the environment that counts, of the services that it knows.

        Raises `PortError`.
        """
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
    """The checks of its head commit; None where it has none, or nobody can tell."""

    @property
    def release(self) -> Release:
        """The release that is deployed when this is shipped: `hotfix <branch>@<sha7>`.

        It goes by its full head commit (rules: Releases and deploys).
        """
        return Release(version=f"hotfix {self.name}@{self.commit[:7]}", commit=self.commit)


# --- source code -------------------------------------------------------------------------------


class SourceCode(Protocol):
    """Git: the local clone (`checkout`) or GitHub."""

    def remarks(self, service: Service) -> Sequence[str]:
        """Return what is missing from the newest answers, in sentences."""
        ...

    async def commits(self, service: Service, older: str, newer: str) -> Sequence[Commit]:
        """Return the commits in `newer` that are not in `older` (versions), newest first.

        They have their files and patches; 500 at most.
        """
        ...

    async def place(self, service: Service, release: str, frame: Frame) -> Place:
        """The file that a frame stands for as of `release`; the calls below take its path."""
        ...

    async def blame(self, service: Service, release: str, file: str, line: int) -> Suspect | None:
        """Return the commit that last touched that line as of `release`.

        The result is None where file or line are not there.
        """
        ...

    async def snippet(
        self, service: Service, release: str, file: str, line: int
    ) -> Sequence[tuple[int, str]]:
        """Return the code around a line; empty where file or line are not there.

        Raises `PortError` where that cannot be told.
        """
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


# --- who and what --------------------------------------------------------------------------------


class Endpoint(Protocol):
    async def call(self, url: str) -> EndpointAnswer:
        """Up to three tries; never raises for an answer that is merely bad."""
        ...


class Catalogue(Protocol):
    def get(self, name: str) -> Service | None: ...

    def all(self) -> Sequence[Service]: ...

    def named_in(self, text: str) -> Service | None:
        """Return the service that the text names, by name or alias as a whole word.

        Else the only one there is, else None.
        """
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
    left: bool = False
    """Their account is deactivated."""


class People(Protocol):
    async def person(self, id: str, team: str | None, enterprise: str | None = None) -> Person: ...

    async def owners(self, service: Service) -> Sequence[str]:
        """Slack ids of the people who may deploy; empty: any full member. Raises `PortError`."""
        ...

    async def name(self, id: str) -> str:
        """Display name, for texts outside Slack."""
        ...
