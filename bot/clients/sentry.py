"""Sentry's API, as the phases ask it: https://docs.sentry.io/api/

Scopes of the token: org:read, project:read, event:read (https://docs.sentry.io/api/permissions/). Whatever names an end user
is counted or hashed here and goes no further.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from urllib.parse import quote

import httpx

from bot.clients.http import Http, HttpError, part
from bot.clients.sentry_apart import EVENTS, Apart, cursor, joined
from bot.clients.sentry_apart import after as following
from bot.clients.sentry_overload import passing
from bot.clients.sentry_picture import of_tables, of_tags, tried
from bot.clients.sentry_query import ERRORS, of, tag, tag_keys
from bot.clients.sentry_read import count_of, moment, number, read, read_numbers
from bot.clients.sentry_shapes import (
    DeployShape,
    EventShape,
    IssueShape,
    ProjectShape,
    ReleaseShape,
    RowsShape,
    ShortIdShape,
    StatsShape,
    TagDetailShape,
    TimeseriesShape,
    shares,
    utc,
)
from phases.ports import EventDetail, EventPicture, IssuePage, IssueRow, Minutes
from phases.report import DeploySeen, Share
from phases.service import Service

RELEASES = "project:read or project:releases"
PAGE = 100  # most rows a page: https://docs.sentry.io/api/pagination/
RELEASES_LOOKED_AT = 30
LOOKUPS = 6  # releases whose deploys are asked for one by one, beside the list
AGAIN = (0.15, 0.45)  # a triage asks in three rounds, and has 3 s with all that is asked again
LACKING = (403, 404, 405)  # a plan, or a Sentry, that has no such call
KNOWN_SECONDS = 600.0  # how long slugs, environments and the lack of Discover are remembered
INGESTION = timedelta(seconds=90)  # younger buckets may still grow (Sentry: api/endpoints/timeseries.py)
PER_ISSUE = 2  # issues whose tags are asked for where there is no Discover

T = TypeVar("T")
Pairs = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Known:
    """What was looked up once."""

    until: float
    projects: dict[str, ProjectShape]


class Sentry:
    """One organisation of one Sentry. `url` as `https://sentry.io`; `timeout` in seconds a call."""

    def __init__(self, url: str, org: str, token: str, *, timeout: float = 10.0) -> None:
        base = f"{url.rstrip('/')}/api/0/organizations/{quote(org, safe='')}"
        headers = {"Authorization": f"Bearer {token}"}
        self._http = Http("Sentry", base, headers, timeout=timeout, passing=passing, pauses=AGAIN)
        self._apart = Apart(self._http)
        self._lock = asyncio.Lock()
        self._known: Known | None = None
        self._environments: dict[tuple[str, ...], tuple[float, tuple[str, ...]]] = {}
        self._no_rows_until = 0.0
        self._stats_until = 0.0

    async def aclose(self) -> None:
        await self._http.aclose()

    async def warm(self, services: Sequence[Service]) -> None:
        """Looks up what every later call needs, so that the first triage need not. Raises `PortError`."""
        for service in services:
            await self._where([service])

    # --- issues ------------------------------------------------------------------------------------------------

    async def page(
        self, services: Sequence[Service], since: datetime, until: datetime, *, after: str | None = None
    ) -> IssuePage:
        """https://docs.sentry.io/api/events/list-an-organizations-issues/ ; a query without `is:` finds every status."""
        where = await self._where(services)
        if where is None:
            return IssuePage(rows=())
        params: Pairs = [*_span(since, until), ("query", ERRORS), ("sort", "freq"), ("limit", str(PAGE))]
        params += [("groupStatsPeriod", "24h")]
        answers = await self._apart.get("/issues/", where, params, every=self._every(), after=after)
        rows = [i.row(since) for answer in answers.values() for i in read(self._http, list[IssueShape], answer)]
        rows = sorted(rows, key=lambda row: -row.events) if len(answers) > 1 else rows
        return IssuePage(rows=tuple(rows), next=following(answers), since=self._since(services))

    async def new_issues(self, service: Service, release: str, since: datetime, until: datetime) -> Sequence[IssueRow]:
        where = await self._where([service])
        if where is None or until - since < timedelta(seconds=1):
            return ()
        name = service.release.sentry.replace("{version}", release).replace('"', "")
        params: Pairs = [*_span(since, until), ("query", f'{ERRORS} release:"{name}"')]
        params += [("sort", "new"), ("limit", str(PAGE))]
        answers = await self._apart.get("/issues/", where, params, every=self._every())
        rows = [i.row() for answer in answers.values() for i in read(self._http, list[IssueShape], answer)]
        return [r for r in rows if r.first_seen >= since]

    async def issue(self, id: str) -> IssueRow:
        """https://docs.sentry.io/api/events/retrieve-an-issue/"""
        answer = await self._http.get(f"/issues/{part(id, 'Sentry')}/", scope=EVENTS)
        return read(self._http, IssueShape, answer).row()

    async def by_short_id(self, short_id: str) -> IssueRow:
        """https://docs.sentry.io/api/organizations/resolve-a-short-id/"""
        answer = await self._http.get(f"/shortids/{part(short_id, 'Sentry')}/", scope=EVENTS)
        return read(self._http, ShortIdShape, answer).group.row()

    async def detail(self, service: Service, issue: str) -> EventDetail | None:
        """https://docs.sentry.io/api/events/retrieve-an-issue-event/"""
        where = await self._where([service])
        return await self._latest(issue, [pair for pair in where or [] if pair[0] == "environment"])

    async def elsewhere(self, service: Service, issue: str) -> str | None:
        """The environment that an issue burns in, where it does in none that counts; None: it does, or Sentry cannot tell."""
        found = await self.detail(service, issue) or await self._latest(issue, [])
        where = found.environment if found is not None else ""
        return where if where and where not in service.environments else None

    async def _latest(self, issue: str, params: Pairs) -> EventDetail | None:
        try:
            answer = await self._http.get(f"/issues/{part(issue, 'Sentry')}/events/latest/", params, scope=EVENTS)
        except HttpError as error:
            if error.status == 404:
                return None
            raise
        return read(self._http, EventShape, answer).detail()

    # --- events: rows and series -------------------------------------------------------------------------------

    async def per_minute(
        self, services: Sequence[Service], issues: Sequence[str], since: datetime, until: datetime
    ) -> Minutes:
        """https://docs.sentry.io/api/explore/query-explore-events-in-timeseries-format/ (milliseconds), else the older
        `events-stats/` (seconds), else nothing."""
        where = await self._where(services)
        if where is None:
            return Minutes()
        params: Pairs = [*_span(since, until), ("query", of(issues)), ("dataset", "errors")]
        params += [("yAxis", "count()"), ("interval", "1m")]
        if self._stats_until < time.monotonic():
            try:
                return self._series(await self._apart.get("/events-timeseries/", where, params, every=self._every()))
            except HttpError as error:
                if error.status is None:  # it is slow, or away: the older call would be the same
                    raise
                if not error.retryable:  # no such call here, or its answer is of another shape; else only this time
                    self._stats_until = time.monotonic() + KNOWN_SECONDS
        try:
            answers = await self._apart.get("/events-stats/", where, params, every=self._every())
        except HttpError as error:
            if error.status not in LACKING:
                raise
            return Minutes(known=False)
        found: dict[datetime, int] = {}
        for at, points in (
            row for answer in answers.values() for row in read(self._http, StatsShape, answer).data if row[1]
        ):
            found[_minute(at)] = found.get(_minute(at), 0) + int(points[0].count or 0)
        return Minutes(
            counts={at: n for at, n in found.items() if n},
            incomplete=tuple(at for at in found if at + timedelta(minutes=1) > until - INGESTION),
        )

    def _series(self, answers: Mapping[str, httpx.Response]) -> Minutes:
        series = [
            s for answer in answers.values() for s in read_numbers(self._http, TimeseriesShape, answer).timeSeries
        ]
        points = [p for s in series for p in s.values or ()]
        counts: dict[datetime, int] = {}
        for point in points:
            if value := point.get("value"):
                at = _minute(point["timestamp"] / 1000)
                counts[at] = counts.get(at, 0) + int(value)
        return Minutes(
            counts={at: n for at, n in counts.items() if n},
            incomplete=tuple(dict.fromkeys(_minute(p["timestamp"] / 1000) for p in points if p.get("incomplete"))),
            sampled=any(s.meta is not None and s.meta.dataScanned == "partial" for s in series),
        )

    async def first_event(
        self, services: Sequence[Service], issues: Sequence[str], since: datetime, until: datetime
    ) -> datetime | None:
        rows = await self._rows(services, since, until, ["min(timestamp)"], of(issues))
        value = next((r.get("min(timestamp)") for r in rows.data), None) if rows else None
        return moment(value) if value else None

    async def count(self, services: Sequence[Service], issues: Sequence[str], since: datetime, until: datetime) -> int:
        if not issues or until <= since:
            return 0
        rows = await self._rows(services, since, until, ["count()"], of(issues), anywhere=True)
        if rows is not None:
            if any(not isinstance(number(r.get("count()")), int) for r in rows.data):
                raise HttpError("Sentry", "Sentry answered in a shape that is not known (count())", retryable=False)
            return sum(count_of(r, "count()") for r in rows.data)
        wanted = set(issues)
        found, after = 0, None
        while True:
            page = await self.page(services, since, until, after=after)
            found += sum(r.events for r in page.rows if r.id in wanted)
            if (after := page.next) is None:
                return found

    async def releases(
        self, service: Service, issues: Sequence[str], since: datetime, until: datetime
    ) -> Sequence[Share]:
        rows = await self._rows([service], since, until, ["release", "count()"], of(issues), "-count()")
        return shares(((r.get("release"), count_of(r, "count()")) for r in rows.data), empty=True) if rows else ()

    async def addresses(self, service: Service, since: datetime, until: datetime) -> int | None:
        rows = await self._rows([service], since, until, ["count_unique(user.ip)"], "")
        return next((count_of(r, "count_unique(user.ip)") for r in rows.data), None) if rows else None

    async def picture(
        self, services: Sequence[Service], issues: Sequence[str], since: datetime, until: datetime
    ) -> EventPicture:
        """https://docs.sentry.io/api/explore/query-explore-events-in-table-format/ , four tables at once."""
        service, query = services[0], of(issues)
        region, org = tag(service.region_tag), tag(service.org_tag)
        most = "-count()"
        totals, people, transactions, places = await asyncio.gather(
            tried(
                self._rows(services, since, until, ["count()", "count_unique(user)", "count_unique(user.ip)"], query)
            ),
            tried(self._rows(services, since, until, ["user", "count()", "count_unique(user.ip)"], query, most)),
            tried(self._rows(services, since, until, ["transaction", "count()"], query, most)),
            tried(self._rows(services, since, until, [region, org, "count()"], query, most)),
        )
        if totals is None or people is None or transactions is None or places is None:
            return await self._per_issue(services, issues)
        return of_tables(service, totals, people, transactions, places, PAGE)

    async def _per_issue(self, services: Sequence[Service], issues: Sequence[str]) -> EventPicture:
        """Without Discover: the tags of the loudest issues."""
        loudest = issues[:PER_ISSUE]
        asked = [(i, k) for i in loudest for k in tag_keys(services[0])]
        answers = await asyncio.gather(*(tried(self._tag(i, k)) for i, k in asked))
        return of_tags(services[0], loudest, dict(zip(asked, answers, strict=True)))

    async def _tag(self, issue: str, key: str) -> TagDetailShape | None:
        path = f"/issues/{part(issue, 'Sentry')}/tags/{part(key, 'Sentry')}/"
        try:
            return read(self._http, TagDetailShape, await self._http.get(path, scope=EVENTS))
        except HttpError as error:
            if error.status == 404:
                return None
            raise

    async def _rows(
        self,
        services: Sequence[Service],
        since: datetime,
        until: datetime,
        fields: Sequence[str],
        query: str,
        sort: str | None = None,
        *,
        anywhere: bool = False,
    ) -> RowsShape | None:
        """A table of `events/`; None where this plan has no Discover (403, 404). `anywhere`: issues of neighbours, too."""
        if self._no_rows_until > time.monotonic():
            return None
        where = await self._where(services)
        if where is None or until <= since:
            return RowsShape(data=[])
        if anywhere:
            where = [("project", "-1"), *(pair for pair in where if pair[0] == "environment")]
        params: Pairs = [*_span(since, until), *(("field", f) for f in fields), ("dataset", "errors")]
        params += [("query", query), ("per_page", str(PAGE)), *([("sort", sort)] if sort else [])]
        try:
            answers = await self._apart.get("/events/", where, params, every=self._every(services))
            return joined([read(self._http, RowsShape, answer) for answer in answers.values()], sort)
        except HttpError as error:
            if error.status not in LACKING:
                raise
            self._no_rows_until = time.monotonic() + KNOWN_SECONDS
            return None

    # --- releases ----------------------------------------------------------------------------------------------

    async def deploys(self, services: Sequence[Service]) -> Sequence[DeploySeen]:
        """https://docs.sentry.io/api/releases/list-an-organizations-releases/ ; its `lastDeploy` may be of another
        environment, then the release's own list is asked."""
        where = await self._where(services)
        if where is None:
            return ()
        listed = await self._newest(where)
        counted = {e for s in services for e in s.environments}
        elsewhere = [r for r in listed if r.deployed_elsewhere(counted)]
        lists = await asyncio.gather(*(tried(self._deploys_of(r)) for r in elsewhere[:LOOKUPS]))
        more = {
            r.version: deploys
            for r, deploys in zip(elsewhere, lists, strict=False)
            if not isinstance(
                deploys, HttpError
            )  # gone meanwhile, an odd name: of that one nobody knows, the others stand
        }
        untold = {r.version for r in elsewhere} - more.keys()
        found = [
            seen
            for release in listed
            for service in services
            for seen in release.seen(
                service,
                more.get(release.version) or [d for d in [release.lastDeploy] if d],
                untold=release.version in untold,
            )
        ]
        return sorted(found, key=lambda d: d.started_at, reverse=True)

    async def _newest(self, where: Pairs) -> list[ReleaseShape]:
        """The newest releases, page by page: a page may hold less than was asked for (https://docs.sentry.io/api/pagination/)."""
        listed: list[ReleaseShape] = []
        more: str | None = None
        while True:
            params = [*where, ("per_page", str(RELEASES_LOOKED_AT)), *([("cursor", more)] if more else [])]
            answer = await self._http.get("/releases/", params, scope=RELEASES)
            page = read(self._http, list[ReleaseShape], answer)
            listed += page
            more = cursor(answer)
            if more is None or not page or len(listed) >= RELEASES_LOOKED_AT:
                return listed[:RELEASES_LOOKED_AT]

    async def release_names(self, service: Service) -> list[str]:
        """The newest releases as Sentry writes them (`firebreak doctor`)."""
        where = await self._where([service])
        answer = await self._http.get("/releases/", [*(where or []), ("per_page", "10")], scope=RELEASES)
        return [release.version for release in read(self._http, list[ReleaseShape], answer)]

    async def _deploys_of(self, release: ReleaseShape) -> list[DeployShape]:
        path = f"/releases/{part(release.version, 'Sentry')}/deploys/"
        return read(self._http, list[DeployShape], await self._http.get(path, scope=RELEASES))

    # --- where: projects and environments ----------------------------------------------------------------------

    async def _where(self, services: Sequence[Service]) -> Pairs | None:
        """`project` and `environment` parameters; None where none of the environments has ever been seen.

        Raises `PortError`, too where a project of the first service is not there.
        """
        async with self._lock:
            if self._known is None or self._known.until < time.monotonic():
                self._known = Known(time.monotonic() + KNOWN_SECONDS, await self._projects())
            known = self._known.projects
            environments = await self._seen_environments(services[0].environments, self._every(services)[:1])
        slugs = [slug for s in services for slug in s.sentry] if services[0].sentry else []
        missing = [slug for slug in services[0].sentry if slug not in known]
        if missing:
            raise HttpError(
                "Sentry", f"Sentry has no project {', '.join(missing)}, or our token may not see it", retryable=False
            )
        projects = [known[slug].id for slug in slugs if slug in known] or ["-1"]
        if not environments:
            return None
        return [*(("project", p) for p in projects), *(("environment", e) for e in environments)]

    def _every(self, services: Sequence[Service] = ()) -> list[str]:
        """Every project, those of `services` first."""
        known = self._known.projects if self._known else {}
        first = [slug for s in services for slug in s.sentry if slug in known]
        return [known[slug].id for slug in dict.fromkeys((*first, *known))]

    async def _projects(self) -> dict[str, ProjectShape]:
        """https://docs.sentry.io/api/organizations/list-an-organizations-projects/"""
        found: dict[str, ProjectShape] = {}
        more: str | None = None
        while True:
            params = {"per_page": PAGE, "cursor": more}
            answer = await self._http.get("/projects/", params, scope="org:read or project:read")
            found |= {p.slug: p for p in read(self._http, list[ProjectShape], answer)}
            if (more := cursor(answer)) is None:
                return found

    async def _seen_environments(self, wanted: tuple[str, ...], project: Sequence[str]) -> tuple[str, ...]:
        """Those the organisation knows; an event without an environment counts as the first, and is asked for as ``.

        Any one project does (several at once are not in every plan). Sentry answers 404 where one of them was never seen
        (https://github.com/getsentry/sentry/blob/master/src/sentry/api/helpers/environments.py).
        """
        until, seen = self._environments.get(wanted, (0.0, ()))
        if until > time.monotonic():
            return seen
        for some in dict.fromkeys(((*wanted, ""), wanted, ("", *wanted[:1]), wanted[:1], ("",))):
            params: Pairs = [("project", p) for p in project or ("-1",)]
            params += [*(("environment", e) for e in some), ("statsPeriod", "1h")]
            try:
                await self._http.get("/issues/", [*params, ("query", ERRORS), ("limit", "1")], scope=EVENTS)
            except HttpError as error:
                if error.status == 404:
                    continue
                raise
            self._environments[wanted] = (time.monotonic() + KNOWN_SECONDS, some)
            return some
        return ()

    def _since(self, services: Sequence[Service]) -> datetime | None:
        known = self._known.projects if self._known else {}
        made = [known[slug].dateCreated for slug in services[0].sentry if slug in known]
        return min((utc(at) for at in made if at is not None), default=None)


def _span(since: datetime, until: datetime) -> Pairs:
    """https://docs.sentry.io/api/explore/ : ISO 8601 in UTC, without a zone."""
    return [("start", f"{utc(since):%Y-%m-%dT%H:%M:%S.%f}"), ("end", f"{utc(until):%Y-%m-%dT%H:%M:%S.%f}")]


def _minute(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds // 60 * 60, UTC)
