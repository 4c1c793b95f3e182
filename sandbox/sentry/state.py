"""The state of the local Sentry: projects, issues, events, releases and deploys, in memory.

Times are seconds since 1970.
"""

from __future__ import annotations

import time
import uuid
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Unpack

from sandbox.sentry import resolution
from sandbox.sentry.events import Event, fingerprint, from_sdk, metadata
from sandbox.sentry.models import Deploy, FlagChange, Issue, Project, Release, Resolution
from sandbox.sentry.synthetic import ErrorFields, another, error_event
from sandbox.sentry.traces import Traced, Traces
from sandbox.wire import Json

MAX_EVENTS = 200_000
"""Older ones are dropped; issues keep their counts."""

PROJECT_AGE = 90 * 86_400.0
_WHEN = attrgetter("timestamp")

ALL_SCOPES = frozenset(
    {"org:read", "project:read", "project:releases", "event:read", "event:write"}
)

STATUSES = ("unresolved", "resolved", "ignored")


Change = Callable[[str, Any], None]
"""Called with a kind and the thing itself.

Kinds: `event`, `issue.created`, `.unresolved`, `.resolved`, `.archived`, `release`, `deploy`,
`flag`.
"""


class Sentry:
    """One organisation.

    `tokens` maps a bearer token to its scopes.
    """

    def __init__(
        self,
        *,
        org: str = "acme",
        projects: Sequence[str] = ("shop",),
        tokens: dict[str, frozenset[str]] | None = None,
        base_url: str = "http://127.0.0.1/sentry",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.org = org
        self.tokens = tokens if tokens is not None else {"sntrys_local": ALL_SCOPES}
        self.base_url = base_url.rstrip("/")
        self.discover = True
        """The plan has `events/`, `events-stats/` and `events-timeseries/`."""
        self.several = True
        """The plan answers questions over several projects."""
        self.sampled = False
        """Counts are made from a part of the data, and say so."""
        self.clock = clock
        self.projects: dict[str, Project] = {}
        self.issues: dict[int, Issue] = {}
        self.events: list[Event] = []
        self.traces = Traces()
        self.spans = True
        """Traces are spans; else this Sentry is older, and has `transactions` in their place."""
        self.releases: dict[str, Release] = {}
        self.flag_log: list[FlagChange] = []
        self.flag_secret = "the flags' own secret"
        self.has_flag_log = True
        """Older versions answer 404."""
        self.environments: set[str] = set()
        """Names that an event or a deploy gave; empty for none. Asking for another one is a 404."""
        self._by_id: dict[str, Event] = {}
        self._by_fingerprint: dict[str, Issue] = {}
        self._numbers: dict[int, int] = {}
        self._next_issue = 4_100_000_001
        self._next_deploy = 52_000_001
        self._subscribers: list[Change] = []
        for slug in projects:
            self.add_project(slug)

    # -- projects ---------------------------------------------------------------------------------

    def add_project(self, slug: str, *, created: float | None = None) -> Project:
        """Add a project; by default it is a quarter of a year old."""
        key = uuid.uuid5(uuid.NAMESPACE_DNS, f"{self.org}/{slug}").hex
        born = self.clock() - PROJECT_AGE if created is None else created
        project = Project(len(self.projects) + 1, slug, key, born)
        self.projects[slug] = project
        return project

    def project(self, number: int) -> Project | None:
        return next((project for project in self.projects.values() if project.id == number), None)

    def dsn(self, slug: str = "shop") -> str:
        """Return the DSN with which an SDK reports to this project."""
        project = self.projects[slug]
        scheme, rest = self.base_url.split("://", 1)
        return f"{scheme}://{project.public_key}@{rest}/{project.id}"

    # -- in ---------------------------------------------------------------------------------------

    def subscribe(self, change: Change) -> Callable[[], None]:
        """Call `change` after everything that happens from now on; return what stops it."""
        self._subscribers.append(change)
        return lambda: self._subscribers.remove(change)

    def ingest(self, payload: Json, *, project: str = "shop") -> Event:
        """Store an event as an SDK sends it, and group it. A known id is not counted twice.

        Raises:
            ValueError: not an event.
            KeyError: no such project.
        """
        event = from_sdk(payload, project_id=self.projects[project].id, received=self.clock())
        return self._take(event, self.projects[project], fingerprint(event))

    def _take(self, event: Event, project: Project, group: str) -> Event:
        if known := self._by_id.get(event.id):
            return known
        self._by_id[event.id] = event
        self.environments.add(event.environment)
        release = self._note_release(event, project)
        issue, created = self._group(event, group, project, release)
        self._store(event, issue)
        # `_handle_regression` of sentry/event_manager.py: by release, never by time.
        if issue.status == "resolved" and not self._stays_resolved(issue, release):
            self.set_status(issue.id, "unresolved", substatus="regressed")
        elif (
            not created
            and issue.substatus == "new"
            and event.timestamp - issue.first_seen > 7 * 86_400
        ):
            issue.substatus = "ongoing"
        self._notify("event", event)
        if created:
            self._notify("issue.created", issue)
        return event

    def _stays_resolved(self, issue: Issue, release: Release | None) -> bool:
        return resolution.holds(issue.resolution, release, self.releases_of(issue.project.slug))

    def _note_release(self, event: Event, project: Project) -> Release | None:
        if not event.release:
            return None
        release = self.releases.get(event.release)
        if release is None:
            release = self.add_release(
                event.release, projects=[project.slug], created=event.timestamp
            )
        release.projects.add(project.slug)
        release.first_event = min(release.first_event or event.timestamp, event.timestamp)
        release.last_event = max(release.last_event or event.timestamp, event.timestamp)
        return release

    def _group(
        self, event: Event, key: str, project: Project, release: Release | None
    ) -> tuple[Issue, bool]:
        issue = self._by_fingerprint.get(key)
        created = issue is None
        if issue is None:
            self._numbers[project.id] = self._numbers.get(project.id, 0) + 1
            issue = Issue(
                id=self._next_issue,
                project=project,
                number=self._numbers[project.id],
                fingerprint=key,
                title=event.title,
                culprit=event.culprit,
                level=event.level,
                metadata=metadata(event),
                first_seen=event.timestamp,
                last_seen=event.timestamp,
                first_release=event.release,
            )
            self._next_issue += 1
            self._by_fingerprint[key] = issue
            self.issues[issue.id] = issue
            if release:
                release.new_groups += 1
        if event.timestamp < issue.first_seen:
            issue.first_seen, issue.first_release = event.timestamp, event.release
        if event.timestamp >= issue.last_seen:
            issue.last_seen, issue.last_release = event.timestamp, event.release
            issue.title, issue.culprit, issue.level = event.title, event.culprit, event.level
            issue.metadata = metadata(event)
        return issue, created

    def _store(self, event: Event, issue: Issue) -> None:
        event.issue_id = issue.id
        issue.times_seen += 1
        insort(issue.events, event, key=_WHEN)
        insort(self.events, event, key=_WHEN)
        if len(self.events) > MAX_EVENTS:
            oldest = self.events.pop(0)
            self._by_id.pop(oldest.id, None)
            self.issues[oldest.issue_id].events.remove(oldest)

    def _notify(self, what: str, thing: Any) -> None:
        for change in list(self._subscribers):
            change(what, thing)

    # -- releases and deploys ---------------------------------------------------------------------

    def add_release(
        self, version: str, *, projects: Iterable[str] = ("shop",), created: float | None = None
    ) -> Release:
        release = self.releases.get(version)
        if release is None:
            release = self.releases[version] = Release(
                version, self.clock() if created is None else created
            )
            self._notify("release", release)
        added = set(projects) - release.projects
        release.projects.update(projects)
        for issue in self.issues.values():
            if issue.project.slug in added and issue.resolution is not None:
                issue.resolution = resolution.after_release(
                    issue.resolution, release, self.releases_of(issue.project.slug)
                )
        return release

    def releases_of(self, slug: str) -> list[Release]:
        return [release for release in self.releases.values() if slug in release.projects]

    def add_deploy(
        self,
        version: str,
        *,
        environment: str = "production",
        started: float | None = None,
        finished: float | None = None,
        name: str | None = None,
        url: str | None = None,
    ) -> Deploy:
        """Record a deploy of a known release (KeyError otherwise)."""
        release = self.releases[version]
        deploy = Deploy(
            self._next_deploy, environment, self.clock() if finished is None else finished, started
        )
        deploy.name, deploy.url = name, url
        self._next_deploy += 1
        release.deploys.append(deploy)
        self.environments.add(environment)
        if release.released is None:
            release.released = deploy.finished
        self._notify("deploy", deploy)
        return deploy

    def add_flag_change(
        self,
        flag: str,
        action: str = "updated",
        *,
        at: float | None = None,
        by: str | None = None,
        tags: Json | None = None,
    ) -> FlagChange:
        """Record what a flag provider told by its webhook, as `generic` sends it."""
        change = FlagChange(
            id=len(self.flag_log) + 1,
            flag=flag,
            action=action,
            created=self.clock() if at is None else at,
            by=by,
            by_type=None if by is None else "email" if "@" in by else "name",
            provider="generic",
            tags=tags or {},
        )
        self.flag_log.append(change)
        self._notify("flag", change)
        return change

    # -- issues -----------------------------------------------------------------------------------

    def set_status(
        self,
        issue_id: int,
        status: str,
        *,
        substatus: str | None = None,
        resolution: Resolution | None = None,
        by: Json | None = None,
    ) -> Issue:
        """Set `unresolved`, `resolved` or `ignored` (archived), by somebody or by Sentry itself.

        Raises:
            ValueError: another status.
            KeyError: no such issue.
        """
        if status not in STATUSES:
            raise ValueError(f"no such status: {status}")
        issue = self.issues[issue_id]
        usual = {"unresolved": "ongoing", "resolved": None, "ignored": "archived_until_escalating"}
        changed = issue.status != status
        issue.status, issue.substatus, issue.changed = (
            status,
            substatus or usual[status],
            self.clock(),
        )
        issue.resolution, issue.by = resolution, by
        if changed:
            self._notify(f"issue.{'archived' if status == 'ignored' else status}", issue)
        return issue

    def by_short_id(self, short_id: str) -> Issue | None:
        return next(
            (issue for issue in self.issues.values() if issue.short_id == short_id.upper()), None
        )

    def event(self, event_id: str) -> Event | None:
        return self._by_id.get(event_id)

    def window(self, start: float, end: float, events: list[Event] | None = None) -> list[Event]:
        """Return the events with start <= time < end, oldest first."""
        source = self.events if events is None else events
        first = bisect_left(source, start, key=_WHEN)
        return source[first : bisect_left(source, end, key=_WHEN)]

    def last_minute(self, issue: Issue) -> int:
        """Return the number of its events in the last minute."""
        now = self.clock()
        return len(self.window(now - 60, now + 60, issue.events))

    def issue_url(self, issue: Issue) -> str:
        return f"{self.base_url}/organizations/{self.org}/issues/{issue.id}/"

    # -- for tests and traps ----------------------------------------------------------------------

    def traffic(
        self,
        per_second: float,
        *,
        since: float | datetime,
        project: str = "shop",
        environment: str = "production",
        rate: float = 1.0,
    ) -> None:
        """Let so many requests a second come from then on; `rate`: the share that is kept."""
        like = Traced(0.0, self.projects[project].id, environment, rate=rate)
        self.traces.flow(like, per_second, since=since)

    def load(
        self,
        error: str = "KeyError: 'region'",
        *,
        at: float | datetime | None = None,
        every: float = 0.0,
        times: int = 1,
        users: Sequence[str] = (),
        project: str = "shop",
        **fields: Unpack[ErrorFields],
    ) -> list[Event]:
        """Store `times` synthetic events, the first `at` (default now), one `every` seconds.

        `users` are given to the events in turn; none: events without a user.
        """
        start = self.clock() if at is None else at.timestamp() if isinstance(at, datetime) else at
        of, now = self.projects[project], self.clock()
        like = from_sdk(error_event(error, start, None, fields), project_id=of.id, received=now)
        group, who = fingerprint(like), users or (None,)
        return [
            self._take(another(like, start + n * every, who[n % len(who)]), of, group)
            for n in range(times)
        ]
