"""Sentry's API, as the phases ask it: https://docs.sentry.io/api/

Scopes of the token: org:read, project:read, event:read (https://docs.sentry.io/api/permissions/). Whatever names an end user
is counted or hashed here and goes no further.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import httpx

from bot.clients.http.client import Http, HttpError, part
from bot.clients.sentry import releases as sentry_releases
from bot.clients.sentry.blast_radius import of_some, of_tables, of_tags, tried
from bot.clients.sentry.event import EventShape
from bot.clients.sentry.glitchtip import REFUSED, GlitchTip, cannot_count
from bot.clients.sentry.models import (
    DeployShape,
    IssueShape,
    ReleaseShape,
    RowsShape,
    ShortIdShape,
    StatsShape,
    TagDetailShape,
    TimeseriesShape,
    shares,
    utc,
)
from bot.clients.sentry.overload import passing
from bot.clients.sentry.parsing import count_of, moment, number, read, read_numbers, untold
from bot.clients.sentry.projects import EVENTS, Apart, cursor, joined
from bot.clients.sentry.projects import after as following
from bot.clients.sentry.query import ERRORS, of, tag, tag_keys
from bot.clients.sentry.scope import KNOWN_SECONDS, PAGE, Pairs, Places
from phases.ports.tracker_values import EventDetail, EventPicture, IssuePage, IssueRow, Minutes
from phases.record.findings import DeploySeen, Share
from phases.record.service import Service

RELEASES_LOOKED_AT = 30
LOOKUPS = 6  # releases whose deploys are asked for one by one, beside the list
AGAIN = (0.15, 0.45)  # a triage asks in three rounds, and has 3 s with all that is asked again
OLDER = "discover"
LACKING = (403, 404, 405)  # a plan, or a Sentry, that has no such call
INGESTION = timedelta(
    seconds=90
)  # younger buckets may still grow (Sentry: api/endpoints/timeseries.py)
PER_ISSUE = 3  # issues whose tags are asked for where there is no Discover


class Sentry:
    """One organisation of one Sentry. `url` as `https://sentry.io`; `timeout` in seconds a call."""

    def __init__(self, url: str, org: str, token: str, *, timeout: float = 10.0) -> None:
        base = f"{url.rstrip('/')}/api/0/organizations/{quote(org, safe='')}"
        headers = {"Authorization": f"Bearer {token}"}
        self._http = Http("Sentry", base, headers, timeout=timeout, passing=passing, pauses=AGAIN)
        site = f"{url.rstrip('/')}/api/0"
        self._site = Http("Sentry", site, headers, timeout=timeout, passing=passing, pauses=AGAIN)
        self._glitchtip = GlitchTip(self._http, self._site)
        self._glitchtip_until = 0.0
        self._dataset = "errors"
        self._apart = Apart(self._http)
        self._places = Places(self._http)
        self._no_rows_until = 0.0
        self._stats_until = 0.0
        self.lacking: dict[str, int] = {}
        """Calls that this Sentry has not, or not for us, with the status of its answer."""

    async def aclose(self) -> None:
        await self._http.aclose()
        await self._site.aclose()

    @property
    def glitchtip(self) -> bool:
        """Whether the other side turned out to be GlitchTip."""
        return self._glitchtip_until > time.monotonic()

    def _is_glitchtip(self, error: HttpError) -> bool:
        """Return whether an error is GlitchTip's refusal of an order; that is remembered."""
        if error.status == REFUSED:
            self._glitchtip_until = time.monotonic() + KNOWN_SECONDS
        return error.status == REFUSED

    async def warm(self, services: Sequence[Service]) -> None:
        """Looks up what every later call needs, so that the first triage need not. Raises `PortError`."""
        for service in services:
            await self._places.where([service])

    # --- issues ------------------------------------------------------------------------------------------------

    async def page(
        self,
        services: Sequence[Service],
        since: datetime,
        until: datetime,
        *,
        after: str | None = None,
    ) -> IssuePage:
        """https://docs.sentry.io/api/events/list-an-organizations-issues/ ; a query without `is:` finds every status."""
        where = await self._places.where(services)
        if where is None:
            return IssuePage(rows=(), missing=await self._places.unseen(services))
        params: Pairs = [
            *_span(since, until),
            ("query", ERRORS),
            ("sort", "freq"),
            ("limit", str(PAGE)),
        ]
        params += [("groupStatsPeriod", "24h")]
        try:
            if self.glitchtip:
                return await self._glitchtip.page(where, since, after)
            answers, lost = await self._apart.some(
                "/issues/", where, params, every=self._places.every(), after=after
            )
        except HttpError as error:
            if self.glitchtip or not self._is_glitchtip(error):
                raise
            return await self._glitchtip.page(where, since, after)
        rows = [
            i.row(since)
            for answer in answers.values()
            for i in read(self._http, list[IssueShape], answer)
        ]
        rows = sorted(rows, key=lambda row: -row.events) if len(answers) > 1 else rows
        page = IssuePage(
            rows=tuple(rows), next=following(answers), since=self._places.since(services)
        )
        if not lost:
            return page
        return page.model_copy(
            update={"missing": lost[0].text, "passing": any(one.retryable for one in lost)}
        )

    async def new_issues(
        self, service: Service, release: str, since: datetime, until: datetime
    ) -> Sequence[IssueRow]:
        where = await self._places.where([service])
        if where is None or until - since < timedelta(seconds=1):
            return ()
        name = service.release.in_sentry(release)
        try:
            if self.glitchtip:
                return await self._glitchtip.new_issues(where, name, since, until)
            named = await sentry_releases.asked_by(self._http, service, where, release)
            if named is None:
                return ()
            params: Pairs = [*_span(since, until), ("query", f"{ERRORS} {named}")]
            params += [("sort", "new"), ("limit", str(PAGE))]
            answers = await self._apart.get("/issues/", where, params, every=self._places.every())
        except HttpError as error:
            if self.glitchtip or not self._is_glitchtip(error):
                raise
            return await self._glitchtip.new_issues(where, name, since, until)
        rows = [
            i.row()
            for answer in answers.values()
            for i in read(self._http, list[IssueShape], answer)
        ]
        return [r for r in rows if r.first_seen >= since]

    async def issue(self, id: str) -> IssueRow:
        """https://docs.sentry.io/api/events/retrieve-an-issue/"""
        if self.glitchtip:
            return await self._glitchtip.issue(id)
        answer = await self._http.get(f"/issues/{part(id, 'Sentry')}/", scope=EVENTS)
        return read(self._http, IssueShape, answer).row()

    async def by_short_id(self, short_id: str) -> IssueRow:
        """https://docs.sentry.io/api/organizations/resolve-a-short-id/"""
        answer = await self._http.get(f"/shortids/{part(short_id, 'Sentry')}/", scope=EVENTS)
        return read(self._http, ShortIdShape, answer).group.row()

    async def detail(self, service: Service, issue: str) -> EventDetail | None:
        """https://docs.sentry.io/api/events/retrieve-an-issue-event/"""
        where = await self._places.where([service])
        return await self._latest(issue, [pair for pair in where or [] if pair[0] == "environment"])

    async def elsewhere(self, service: Service, issue: str) -> str | None:
        """The environment that an issue burns in, where it does in none that counts; None: it does, or Sentry cannot tell."""
        found = await self.detail(service, issue) or await self._latest(issue, [])
        where = found.environment if found is not None else ""
        return where if where and where not in service.environments else None

    async def _latest(self, issue: str, params: Pairs) -> EventDetail | None:
        if self.glitchtip:
            return await self._glitchtip.latest(issue)
        try:
            answer = await self._http.get(
                f"/issues/{part(issue, 'Sentry')}/events/latest/", params, scope=EVENTS
            )
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
        where = await self._places.where(services)
        if where is None:
            return Minutes()
        params: Pairs = [
            *_span(since, until),
            ("query", of(issues)),
            ("yAxis", "count()"),
            ("interval", "1m"),
        ]
        if self._stats_until < time.monotonic():
            try:
                return self._series(await self._of_errors("/events-timeseries/", where, params))
            except HttpError as error:
                if error.status is None:  # it is slow, or away: the older call would be the same
                    raise
                if (
                    not error.retryable
                ):  # no such call here, or its answer is of another shape; else only this time
                    self._stats_until = time.monotonic() + KNOWN_SECONDS
        try:
            answers = await self._of_errors("/events-stats/", where, params)
        except HttpError as error:
            if error.status not in LACKING:
                raise
            self.lacking["events-stats/"] = error.status
            return Minutes(known=False)
        found: dict[datetime, int] = {}
        for at, points in (
            row
            for answer in answers.values()
            for row in read(self._http, StatsShape, answer).data
            if row[1]
        ):
            found[_minute(at)] = found.get(_minute(at), 0) + int(points[0].count or 0)
        return Minutes(
            counts={at: n for at, n in found.items() if n},
            incomplete=tuple(at for at in found if at + timedelta(minutes=1) > until - INGESTION),
        )

    def _series(self, answers: Mapping[str, httpx.Response]) -> Minutes:
        series = [
            s
            for answer in answers.values()
            for s in read_numbers(self._http, TimeseriesShape, answer).timeSeries
        ]
        points = [p for s in series for p in s.values or ()]
        counts: dict[datetime, int] = {}
        for point in points:
            if value := point.get("value"):
                at = _minute(point["timestamp"] / 1000)
                counts[at] = counts.get(at, 0) + int(value)
        return Minutes(
            counts={at: n for at, n in counts.items() if n},
            incomplete=tuple(
                dict.fromkeys(_minute(p["timestamp"] / 1000) for p in points if p.get("incomplete"))
            ),
            sampled=any(s.meta is not None and s.meta.dataScanned == "partial" for s in series),
        )

    async def first_event(
        self, services: Sequence[Service], issues: Sequence[str], since: datetime, until: datetime
    ) -> datetime | None:
        rows = await self._rows(services, since, until, ["min(timestamp)"], of(issues))
        value = next((r.get("min(timestamp)") for r in rows.data), None) if rows else None
        return moment(value) if value else None

    async def count(
        self, services: Sequence[Service], issues: Sequence[str], since: datetime, until: datetime
    ) -> int:
        if not issues or until <= since:
            return 0
        rows = await self._rows(services, since, until, ["count()"], of(issues), anywhere=True)
        if rows is not None:
            if await self._places.where(services) is None:
                return 0
            # A count of nothing is a row with zero.
            if not rows.data or any(number(r.get("count()")) is None for r in rows.data):
                raise untold("count()")
            return sum(count_of(r, "count()") for r in rows.data)
        wanted = set(issues)
        found, after = 0, None
        while True:
            page = await self.page(services, since, until, after=after)
            if self.glitchtip:
                raise cannot_count()
            if page.missing:  # a part of the projects would be too mild a count
                raise HttpError("Sentry", page.missing, retryable=page.passing)
            found += sum(r.events for r in page.rows if r.id in wanted)
            if (after := page.next) is None:
                return found

    async def releases(
        self, service: Service, issues: Sequence[str], since: datetime, until: datetime
    ) -> Sequence[Share]:
        rows = await self._rows(
            [service], since, until, ["release", "count()"], of(issues), "-count()"
        )
        if rows is not None and any(number(r.get("count()")) is None for r in rows.data):
            raise untold("count()")
        return (
            shares(((r.get("release"), count_of(r, "count()")) for r in rows.data), empty=True)
            if rows
            else ()
        )

    async def addresses(self, service: Service, since: datetime, until: datetime) -> int | None:
        rows = await self._rows([service], since, until, ["count_unique(user.ip)"], "")
        return (
            next((count_of(r, "count_unique(user.ip)") for r in rows.data), None) if rows else None
        )

    async def picture(
        self, services: Sequence[Service], issues: Sequence[str], since: datetime, until: datetime
    ) -> EventPicture:
        """https://docs.sentry.io/api/explore/query-explore-events-in-table-format/ , four tables at once."""
        service, query = services[0], of(issues)
        region, org = tag(service.region_tag), tag(service.org_tag)
        most = "-count()"
        totals, people, transactions, places = await asyncio.gather(
            tried(
                self._rows(
                    services,
                    since,
                    until,
                    ["count()", "count_unique(user)", "count_unique(user.ip)"],
                    query,
                )
            ),
            tried(
                self._rows(
                    services,
                    since,
                    until,
                    ["user", "count()", "count_unique(user.ip)"],
                    query,
                    most,
                )
            ),
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
        found = of_tags(services[0], loudest, dict(zip(asked, answers, strict=True)))
        return found if len(issues) <= PER_ISSUE else of_some(found, len(issues) - PER_ISSUE)

    async def _tag(self, issue: str, key: str) -> TagDetailShape | None:
        if self.glitchtip:
            return await self._glitchtip.tag(issue, key)
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
        where = await self._places.where(services)
        if where is None or until <= since:
            return RowsShape(data=[])
        if anywhere:
            where = [("project", "-1"), *(pair for pair in where if pair[0] == "environment")]
        params: Pairs = [*_span(since, until), *(("field", f) for f in fields)]
        params += [("query", query), ("per_page", str(PAGE)), *([("sort", sort)] if sort else [])]
        try:
            answers = await self._of_errors("/events/", where, params, services)
            return joined(
                [read(self._http, RowsShape, answer) for answer in answers.values()], sort
            )
        except HttpError as error:
            if error.status not in LACKING:
                raise
            self.lacking["events/"] = error.status
            self._no_rows_until = time.monotonic() + KNOWN_SECONDS
            return None

    async def _of_errors(
        self, path: str, where: Pairs, params: Pairs, services: Sequence[Service] = ()
    ) -> dict[str, httpx.Response]:
        """Ask the data set of errors; an older self-hosted Sentry has these in `discover` only."""
        try:
            asked = [*params, ("dataset", self._dataset)]
            return await self._apart.get(path, where, asked, every=self._places.every(services))
        except HttpError as error:
            if error.status != 400 or "dataset" not in error.said or self._dataset == OLDER:
                raise
            answers = await self._apart.get(
                path, where, [*params, ("dataset", OLDER)], every=self._places.every(services)
            )
            self._dataset = OLDER
            return answers

    # --- releases ----------------------------------------------------------------------------------------------

    async def deploys(self, services: Sequence[Service]) -> Sequence[DeploySeen]:
        """https://docs.sentry.io/api/releases/list-an-organizations-releases/ ; its `lastDeploy` may be of another
        environment, then the release's own list is asked."""
        where = await self._places.where(services)
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
        untold = {r.version for r in elsewhere[:LOOKUPS]} - more.keys()
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
            params = [
                *where,
                ("per_page", str(RELEASES_LOOKED_AT)),
                *([("cursor", more)] if more else []),
            ]
            answer = await self._http.get("/releases/", params, scope=sentry_releases.SCOPE)
            page = read(self._http, list[ReleaseShape], answer)
            listed += page
            more = cursor(answer)
            if more is None or not page or len(listed) >= RELEASES_LOOKED_AT:
                return listed[:RELEASES_LOOKED_AT]

    async def release_names(self, service: Service) -> list[str]:
        """The newest releases as Sentry writes them (`firebreak doctor`)."""
        return await sentry_releases.newest(self._http, await self._places.where([service]) or [])

    async def names_of(self, service: Service, release: str) -> Sequence[str]:
        where = await self._places.where([service]) or []
        return await sentry_releases.names_of(self._http, service, where, release)

    async def _deploys_of(self, release: ReleaseShape) -> list[DeployShape]:
        path = f"/releases/{part(release.version, 'Sentry')}/deploys/"
        return read(
            self._http, list[DeployShape], await self._http.get(path, scope=sentry_releases.SCOPE)
        )


def _span(since: datetime, until: datetime) -> Pairs:
    """https://docs.sentry.io/api/explore/ : ISO 8601 in UTC, without a zone."""
    return [
        ("start", f"{utc(since):%Y-%m-%dT%H:%M:%S.%f}"),
        ("end", f"{utc(until):%Y-%m-%dT%H:%M:%S.%f}"),
    ]


def _minute(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds // 60 * 60, UTC)
