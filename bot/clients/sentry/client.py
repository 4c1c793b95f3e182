"""Sentry's API, as the phases ask it: https://docs.sentry.io/api/

Scopes of the token: org:read, project:read, event:read (https://docs.sentry.io/api/permissions/).
Whatever names an end user is counted or hashed here and goes no further.
"""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from urllib.parse import quote

import httpx

from bot.clients.cache import Cache
from bot.clients.http.errors import HttpError
from bot.clients.sentry.blast_radius import (
    TOTALS,
    Tables,
    of_others,
    of_some,
    of_tables,
    of_tags,
    place_fields,
    tag_keys,
    tried,
)
from bot.clients.sentry.event import EventShape
from bot.clients.sentry.flags import SentryFlags
from bot.clients.sentry.glitchtip import REFUSED, GlitchTip, cannot_count
from bot.clients.sentry.http import (
    EVENTS,
    KNOWN_SECONDS,
    PAGE,
    Pairs,
    SentryHttp,
    path_part,
    span_params,
)
from bot.clients.sentry.laptops import NO_LAPTOPS
from bot.clients.sentry.models import (
    IssueShape,
    RowsShape,
    ShortIdShape,
    TagDetailShape,
    count_of,
    moment,
    number,
    shares,
    without_count,
)
from bot.clients.sentry.projects import ProjectQueries, Projects, joined, next_page
from bot.clients.sentry.releases import Releases
from bot.clients.sentry.resolver import SentryIssues
from bot.clients.sentry.series import of_stats, of_timeseries
from bot.clients.sentry.traffic import Traces
from phases.ports.tracker_values import (
    EventDetail,
    EventPicture,
    IssuePage,
    IssueRow,
    Minutes,
    OtherErrors,
)
from phases.record.findings import DeploySeen, Share
from phases.record.service import Service
from phases.triage.picture.fire import MINUTE, STEP

OLDER = "discover"
LACKING = (403, 404, 405)  # of a plan, or of a Sentry, that has no such call
PER_ISSUE = 3  # issues whose tags are asked for where there is no Discover
ERRORS = "level:[error,fatal]"
"""https://docs.sentry.io/concepts/search/"""


class Sentry:
    """One organisation at `url` (`https://sentry.io`). Methods raise `PortError`."""

    def __init__(self, url: str, org: str, token: str, *, timeout: float = 10.0) -> None:
        url, org = url.rstrip("/"), quote(org, safe="")
        self._page_url = f"{url}/organizations/{org}"
        site = f"{url}/api/0"
        self._http = SentryHttp(f"{site}/organizations/{org}", token, timeout=timeout)
        self._site = SentryHttp(site, token, timeout=timeout)
        self._glitchtip = GlitchTip(self._http, self._site)
        self._dataset = "errors"
        self._projects = Projects(self._http)
        self._queries = ProjectQueries(self._http, self._projects)
        self._releases = Releases(self._http)
        self.flags = SentryFlags(self._http, self._queries, self._projects, self._page_url)
        traces = Traces(self._http, self._projects, self._queries)
        self.traffic, self.traffic_around = traces.seen, traces.around
        self.clock_ahead = self._http.clock_ahead
        self._remembered = Cache[str, bool](seconds=KNOWN_SECONDS)
        """`glitchtip`: the other side is GlitchTip. A path: this Sentry lacks the call."""
        self.lacking: dict[str, int] = {}
        """Calls that this Sentry has not, or not for us, with the status of its answer."""

    async def aclose(self) -> None:
        await self._http.aclose()
        await self._site.aclose()

    def issues(self) -> SentryIssues:
        """Return the part that sets issues to resolved."""
        return SentryIssues(self._http, self._page_url)

    @property
    def glitchtip(self) -> bool:
        """Return whether the other side turned out to be GlitchTip."""
        return "glitchtip" in self._remembered

    def _is_glitchtip(self, error: HttpError) -> bool:
        """Return whether an error is GlitchTip's refusal of an order; that is remembered."""
        if error.status == REFUSED:
            self._remembered["glitchtip"] = True
        return error.status == REFUSED

    async def warm(self, services: Sequence[Service]) -> None:
        """Look up what every later call needs, so that the first triage need not."""
        for service in services:
            await self._projects.where([service])
        await self.flags.warm()

    # --- issues ----------------------------------------------------------------------------------

    async def page(
        self,
        services: Sequence[Service],
        since: datetime,
        until: datetime,
        *,
        after: str | None = None,
    ) -> IssuePage:
        """Return the loudest issues of a span. A query without `is:` finds every status.

        https://docs.sentry.io/api/events/list-an-organizations-issues/
        """
        where = await self._projects.where(services)
        if where is None:
            return IssuePage(rows=(), missing=await self._projects.why_nothing(services))
        params: Pairs = [*span_params(since, until), ("query", ERRORS), ("sort", "freq")]
        params += [("limit", str(PAGE)), ("groupStatsPeriod", "24h")]
        try:
            if self.glitchtip:
                return await self._glitchtip.page(where, since, after)
            answers, errors = await self._queries.get_some(
                "/issues/", where, params, every=self._projects.ids(), after=after
            )
        except HttpError as error:
            if self.glitchtip or not self._is_glitchtip(error):
                raise
            return await self._glitchtip.page(where, since, after)
        rows = [issue.row(since) for issue in self._issues_in(answers)]
        rows = sorted(rows, key=lambda row: -row.events) if len(answers) > 1 else rows
        return IssuePage(
            rows=tuple(rows),
            next=next_page(answers),
            since=self._projects.since(services),
            missing=errors[0].text if errors else self._projects.left_out(services),
            passing=any(error.retryable for error in errors),
        )

    def _issues_in(self, answers: Mapping[str, httpx.Response]) -> list[IssueShape]:
        pages = [self._http.read(list[IssueShape], answer) for answer in answers.values()]
        return [issue for page in pages for issue in page]

    async def new_issues(
        self, service: Service, release: str, since: datetime, until: datetime
    ) -> Sequence[IssueRow]:
        where = await self._projects.where([service])
        if where is None or until - since < timedelta(seconds=1):
            return ()
        name = service.release.in_sentry(release)
        try:
            if self.glitchtip:
                return await self._glitchtip.new_issues(where, name, since, until)
            term = await self._releases.search_term(service, where, release)
            if term is None:
                return ()
            params: Pairs = [*span_params(since, until), ("query", f"{ERRORS} {term}")]
            params += [("sort", "new"), ("limit", str(PAGE))]
            answers = await self._queries.get("/issues/", where, params, every=self._projects.ids())
        except HttpError as error:
            if self.glitchtip or not self._is_glitchtip(error):
                raise
            return await self._glitchtip.new_issues(where, name, since, until)
        rows = [issue.row() for issue in self._issues_in(answers)]
        return [row for row in rows if row.first_seen >= since]

    async def issue(self, id: str) -> IssueRow:
        """https://docs.sentry.io/api/events/retrieve-an-issue/"""
        if self.glitchtip:
            return await self._glitchtip.issue(id)
        answer = await self._http.get(f"/issues/{path_part(id)}/", scope=EVENTS)
        return self._http.read(IssueShape, answer).row()

    async def by_short_id(self, short_id: str) -> IssueRow:
        """https://docs.sentry.io/api/organizations/resolve-a-short-id/"""
        answer = await self._http.get(f"/shortids/{path_part(short_id)}/", scope=EVENTS)
        return self._http.read(ShortIdShape, answer).group.row()

    async def detail(self, service: Service, issue: str) -> EventDetail | None:
        """https://docs.sentry.io/api/events/retrieve-an-issue-event/"""
        where = await self._projects.where([service])
        return await self._latest(issue, [pair for pair in where or [] if pair[0] == "environment"])

    async def elsewhere(self, service: Service, issue: str) -> str | None:
        """Return the environment that an issue burns in, where it does in none that counts.

        None: it does in one that counts, or Sentry cannot tell.
        """
        event = await self.detail(service, issue) or await self._latest(issue, [])
        where = event.environment if event is not None else ""
        return where if where and where not in service.environments else None

    async def _latest(self, issue: str, params: Pairs) -> EventDetail | None:
        if self.glitchtip:
            return await self._glitchtip.latest(issue)
        path = f"/issues/{path_part(issue)}/events/latest/"
        answer = await self._http.get_or_none(path, params)
        return None if answer is None else self._http.read(EventShape, answer).detail()

    # --- events: rows and series -----------------------------------------------------------------

    async def per_minute(
        self, services: Sequence[Service], issues: Sequence[str], since: datetime, until: datetime
    ) -> Minutes:
        return await self._counts(services, of_issues(issues), (since, until), MINUTE)

    async def history(
        self, services: Sequence[Service], since: datetime, until: datetime
    ) -> Minutes:
        return await self._counts(services, ERRORS, (since, until), STEP)

    async def _counts(
        self,
        services: Sequence[Service],
        query: str,
        span: tuple[datetime, datetime],
        interval: timedelta,
    ) -> Minutes:
        """Return the events of each interval.

        https://docs.sentry.io/api/explore/query-explore-events-in-timeseries-format/ has
        milliseconds; else the older `events-stats/` has seconds; else nothing is known.
        """
        where = await self._projects.where(services)
        if where is None:
            return Minutes()
        params: Pairs = [*span_params(*span), ("query", query), ("yAxis", "count()")]
        params += [("interval", f"{interval // MINUTE}m")]
        if "/events-timeseries/" not in self._remembered:
            try:
                answers = await self._of_errors("/events-timeseries/", where, params)
                return of_timeseries(self._http, answers)
            except HttpError as error:
                if error.status is None:  # it is slow, or away: the older call would be the same
                    raise
                if not error.retryable:  # no such call here, or an answer of another shape
                    self._remembered["/events-timeseries/"] = True
        if "/events-stats/" in self._remembered:
            return Minutes(known=False)
        try:
            answers = await self._of_errors("/events-stats/", where, params)
        except HttpError as error:
            if error.status not in LACKING:
                raise
            self.lacking["events-stats/"] = error.status
            self._remembered["/events-stats/"] = True
            return Minutes(known=False)
        return of_stats(self._http, answers, interval, span[1])

    async def first_event(
        self, services: Sequence[Service], issues: Sequence[str], since: datetime, until: datetime
    ) -> datetime | None:
        rows = await self._event_table(
            services, (since, until), ["min(timestamp)"], of_issues(issues)
        )
        value = next((r.get("min(timestamp)") for r in rows.data), None) if rows else None
        return moment(value) if value else None

    async def count(
        self, services: Sequence[Service], issues: Sequence[str], since: datetime, until: datetime
    ) -> int:
        if not issues or until <= since:
            return 0
        rows = await self._event_table(
            services, (since, until), ["count()"], of_issues(issues), anywhere=True
        )
        if rows is not None:
            if await self._projects.where(services) is None:
                return 0
            # A count of nothing is a row with zero.
            if not rows.data or any(number(r.get("count()")) is None for r in rows.data):
                raise without_count()
            return sum(count_of(r, "count()") for r in rows.data)
        wanted = set(issues)
        events, after = 0, None
        while True:
            page = await self.page(services, since, until, after=after)
            if self.glitchtip:
                raise cannot_count()
            if page.missing:  # a part of the projects would be too mild a count
                raise HttpError("Sentry", page.missing, retryable=page.passing)
            events += sum(row.events for row in page.rows if row.id in wanted)
            if (after := page.next) is None:
                return events

    async def releases(
        self, service: Service, issues: Sequence[str], since: datetime, until: datetime
    ) -> Sequence[Share]:
        rows = await self._event_table(
            [service], (since, until), ["release", "count()"], of_issues(issues), "-count()"
        )
        if rows is not None and any(number(r.get("count()")) is None for r in rows.data):
            raise without_count()
        return (
            shares(((r.get("release"), count_of(r, "count()")) for r in rows.data), empty=True)
            if rows
            else ()
        )

    async def transactions(
        self, services: Sequence[Service], since: datetime, until: datetime
    ) -> Sequence[Share] | None:
        rows = await self._event_table(
            services, (since, until), ["transaction", "count()"], ERRORS, "-count()"
        )
        if rows is None:
            return None
        if any(number(r.get("count()")) is None for r in rows.data):
            raise without_count()
        return shares((r.get("transaction"), count_of(r, "count()")) for r in rows.data)

    async def addresses(self, service: Service, since: datetime, until: datetime) -> int | None:
        rows = await self._event_table([service], (since, until), ["count_unique(user.ip)"], "")
        counts = (count_of(r, "count_unique(user.ip)") for r in (rows.data if rows else ()))
        return next(counts, None)

    async def others(
        self, service: Service, issues: Sequence[str], since: datetime, until: datetime
    ) -> OtherErrors:
        fields, query = (*place_fields(service), "count()"), f"{ERRORS} !{of_issues(issues)}"
        rows = await self._event_table([service], (since, until), fields, query, "-count()")
        return of_others(service, rows.data) if rows else OtherErrors()

    async def picture(
        self, services: Sequence[Service], issues: Sequence[str], since: datetime, until: datetime
    ) -> EventPicture:
        """Return who is hit, from four tables at once.

        https://docs.sentry.io/api/explore/query-explore-events-in-table-format/
        """
        query, most = f"{of_issues(issues)} {NO_LAPTOPS}", "-count()"

        def table(*fields: str, sort: str | None = most) -> Awaitable[RowsShape | HttpError | None]:
            return tried(self._event_table(services, (since, until), fields, query, sort))

        totals, people, transactions, places = await asyncio.gather(
            table(*TOTALS, sort=None),
            table("user", "count()", "count_unique(user.ip)"),
            table("transaction", "count()", "count_unique(user)"),
            table(*place_fields(services[0]), "count()"),
        )
        if totals is None or people is None or transactions is None or places is None:
            return await self._per_issue(services, issues)
        return of_tables(services[0], Tables(totals, people, transactions, places, PAGE))

    async def _per_issue(self, services: Sequence[Service], issues: Sequence[str]) -> EventPicture:
        """Return the picture without Discover, from the tags of the loudest issues."""
        loudest = issues[:PER_ISSUE]
        asked = [(i, k) for i in loudest for k in tag_keys(services[0])]
        answers = await asyncio.gather(*(tried(self._tag(i, k)) for i, k in asked))
        picture = of_tags(services[0], loudest, dict(zip(asked, answers, strict=True)))
        return picture if len(issues) <= PER_ISSUE else of_some(picture, len(issues) - PER_ISSUE)

    async def _tag(self, issue: str, key: str) -> TagDetailShape | None:
        if self.glitchtip:
            return await self._glitchtip.tag(issue, key)
        path = f"/issues/{path_part(issue)}/tags/{path_part(key)}/"
        answer = await self._http.get_or_none(path)
        return None if answer is None else self._http.read(TagDetailShape, answer)

    async def _event_table(
        self,
        services: Sequence[Service],
        span: tuple[datetime, datetime],
        fields: Sequence[str],
        query: str,
        sort: str | None = None,
        *,
        anywhere: bool = False,
    ) -> RowsShape | None:
        """Return a table of `events/`, or None where this plan has no Discover (403, 404).

        `anywhere`: issues of neighbours, too.
        """
        if "/events/" in self._remembered:
            return None
        where = await self._projects.where(services)
        if where is None or span[1] <= span[0]:
            return RowsShape(data=[])
        if anywhere:
            where = [("project", "-1"), *(pair for pair in where if pair[0] == "environment")]
        params: Pairs = [*span_params(*span), *(("field", f) for f in fields)]
        params += [("query", query), ("per_page", str(PAGE)), *([("sort", sort)] if sort else [])]
        try:
            answers = await self._of_errors("/events/", where, params, services)
            return joined([self._http.read(RowsShape, answer) for answer in answers.values()], sort)
        except HttpError as error:
            if error.status not in LACKING:
                raise
            self.lacking["events/"] = error.status
            self._remembered["/events/"] = True
            return None

    async def _of_errors(
        self, path: str, where: Pairs, params: Pairs, services: Sequence[Service] = ()
    ) -> dict[str, httpx.Response]:
        """Ask the data set of errors; an older self-hosted Sentry has these in `discover` only."""
        try:
            asked = [*params, ("dataset", self._dataset)]
            return await self._queries.get(path, where, asked, every=self._projects.ids(services))
        except HttpError as error:
            if error.status != 400 or "dataset" not in error.said or self._dataset == OLDER:
                raise
            answers = await self._queries.get(
                path, where, [*params, ("dataset", OLDER)], every=self._projects.ids(services)
            )
            self._dataset = OLDER
            return answers

    # --- releases --------------------------------------------------------------------------------

    async def deploys(self, services: Sequence[Service]) -> Sequence[DeploySeen]:
        where = await self._projects.where(services)
        asked = partial(self._releases.deploys, services)
        return () if where is None else await self._projects.without_refused(where, asked)

    async def release_names(self, service: Service) -> list[str]:
        """Return the newest releases as Sentry writes them (`firebreak doctor`)."""
        return await self._releases.newest_names(await self._projects.where([service]) or [])

    async def names_of(self, service: Service, release: str) -> Sequence[str]:
        where = await self._projects.where([service]) or []
        return await self._releases.names_of(service, where, release)


def of_issues(issues: Sequence[str]) -> str:
    """Return the search for these issues: https://docs.sentry.io/concepts/search/"""
    return f"issue.id:[{','.join(i for i in issues if i.isdigit())}]" if issues else ERRORS
