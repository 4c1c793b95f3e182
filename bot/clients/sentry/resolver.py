"""Setting Sentry's issues to resolved: the one thing that is written there. Needs event:write; everything else only reads.

https://docs.sentry.io/api/events/update-an-issue/
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from bot.clients.http.client import Http, HttpError, part
from bot.clients.sentry.overload import passing
from bot.clients.sentry.parsing import read
from bot.clients.sentry.release_order import ReleaseRow, after

SCOPE = "event:write"
RELEASES = "project:read or project:releases"
AT_ONCE = 5


@dataclass(frozen=True, slots=True)
class Way:
    """How an issue is resolved: in a release, in the next one, or (neither) for whatever comes next.

    What Sentry calls a regression then (`has_resolution` of
    https://github.com/getsentry/sentry/blob/master/src/sentry/models/groupresolution.py): events of the release itself and of
    newer ones; events of releases newer than the newest so far; every event. Refused with 400 are a release that the project does
    not have, and "next" where it has none at all (…/api/helpers/group_index/validators/status_details.py).
    """

    release: str = ""
    next: bool = False

    @property
    def details(self) -> dict[str, Any]:
        if self.next:
            return {"statusDetails": {"inNextRelease": True}}
        return {"statusDetails": {"inRelease": self.release}} if self.release else {}


PLAINLY = Way()


class SentryIssues:
    """One organisation of one Sentry. Setting what is resolved already to resolved changes nothing."""

    def __init__(self, url: str, org: str, token: str, *, timeout: float = 10.0) -> None:
        self._site = url.rstrip("/")
        self._org = quote(org, safe="")
        base = f"{self._site}/api/0/organizations/{self._org}"
        self._http = Http(
            "Sentry", base, {"Authorization": f"Bearer {token}"}, timeout=timeout, passing=passing
        )
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def resolve(self, issues: Sequence[str], ways: Sequence[Way]) -> tuple[Way, ...]:
        """Of each that is resolved now the way: the first of `ways` that Sentry takes, else without a release.

        An issue that is gone is left out. Raises `PortError`, too where all of them are: a token of another organisation, or a
        wall before Sentry, answers the same 404.
        """
        told = await asyncio.gather(*(self._resolve(issue, ways) for issue in issues))
        done = tuple(way for way in told if isinstance(way, Way))
        gone = next((error for error in told if isinstance(error, HttpError)), None)
        if gone is not None and not done:
            raise gone
        return done

    async def after(self, taken_back: str, projects: Sequence[str]) -> str | None:
        """The release that Sentry knows already as the next one after `taken_back`; None: there is none, or it does not say."""
        try:
            answer = await self._http.get(
                "/releases/", [("project", "-1"), ("per_page", "100")], scope=RELEASES
            )
        except HttpError as error:
            if error.retryable:
                raise
            return None
        return after(read(self._http, list[ReleaseRow], answer), taken_back, projects)

    def link(self, issue: str) -> str:
        """Where people look at it: https://docs.sentry.io/product/issues/ , the same on sentry.io and self-hosted."""
        return f"{self._site}/organizations/{self._org}/issues/{quote(issue, safe='')}/"

    async def _resolve(self, issue: str, ways: Sequence[Way]) -> Way | HttpError:
        """Return the way that was taken, or the 404. An overload, which may be a 400 too, is no word on the way."""
        async with self._slots:
            for way in ways:
                try:
                    return await self._put(issue, way)
                except HttpError as error:
                    if error.status == 404:
                        return error
                    if (
                        error.status != 400 or error.retryable
                    ):  # 400: this project has no such release, or none at all
                        raise
            try:
                return await self._put(issue, PLAINLY)
            except HttpError as error:
                if error.status == 404:
                    return error
                raise

    async def _put(self, issue: str, way: Way) -> Way:
        """Return the way as the answer has it.

        GlitchTip takes the status and drops `statusDetails` (`UpdateIssueSchema` of
        https://gitlab.com/glitchtip/glitchtip-backend, `apps/issue_events/api/issues.py`): resolved in no release.
        """
        body = {"status": "resolved", **way.details}
        answer = await self._http.request(
            "PUT", f"/issues/{part(issue, 'Sentry')}/", json=body, scope=SCOPE
        )
        told = self._http.json(answer) if answer.content else None
        return way if not isinstance(told, dict) or told.get("statusDetails") else PLAINLY
