"""The projects and environments of a service in Sentry, looked up once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bot.clients.http.client import Http, HttpError
from bot.clients.sentry.models import ProjectShape, utc
from bot.clients.sentry.parsing import read
from bot.clients.sentry.projects import EVENTS, cursor
from phases.record.service import Service

PAGE = 100  # most rows a page: https://docs.sentry.io/api/pagination/
KNOWN_SECONDS = 600.0  # how long slugs and environments are remembered

Pairs = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Known:
    """What was looked up once."""

    until: float
    projects: dict[str, ProjectShape]


class Places:
    """Of one organisation."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self._lock = asyncio.Lock()
        self._known: Known | None = None
        self._environments: dict[tuple[str, ...], tuple[float, tuple[str, ...]]] = {}

    async def where(self, services: Sequence[Service]) -> Pairs | None:
        """`project` and `environment` parameters; None where none of the environments has ever been seen.

        Raises `PortError`, too where a project of the first service is not there.
        """
        async with self._lock:
            if self._known is None or self._known.until < time.monotonic():
                self._known = Known(time.monotonic() + KNOWN_SECONDS, await self._projects())
            known = self._known.projects
            environments = await self._seen_environments(
                services[0].environments, self.every(services)[:1]
            )
        slugs = [slug for s in services for slug in s.sentry] if services[0].sentry else []
        missing = [slug for slug in services[0].sentry if slug not in known]
        if missing:
            raise HttpError(
                "Sentry",
                f"Sentry has no project {', '.join(missing)}, or our token may not see it",
                retryable=False,
            )
        projects = [known[slug].id for slug in slugs if slug in known] or ["-1"]
        if not environments:
            return None
        return [*(("project", p) for p in projects), *(("environment", e) for e in environments)]

    def every(self, services: Sequence[Service] = ()) -> list[str]:
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

    async def _seen_environments(
        self, wanted: tuple[str, ...], project: Sequence[str]
    ) -> tuple[str, ...]:
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
                await self._http.get(
                    "/issues/", [*params, ("query", ""), ("limit", "1")], scope=EVENTS
                )
            except HttpError as error:
                if error.status == 404:
                    continue
                raise
            self._environments[wanted] = (time.monotonic() + KNOWN_SECONDS, some)
            return some
        return ()

    async def unseen(self, services: Sequence[Service]) -> str:
        """Return why nothing is found, where issues burn in environments of other names; empty: there are none at all.

        Raises `PortError`.
        """
        params: Pairs = [("project", p) for p in self.every(services)[:1] or ("-1",)]
        params += [("statsPeriod", "14d"), ("query", ""), ("limit", "1")]
        if not self._http.json(await self._http.get("/issues/", params, scope=EVENTS)):
            return ""
        wanted = " or ".join(services[0].environments)
        return f"Sentry has issues, and never an event of the environment {wanted}, which the catalogue names"

    def since(self, services: Sequence[Service]) -> datetime | None:
        known = self._known.projects if self._known else {}
        made = [known[slug].dateCreated for slug in services[0].sentry if slug in known]
        return min((utc(at) for at in made if at is not None), default=None)
