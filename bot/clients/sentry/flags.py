"""Feature flags in Sentry: the log of their changes, and the events that carry one.

https://docs.sentry.io/api/flags/list-an-organizations-flag-logs/ : `{"data": [{"id","action",
"createdAt","createdBy","createdByType","flag","provider","tags"}]}`, of the whole organisation;
`createdBy`, its type and `provider` may be null. It says that a flag was `created`, `updated` or
`deleted`, never to which value. Older versions answer 404. The shape is written by
https://github.com/getsentry/sentry/blob/master/src/sentry/flags/endpoints/logs.py

Events have `contexts.flags.values: [{"flag", "result"}]`, at most 100 an event
(https://docs.sentry.io/product/issues/issue-details/feature-flags/). The issue list is searched for
them by `flags[name]:false`; each issue found has all its events of the span in `count`, and those
with it off in `filtered.count` (`StreamGroupSerializerSnuba` in
https://github.com/getsentry/sentry/blob/master/src/sentry/api/serializers/models/group_stream.py).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import Field, ValidationError

from bot.clients.cache import Cache
from bot.clients.http.errors import HttpError
from bot.clients.sentry.http import KNOWN_SECONDS, PAGE, Pairs, SentryHttp
from bot.clients.sentry.models import Shape, number, utc
from bot.clients.sentry.projects import ProjectQueries, Projects
from phases.record.findings import ChangeSeen
from phases.record.service import Service
from phases.text.cleaning import foreign, visible

SCOPE = "org:read"
LACKING_STATUSES = (404, 405)
MOST_FLAGS = 100
NAME = 100
"""Characters of a flag's name in Sentry's model (`flags/models.py`)."""
SEARCHABLE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:-")
"""Letters of a key in a search: `key` and `quoted_key` of
https://github.com/getsentry/sentry/blob/master/src/sentry/api/event_search.py"""
ELSEWHERE = frozenset(
    {"dev", "development", "test", "testing", "staging", "stage", "qa", "preview", "local", "ci"}
)
"""Environments that are not production by any name; a provider may call ours otherwise than we."""


class FlagChangeShape(Shape):
    action: str = "updated"
    createdAt: datetime
    createdBy: str = ""
    createdByType: str = ""
    flag: str
    provider: str = ""
    tags: dict[str, Any] = Field(default_factory=dict[str, Any])

    def seen(self, url: str) -> ChangeSeen:
        """Return the change. Of an e-mail address only the part that names the person is kept."""
        by = foreign(visible(self.createdBy)).partition("@")[0][:NAME]
        return ChangeSeen(
            kind="flag",
            name=visible(self.flag)[:NAME],
            new=self.action if self.action in ("created", "deleted") else None,
            by=by if by and self.createdByType != "id" else None,
            at=utc(self.createdAt),
            url=url,
            source="sentry",
        )

    def counts_for(self, service: Service) -> bool:
        """Return whether it may be of an environment that counts."""
        where = self.tags.get("environment")
        if not isinstance(where, str) or where in service.environments:
            return True
        return where.strip().lower() not in ELSEWHERE


class FlagLogShape(Shape):
    data: list[Any]


class FoundShape(Shape):
    id: str
    count: str | int = 0
    filtered: dict[str, Any] = Field(default_factory=dict[str, Any])


class SentryFlags:
    """Keeps `phases.ports.ports.FlagLog`. `page` is the organisation's address for people."""

    def __init__(
        self, http: SentryHttp, queries: ProjectQueries, projects: Projects, page: str
    ) -> None:
        self._http = http
        self._queries = queries
        self._projects = projects
        self._page = f"{page}/feature-flags/"
        self._lacks = Cache[str, HttpError](seconds=KNOWN_SECONDS)
        self._unused = Cache[str, bool](seconds=KNOWN_SECONDS)

    async def warm(self) -> None:
        """Look up whether this organisation tells Sentry of its flags at all."""
        params: Pairs = [("statsPeriod", "90d"), ("per_page", "1")]
        try:
            answer = await self._http.get("/flags/logs/", params, scope=SCOPE)
            if not self._http.read(FlagLogShape, answer).data:
                self._unused["log"] = True
        except HttpError as error:
            if error.status in LACKING_STATUSES:
                self._lacks["log"] = _lacking(error.status)

    def unused(self) -> bool:
        return "log" in self._unused

    async def changes(
        self, service: Service, since: datetime, until: datetime
    ) -> Sequence[ChangeSeen]:
        """Return the newest changes of the span, at most a page; a row of an odd shape is left out.

        Raises `HttpError`; that this Sentry has no such log is remembered.
        """
        if "log" in self._lacks:
            raise self._lacks["log"]
        params: Pairs = [
            ("start", _naive(since)),
            ("end", _naive(until)),
            ("sort", "-createdAt"),
            ("per_page", str(PAGE)),
        ]
        try:
            answer = await self._http.get("/flags/logs/", params, scope=SCOPE)
        except HttpError as error:
            if error.status not in LACKING_STATUSES:
                raise
            self._lacks["log"] = _lacking(error.status)
            raise self._lacks["log"] from error
        rows = (_parsed_change(value) for value in self._http.read(FlagLogShape, answer).data)
        return tuple(
            row.seen(self._page) for row in rows if row is not None and row.counts_for(service)
        )

    async def off(
        self, services: Sequence[Service], flag: str, span: tuple[datetime, datetime]
    ) -> Mapping[str, tuple[int, int]]:
        where = await self._projects.where(services)
        since, until = span
        if where is None or until <= since or not searchable(flag):
            return {}
        pairs: Pairs = [("start", _naive(since)), ("end", _naive(until))]
        return await self._events_by_issue(where, pairs, term(flag, "false"))

    async def _events_by_issue(
        self, where: Pairs, span: Pairs, search: str
    ) -> dict[str, tuple[int, int]]:
        """Return, by issue, the events that the search finds, and all of the span."""
        params: Pairs = [*span, ("query", f"level:[error,fatal] {search}"), ("sort", "freq")]
        params += [("limit", str(PAGE))]
        answers = await self._queries.get("/issues/", where, params, every=self._projects.ids())
        issues = [
            issue
            for answer in answers.values()
            for issue in self._http.read(list[FoundShape], answer)
        ]
        counts = (
            (i.id, number(i.filtered.get("count")) or 0, number(i.count) or 0) for i in issues
        )
        return {
            id: (matching, max(events, matching)) for id, matching, events in counts if matching
        }


def flags_of(contexts: Mapping[str, Any]) -> dict[str, bool]:
    """Return the evaluated flags of an event's contexts; a row of an odd shape is left out."""
    context = contexts.get("flags")
    values = context.get("values") if isinstance(context, dict) else None
    rows = values[-MOST_FLAGS:] if isinstance(values, list) else []
    return {
        row["flag"][:NAME]: str(row["result"]).lower() == "true"
        for row in rows
        if isinstance(row, dict) and isinstance(row.get("flag"), str) and "result" in row
    }


def searchable(flag: str) -> bool:
    return bool(flag) and set(flag) <= SEARCHABLE


def term(flag: str, result: str) -> str:
    """`flags[new-pricing]:true`; with a colon in its name it is quoted."""
    return f'flags["{flag}"]:{result}' if ":" in flag else f"flags[{flag}]:{result}"


def _lacking(status: int | None) -> HttpError:
    text = f"Sentry answers {status}: it has no flag log"
    return HttpError("Sentry", text, retryable=False, status=status)


def _parsed_change(value: Any) -> FlagChangeShape | None:
    try:
        return FlagChangeShape.model_validate(value)
    except ValidationError:
        return None


def _naive(at: datetime) -> str:
    """https://docs.sentry.io/api/explore/ : ISO 8601 in UTC, without a zone."""
    return f"{utc(at):%Y-%m-%dT%H:%M:%S.%f}"
