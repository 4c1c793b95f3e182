"""Several projects in one question where Sentry's plan allows it; else each by itself, and put together here.

Without the feature `organizations:global-views` Sentry answers 400 to a question over several projects, and to `project=-1` where
there is more than one: https://github.com/getsentry/sentry/blob/master/src/sentry/issues/endpoints/organization_group_index.py
("You do not have the multi project stream feature enabled") and
https://github.com/getsentry/sentry/blob/master/src/sentry/api/bases/organization_events.py ("You cannot view events from multiple
projects."). Which environments there are is not asked of a project: one is enough for that.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import httpx

from bot.clients.http.client import Http, HttpError
from bot.clients.sentry.models import RowsMeta, RowsShape

EVENTS = "event:read"
KNOWN_SECONDS = 600.0
"""How long it is remembered that several at once are refused."""
AT_ONCE = 5
MOST_PROJECTS = 20
"""Asked one by one where a service names none: plans without the feature are small."""

Pairs = list[tuple[str, str]]


class Apart:
    """GETs over projects; the answers by project, or one under `""` for all."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self._until = 0.0

    async def get(
        self,
        path: str,
        where: Pairs,
        params: Pairs,
        *,
        every: Sequence[str] = (),
        after: str | None = None,
    ) -> dict[str, httpx.Response]:
        """`every`: what `project=-1` stands for. `after`: what `after()` made of the last answers.

        Raises `HttpError`, too where one project did not answer: a sum over a part of them would be too small.
        """
        answers, lost = await self.some(path, where, params, every=every, after=after)
        if lost:
            raise lost[0]
        return answers

    async def some(
        self,
        path: str,
        where: Pairs,
        params: Pairs,
        *,
        every: Sequence[str] = (),
        after: str | None = None,
    ) -> tuple[dict[str, httpx.Response], list[HttpError]]:
        """As `get`, of those that answered, with why the others did not. Raises `HttpError` where none did."""
        cursors = (
            dict(part.split("=", 1) for part in after.split()) if after and "=" in after else {}
        )
        if not cursors and self._until < time.monotonic():
            more: Pairs = [("cursor", after)] if after else []
            try:
                return {"": await self._http.get(path, [*where, *params, *more], scope=EVENTS)}, []
            except HttpError as error:
                if not _refuses_several(error):
                    raise
                self._until = time.monotonic() + KNOWN_SECONDS
        asked = [value for name, value in where if name == "project"]
        projects = list(cursors) or (list(every)[:MOST_PROJECTS] if asked == ["-1"] else asked)
        rest = [pair for pair in where if pair[0] != "project"]
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(project: str) -> httpx.Response | HttpError:
            more: Pairs = [("cursor", cursors[project])] if project in cursors else []
            async with slots:
                try:
                    return await self._http.get(
                        path, [("project", project), *rest, *params, *more], scope=EVENTS
                    )
                except HttpError as error:
                    return error

        told = dict(
            zip(
                projects, await asyncio.gather(*(one(project) for project in projects)), strict=True
            )
        )
        lost = [answer for answer in told.values() if isinstance(answer, HttpError)]
        if lost and len(lost) == len(told):
            raise lost[0]
        return {
            name: answer for name, answer in told.items() if not isinstance(answer, HttpError)
        }, lost


def _refuses_several(error: HttpError) -> bool:
    said = error.said.lower()
    return error.status == 400 and "multi" in said and "project" in said


def cursor(answer: httpx.Response) -> str | None:
    """Of the next page: https://docs.sentry.io/api/pagination/"""
    link = answer.links.get("next", {})
    return link.get("cursor") if link.get("results") == "true" else None


def after(answers: dict[str, httpx.Response]) -> str | None:
    """Where all of them go on; None where none does."""
    going_on = {
        project: found
        for project, answer in answers.items()
        if (found := cursor(answer)) is not None
    }
    if "" in going_on:
        return going_on[""]
    return " ".join(f"{project}={found}" for project, found in going_on.items()) or None


def joined(tables: Sequence[RowsShape], sort: str | None) -> RowsShape:
    """One table of several projects'. Counts add up; distinct values may be the same ones, so the most of one project counts."""
    if len(tables) == 1:
        return tables[0]
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in (row for table in tables for row in table.data):
        key = tuple(value for name, value in row.items() if "(" not in name)
        known = rows.setdefault(key, row)
        if known is not row:
            rows[key] = {name: _both(name, known.get(name), value) for name, value in row.items()}
    data = list(rows.values())
    if sort:
        data.sort(key=lambda row: row.get(sort.lstrip("-")) or 0, reverse=sort.startswith("-"))
    partial = next(
        (table.meta for table in tables if table.meta.dataScanned == "partial"), RowsMeta()
    )
    return RowsShape(data=data, meta=partial)


def _both(name: str, one: Any, other: Any) -> Any:
    if "(" not in name or one is None or other is None:
        return one if other is None else other
    if name == "count()":
        return one + other
    return min(one, other) if name.startswith("min(") else max(one, other)
