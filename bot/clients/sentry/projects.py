"""The projects and environments of a service in Sentry, and questions over several projects.

Without the feature `organizations:global-views` Sentry answers 400 to a question over several
projects, and to `project=-1` where there is more than one:
https://github.com/getsentry/sentry/blob/master/src/sentry/issues/endpoints/organization_group_index.py
("You do not have the multi project stream feature enabled") and
https://github.com/getsentry/sentry/blob/master/src/sentry/api/bases/organization_events.py
("You cannot view events from multiple projects."). Then each project is asked by itself, and the
answers are put together here. The existing environments are not asked of a project: one is enough
for that.

A question over several projects is refused as a whole (403) where our token may not read one of
them: https://github.com/getsentry/sentry/blob/master/src/sentry/api/bases/organization.py
(`_get_projects_by_id`). Then that one is left out, and said to be.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import httpx

from bot.clients.cache import Cache
from bot.clients.gather import at_once
from bot.clients.http.client import Params
from bot.clients.http.errors import HttpError
from bot.clients.sentry.http import (
    AT_ONCE,
    EVENTS,
    KNOWN_SECONDS,
    PAGE,
    Pairs,
    SentryHttp,
    next_cursor,
)
from bot.clients.sentry.models import ProjectShape, RowsMeta, RowsShape, utc
from phases.record.service import Service

MOST_PROJECTS = 20
"""Asked one by one where a service names none: plans without the feature are small."""
NOT_FOR_US = (403, 404)
"""A project that our token may not read, or that is gone."""


T = TypeVar("T")


class Projects:
    """The projects and environments of one organisation, looked up once. Raises `PortError`."""

    def __init__(self, http: SentryHttp) -> None:
        self._http = http
        self._lock = asyncio.Lock()
        self._projects: dict[str, ProjectShape] = {}
        self._fresh = Cache[str, bool](seconds=KNOWN_SECONDS)
        self._environments = Cache[tuple[str, ...], tuple[str, ...]](seconds=KNOWN_SECONDS)
        self._refused = Cache[str, str](seconds=KNOWN_SECONDS)
        """Projects by id that are refused to us, beside others that are not, and why."""

    async def where(self, services: Sequence[Service]) -> Pairs | None:
        """Return the `project` and `environment` parameters of a question.

        None: none of the environments has ever been seen. Raises, too, where the first service has
        no project that is there. One that is missing beside others is left out (`left_out`).
        """
        async with self._lock:
            if "projects" not in self._fresh:
                self._projects = await self._listed()
                self._fresh["projects"] = True
            known = self._projects
            there = [slug for slug in services[0].sentry if slug in known]
            environments = await self._seen_environments(
                services[0].environments, self.ids(services)[: max(len(there), 1)]
            )
        slugs = [slug for s in services for slug in s.sentry] if services[0].sentry else []
        if services[0].sentry and not there:
            raise HttpError("Sentry", _not_there(services[0].sentry), retryable=False)
        projects = [known[slug].id for slug in slugs if slug in known] or ["-1"]
        if not environments:
            return None
        return [*(("project", p) for p in projects), *(("environment", e) for e in environments)]

    def ids(self, services: Sequence[Service] = ()) -> list[str]:
        """Return every project's id, those of `services` first."""
        first = [slug for s in services for slug in s.sentry if slug in self._projects]
        return [self._projects[slug].id for slug in dict.fromkeys((*first, *self._projects))]

    def left_out(self, services: Sequence[Service]) -> str:
        """Return which projects are not counted, and why; empty where all of them are."""
        missing = [slug for slug in services[0].sentry if slug not in self._projects]
        parts = [_not_there(missing)] if missing else []
        known = (
            (s, self._projects[s].id)
            for service in services
            for s in service.sentry
            if s in self._projects
        )
        parts += [f"{slug}: {why}" for slug, id in known if (why := self._refused.get(id))]
        return "; ".join(parts)

    def readable(self, where: Pairs) -> Pairs:
        """Return the parameters without the projects that are refused, where others are left."""
        others = [pair for pair in where if pair[0] != "project" or pair[1] not in self._refused]
        return others if any(name == "project" for name, _ in others) else where

    def refuse(self, project: str, error: HttpError) -> None:
        self._refused[project] = error.text

    async def find_refused(self, where: Pairs) -> bool:
        """Ask each project by itself; return whether some are refused now, and others are not."""
        async with self._lock:
            if self.readable(where) != where:
                return True
            projects = [value for name, value in where if name == "project"]
            if len(projects) < 2:
                return False
            errors = dict(
                zip(projects, await at_once(AT_ONCE, self._error_of, projects), strict=True)
            )
            refused = {p: e for p, e in errors.items() if e is not None and e.status in NOT_FOR_US}
            if len(refused) < len(projects):
                for project, error in refused.items():
                    self.refuse(project, error)
            return self.readable(where) != where

    async def without_refused(self, where: Pairs, ask: Callable[[Pairs], Awaitable[T]]) -> T:
        """Return the answer to a question over those projects that are not refused to us."""
        where = self.readable(where)
        try:
            return await ask(where)
        except HttpError as error:
            if error.status not in NOT_FOR_US or not await self.find_refused(where):
                raise
        return await ask(self.readable(where))

    async def _error_of(self, project: str) -> HttpError | None:
        params: Pairs = [("project", project), ("statsPeriod", "1h"), ("query", ""), ("limit", "1")]
        try:
            await self._http.get("/issues/", params, scope=EVENTS)
        except HttpError as error:
            return error
        return None

    def since(self, services: Sequence[Service]) -> datetime | None:
        """Return when the first project of the first service was made."""
        projects = [self._projects[s] for s in services[0].sentry if s in self._projects]
        return min(
            (utc(p.dateCreated) for p in projects if p.dateCreated is not None), default=None
        )

    async def why_nothing(self, services: Sequence[Service]) -> str:
        """Return why nothing is found, where issues burn in environments of other names.

        Empty: there are none at all.
        """
        params: Pairs = [("project", p) for p in self.ids(services)[:1] or ("-1",)]
        params += [("statsPeriod", "14d"), ("query", ""), ("limit", "1")]
        if not self._http.json(await self._http.get("/issues/", params, scope=EVENTS)):
            return ""
        wanted = " or ".join(services[0].environments)
        text = f"Sentry has issues, and never an event of the environment {wanted}"
        return f"{text}, which the catalogue names"

    async def _listed(self) -> dict[str, ProjectShape]:
        """https://docs.sentry.io/api/organizations/list-an-organizations-projects/"""
        projects: dict[str, ProjectShape] = {}
        cursor: str | None = None
        while True:
            params: Params = {"per_page": PAGE, "cursor": cursor}
            answer = await self._http.get("/projects/", params, scope="org:read or project:read")
            projects |= {p.slug: p for p in self._http.read(list[ProjectShape], answer)}
            if (cursor := next_cursor(answer)) is None:
                return projects

    async def _seen_environments(
        self, wanted: tuple[str, ...], project: Sequence[str]
    ) -> tuple[str, ...]:
        """Return those of the environments that the organisation knows.

        An event without an environment counts as the first, and is asked for as ``. Any one project
        does that is not refused (several at once are not in every plan). Sentry answers 404 where
        one of them was never seen:
        https://github.com/getsentry/sentry/blob/master/src/sentry/api/helpers/environments.py
        """
        if wanted in self._environments:
            return self._environments[wanted]
        *others, last = project or ("-1",)
        for slug in others:
            try:
                return await self._seen_in(slug, wanted)
            except HttpError as error:
                if error.status != 403:
                    raise
        return await self._seen_in(last, wanted)

    async def _seen_in(self, project: str, wanted: tuple[str, ...]) -> tuple[str, ...]:
        for some in dict.fromkeys(((*wanted, ""), wanted, ("", *wanted[:1]), wanted[:1], ("",))):
            params: Pairs = [("project", project)]
            params += [*(("environment", e) for e in some), ("statsPeriod", "1h")]
            params += [("query", ""), ("limit", "1")]
            try:
                await self._http.get("/issues/", params, scope=EVENTS)
            except HttpError as error:
                if error.status == 404:
                    continue
                raise
            self._environments[wanted] = some
            return some
        return ()


def _not_there(slugs: Sequence[str]) -> str:
    return f"Sentry has no project {', '.join(slugs)}, or our token may not see it"


class ProjectQueries:
    """GETs over projects. The answers come by project, or one under `""` for all."""

    def __init__(self, http: SentryHttp, known: Projects) -> None:
        self._http, self._projects = http, known
        self._refused = Cache[str, bool](seconds=KNOWN_SECONDS)
        """Whether several projects at once are refused."""

    async def get(
        self, path: str, where: Pairs, params: Pairs, *, every: Sequence[str] = ()
    ) -> dict[str, httpx.Response]:
        """Return the answers. `every` is what `project=-1` stands for.

        Raises `HttpError`, too where one project did not answer: a sum over a part of them would be
        too small. One that is refused to us is left out of all answers.
        """
        answers, errors = await self.get_some(path, where, params, every=every)
        if errors:
            raise errors[0]
        return answers

    async def get_some(
        self,
        path: str,
        where: Pairs,
        params: Pairs,
        *,
        every: Sequence[str] = (),
        after: str | None = None,
    ) -> tuple[dict[str, httpx.Response], list[HttpError]]:
        """Return the answers of those that answered, and the errors of the others.

        `after` is what `next_page()` made of the last answers. Raises `HttpError` where none did.
        """
        cursors = (
            dict(part.split("=", 1) for part in after.split()) if after and "=" in after else {}
        )
        where = self._projects.readable(where)
        if not cursors and "several" not in self._refused:
            more: Pairs = [("cursor", after)] if after else []
            try:
                return {"": await self._http.get(path, [*where, *params, *more], scope=EVENTS)}, []
            except HttpError as error:
                if error.status in NOT_FOR_US and await self._projects.find_refused(where):
                    return await self.get_some(path, where, params, every=every, after=after)
                if not _refuses_several(error):
                    raise
                self._refused["several"] = True
        asked = [value for name, value in where if name == "project"]
        projects = list(cursors) or (list(every)[:MOST_PROJECTS] if asked == ["-1"] else asked)
        rest = [pair for pair in where if pair[0] != "project"]

        async def ask(project: str) -> httpx.Response | HttpError:
            more: Pairs = [("cursor", cursors[project])] if project in cursors else []
            try:
                return await self._http.get(
                    path, [("project", project), *rest, *params, *more], scope=EVENTS
                )
            except HttpError as error:
                return error

        every_answer = dict(zip(projects, await at_once(AT_ONCE, ask, projects), strict=True))
        errors = [answer for answer in every_answer.values() if isinstance(answer, HttpError)]
        if errors and len(errors) == len(every_answer):
            raise errors[0]
        for project, answer in every_answer.items():
            if isinstance(answer, HttpError) and answer.status in NOT_FOR_US:
                self._projects.refuse(project, answer)
                errors.remove(answer)
        return {p: a for p, a in every_answer.items() if not isinstance(a, HttpError)}, errors


def _refuses_several(error: HttpError) -> bool:
    reason = error.said.lower()
    return error.status == 400 and "multi" in reason and "project" in reason


def next_page(answers: dict[str, httpx.Response]) -> str | None:
    """Return the place where all of them go on; None where none does."""
    cursors = {
        project: cursor
        for project, answer in answers.items()
        if (cursor := next_cursor(answer)) is not None
    }
    if "" in cursors:
        return cursors[""]
    return " ".join(f"{project}={cursor}" for project, cursor in cursors.items()) or None


def joined(tables: Sequence[RowsShape], sort: str | None) -> RowsShape:
    """Return one table of several projects'.

    Counts add up. Distinct values may be the same ones, so the most of one project counts.
    """
    if len(tables) == 1:
        return tables[0]
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in (row for table in tables for row in table.data):
        key = tuple(value for name, value in row.items() if "(" not in name)
        known = rows.setdefault(key, row)
        if known is not row:
            rows[key] = {
                name: _added_cells(name, known.get(name), value) for name, value in row.items()
            }
    data = list(rows.values())
    if sort:
        data.sort(key=lambda row: row.get(sort.lstrip("-")) or 0, reverse=sort.startswith("-"))
    partial = next(
        (table.meta for table in tables if table.meta.dataScanned == "partial"), RowsMeta()
    )
    return RowsShape(data=data, meta=partial)


def _added_cells(name: str, first: Any, second: Any) -> Any:
    if "(" not in name or first is None or second is None:
        return first if second is None else second
    if name == "count()":
        return first + second
    return min(first, second) if name.startswith("min(") else max(first, second)
