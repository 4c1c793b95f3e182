"""Sentry's answers as models. No value of an end user ever leaves the client.

Shapes: https://docs.sentry.io/api/events/list-an-organizations-issues/,
https://docs.sentry.io/api/events/retrieve-an-issue-event/,
https://docs.sentry.io/api/releases/list-an-organizations-releases/,
https://github.com/getsentry/sentry/blob/master/src/sentry/api/serializers/models/group_stream.py
"""

import hashlib
import re
import secrets
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from math import isfinite
from typing import Any

from msgspec import Struct
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from bot.clients.http.errors import HttpError
from bot.clients.sentry.laptops import private
from phases.ports.tracker_values import IssueRow, UserShare
from phases.record.findings import DeploySeen, Release, Share
from phases.record.service import Service
from phases.text.cleaning import foreign
from phases.triage.deploys.deploy_history import STANDS_IN, UNTOLD

ROLLOUT_MOST = timedelta(minutes=15)
"""A deploy whose start is not told took at most this long."""

_SALT = secrets.token_bytes(16)
"""It lives as long as the process: keys cannot be compared with anything outside."""
_PEOPLE = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}|\b\d{1,3}(?:\.\d{1,3}){3}\b")


EARLIEST_YEAR, LATEST_YEAR = 2000, 2999
"""Years in which something may have been deployed."""


def utc(at: datetime) -> datetime:
    return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)


def told(at: datetime | None) -> datetime | None:
    """Return a time; None where it is not told, or is a program's word for none.

    Go's zero time is of year 1 (https://pkg.go.dev/time#Time.IsZero), others' are of 1970 or 9999.
    """
    return utc(at) if at is not None and EARLIEST_YEAR <= at.year <= LATEST_YEAR else None


def scrubbed(text: str) -> str:
    """Return the text without mail and network addresses.

    Titles, paths and lines of source can carry end users' values.
    """
    return _PEOPLE.sub("…", text)


def moment(value: object) -> datetime | None:
    """Return the time in a table's cell: ISO 8601, with a zone or in UTC without one."""
    try:
        return utc(datetime.fromisoformat(str(value)))
    except ValueError:
        return None


def number(value: object) -> int | None:
    """Return a count: a number of either kind, or a string where it is large; None: not told."""
    if isinstance(value, str):
        return int(value) if value.isdecimal() else None
    if not isinstance(value, int | float) or not isfinite(value):
        return None
    return int(value) if value >= 0 else None


def count_of(row: dict[str, Any], field: str) -> int:
    return number(row.get(field)) or 0


def without_count() -> HttpError:
    """Return the error of an answer without its count: it may be any, and surely is not zero."""
    text = "Sentry answered in a shape that is not known (count())"
    return HttpError("Sentry", text, retryable=False)


class Shape(BaseModel):
    model_config = ConfigDict(extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        """Leave out what is null: it is not told. Sentry's serializers leave either."""
        return (
            {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else value
        )


class ProjectShape(Shape):
    id: str = ""
    """A number in some answers; GlitchTip's releases name projects without it."""
    slug: str
    dateCreated: datetime | None = None

    @field_validator("id", mode="before")
    @classmethod
    def _text(cls, value: object) -> str:
        return str(value)


class Lifetime(Shape):
    firstSeen: datetime | None = None


class IssueShape(Shape):
    id: str
    shortId: str = ""
    title: str = ""
    culprit: str = ""
    permalink: str | None = None
    level: str = "error"
    status: str = "unresolved"
    substatus: str | None = None
    count: int | None = None
    """A string on the wire; with `start` and `end`: in the window."""
    firstSeen: datetime | None = None
    """Null where the environment's own record of the issue is not written yet
    (`first_seen.get(item.id)`):
    https://github.com/getsentry/sentry/blob/master/src/sentry/api/serializers/models/group.py"""
    lastSeen: datetime | None = None
    lifetime: Lifetime | None = None
    project: ProjectShape
    isUnhandled: bool | None = None
    issueCategory: str = "error"
    issueType: str = ""
    stats: dict[str, list[tuple[float, int]]] | None = None

    @field_validator("id", mode="before")
    @classmethod
    def _text(cls, value: object) -> str:
        return str(value)

    @property
    def category(self) -> str:
        """Return the category. `outage` is an uptime monitor's or a cron monitor's.

        The type `error` is that of errors, whatever Sentry calls its category some day: categories
        were sorted anew before (`category_v2`), and what is no error is counted beside the errors.
        Source: src/sentry/issues/grouptype.py, https://github.com/getsentry/sentry.
        """
        if self.issueType == "error":
            return "error"
        return "cron" if self.issueType == "monitor_check_in_failure" else self.issueCategory

    @field_validator("stats", mode="before")
    @classmethod
    def _day(cls, value: Any) -> Any:
        """Return the buckets of the one period that was asked for (`groupStatsPeriod`).

        Nothing here is worth failing a triage: what is no bucket is left out.
        """
        rows: list[Any] = (value.get("24h") or []) if isinstance(value, dict) else []
        pairs = [row for row in rows if isinstance(row, list) and len(row) == 2]
        return {
            "24h": [
                (at, n or 0)
                for at, n in pairs
                if isinstance(at, int | float) and isinstance(n, int | float | None)
            ]
        }

    def row(self, since: datetime | None = None) -> IssueRow:
        """Return the issue. `since` is the window's start, where `count` is of a window."""
        firsts = (self.firstSeen, self.lifetime and self.lifetime.firstSeen)
        times = [utc(at) for at in firsts if at]
        first = min(times) if times else utc(self.lastSeen or datetime.now(UTC))
        before, minutes = self._before_window(since)
        return IssueRow(
            id=self.id,
            short_id=self.shortId,
            title=foreign(scrubbed(self.title)),
            url=self.permalink
            if (self.permalink or "").startswith(("https://", "http://"))
            else None,
            category=self.category,
            project=self.project.slug,
            level=self.level,
            first_seen=first,
            events=self._events,
            status=self.status,
            substatus=self.substatus,
            handled=None if self.isUnhandled is None else not self.isUnhandled,
            events_before=before,
            minutes_before=minutes,
            hours=tuple((datetime.fromtimestamp(at, UTC), n) for at, n in self._buckets)
            if since is not None
            else (),
            last_seen=utc(self.lastSeen) if self.lastSeen else None,
            culprit=foreign(scrubbed(self.culprit)),
        )

    @property
    def _events(self) -> int:
        """Return the count; where it is not told, one: an issue is listed for its events."""
        return 1 if self.count is None or self.count < 0 else self.count

    @property
    def _buckets(self) -> list[tuple[float, int]]:
        return (self.stats or {}).get("24h", [])

    def _before_window(self, since: datetime | None) -> tuple[int, float]:
        """Return the events of the last day that lie before the window, and their minutes.

        They are counted in hourly buckets.
        """
        buckets = self._buckets
        if not buckets or since is None:
            return 0, 0.0
        begin = datetime.fromtimestamp(min(at for at, _ in buckets), UTC)
        if begin >= since:
            return 0, 0.0
        before = max(sum(n for _, n in buckets) - self._events, 0)
        return before, (since - begin) / timedelta(minutes=1)


class ShortIdShape(Shape):
    group: IssueShape


class DeployShape(Shape):
    environment: str
    dateStarted: datetime | None = None
    dateFinished: datetime | None = None

    def started(self, first_event: datetime | None) -> datetime | None:
        """Return when the deploy started. `dateStarted` is often not told.

        Then a first event shortly before the end shows that it had started by then.
        """
        if (started := told(self.dateStarted)) is not None:
            return started
        if (finished := told(self.dateFinished)) is None:
            return None
        if first_event is not None and finished - ROLLOUT_MOST <= first_event < finished:
            return first_event
        return finished


class CommitShape(Shape):
    id: str | None = None


class ReleaseShape(Shape):
    version: str
    ref: str | None = None
    lastDeploy: DeployShape | None = None
    deployCount: int = 0
    lastCommit: CommitShape | None = None
    firstEvent: datetime | None = None
    lastEvent: datetime | None = None
    """https://github.com/getsentry/sentry/blob/master/src/sentry/api/serializers/models/release.py"""
    dateCreated: datetime | None = None
    dateReleased: datetime | None = None
    projects: list[ProjectShape] = Field(default_factory=list[ProjectShape])

    def deployed_elsewhere(self, counted: Collection[str]) -> bool:
        """Return whether an earlier deploy may be to an environment that counts.

        The last one is to another.
        """
        if self.lastDeploy is None:
            return self.deployCount > 0
        return self.lastDeploy.environment not in counted and self.deployCount > 1

    def release(self, service: Service) -> Release | None:
        """Return the version as the catalogue writes it.

        None: this is no release of `service`, or its name does not fit.
        """
        slugs = {p.slug for p in self.projects}
        if service.sentry and not slugs & set(service.sentry):
            return None
        version = service.version_in_sentry(self.version)
        if version is None:
            return None
        commit = next(
            (c for c in (self.ref, self.lastCommit and self.lastCommit.id) if c and len(c) == 40),
            None,
        )
        return Release(version=version, commit=commit)

    def seen(
        self, service: Service, deploys: Iterable[DeployShape], *, untold: bool = False
    ) -> list[DeploySeen]:
        """Return the deploys to the counted environments, and the first event there.

        `untold`: the list of deploys could not be asked for.
        """
        release = self.release(service)
        if release is None:
            return []
        first, last = told(self.firstEvent), told(self.lastEvent)
        deployed = [
            DeploySeen(
                release=release,
                service=service.name,
                started_at=started,
                finished_at=told(d.dateFinished),
                source="sentry",
                last_event=last,
            )
            for d in deploys
            if d.environment in service.environments and (started := d.started(first)) is not None
        ]
        if first is not None:
            source = UNTOLD if untold else STANDS_IN
            deployed.append(
                DeploySeen(
                    release=release,
                    service=service.name,
                    started_at=first,
                    source=source,
                    last_event=last,
                )
            )
        return deployed


class TagValueShape(Shape):
    value: str | None = None
    count: int = 0


class TagDetailShape(Shape):
    key: str = ""
    totalValues: int = 0
    uniqueValues: int = 0
    topValues: list[TagValueShape] = Field(default_factory=list[TagValueShape])


class RowsMeta(Shape):
    dataScanned: str | None = None


class RowsShape(Shape):
    """`events/`: rows as asked, one value a field.

    An answer without `data` says nothing: it is not the same as no events.
    """

    data: list[dict[str, Any]]
    meta: RowsMeta = RowsMeta()


class PointShape(Struct, gc=False):
    """One of 4,000 points in an answer; null is as good as missing."""

    timestamp: float
    """Milliseconds."""
    value: float | None = None
    incomplete: bool | None = None
    sampleCount: float | None = None
    """Of spans: how many of them Sentry kept; `value` is extrapolated from these."""


class SeriesMeta(Struct):
    dataScanned: str | None = None


class SeriesShape(Struct):
    values: list[PointShape] | None = None
    meta: SeriesMeta | None = None


class TimeseriesShape(Struct):
    """`events-timeseries/`, for `SentryHttp.read_numbers`."""

    timeSeries: list[SeriesShape]


class StatsPoint(Shape):
    count: float | None = None


class StatsShape(Shape):
    data: list[tuple[float, list[StatsPoint]]]
    """Seconds."""


# --- end users: counted here, never named --------------------------------------------------------


def hashed(value: str) -> str:
    return hashlib.blake2b(value.encode(), key=_SALT, digest_size=8).hexdigest()


def is_not_user(value: str, patterns: Sequence[str]) -> bool:
    """Return whether a `user` tag (`id:healthcheck-1`) is one of the catalogue's `not_users`.

    A pattern fits the tag with or without its kind.
    """
    bare = value.partition(":")[2] or value
    return any(fnmatchcase(value, p) or fnmatchcase(bare, p) for p in patterns)


class UserRows(Shape):
    """Rows by `user`, split into people, the catalogue's `not_users`, and events without a user."""

    users: list[UserShare]
    not_users: int = 0
    events_of_not_users: int = 0
    events_without: int = 0


def split_users(
    rows: Iterable[tuple[str | None, int, int | None]], not_users: Sequence[str]
) -> UserRows:
    """Return the rows split. `rows`: user tag, events, addresses."""
    split, rows = UserRows(users=[]), list(rows)
    # A proxy that hides every address is no laptop: then nobody has a public one.
    public = any(value and value.startswith("ip:") and not private(value) for value, _, _ in rows)
    for value, events, addresses in rows:
        if not value:
            split.events_without += events
        elif is_not_user(value, not_users) or (public and private(value)):
            split.not_users += 1
            split.events_of_not_users += events
        else:
            split.users.append(
                UserShare(key=hashed(value), events=events, addresses=addresses or None)
            )
    return split


def shares(rows: Iterable[tuple[object, int]], *, empty: bool = False) -> tuple[Share, ...]:
    """Return events by name, joined, most first; those without a name only where `empty`."""
    by_name: dict[str, int] = {}
    for value, events in rows:
        name = "" if value is None else foreign(scrubbed(str(value)))
        if name or empty:
            by_name[name] = by_name.get(name, 0) + events
    return tuple(
        Share(name=name[:200], events=events)
        for name, events in sorted(by_name.items(), key=lambda x: (-x[1], x[0]))
    )
