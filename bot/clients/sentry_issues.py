"""Setting Sentry's issues to resolved: the one thing that is written there. Needs event:write; everything else only reads.

https://docs.sentry.io/api/events/update-an-issue/
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from bot.clients.http import Http, HttpError, part

SCOPE = "event:write"
AT_ONCE = 5


class SentryIssues:
    """One organisation of one Sentry. Setting what is resolved already to resolved changes nothing."""

    def __init__(self, url: str, org: str, token: str, *, timeout: float = 10.0) -> None:
        self._site = url.rstrip("/")
        self._org = quote(org, safe="")
        base = f"{self._site}/api/0/organizations/{self._org}"
        self._http = Http("Sentry", base, {"Authorization": f"Bearer {token}"}, timeout=timeout)
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def resolve(self, issues: Sequence[str], releases: Sequence[str]) -> tuple[str, ...]:
        """Of each that is resolved now the release: the first of `releases` that Sentry knows, else "". Raises `PortError`.

        An issue that is gone is left out.
        """
        done = await asyncio.gather(*(self._resolve(issue, releases) for issue in issues))
        return tuple(release for release in done if release is not None)

    def link(self, issue: str) -> str:
        """Where people look at it: https://docs.sentry.io/product/issues/ , the same on sentry.io and self-hosted."""
        return f"{self._site}/organizations/{self._org}/issues/{quote(issue, safe='')}/"

    async def _resolve(self, issue: str, releases: Sequence[str]) -> str | None:
        async with self._slots:
            for release in (*releases, ""):
                details: dict[str, Any] = {"statusDetails": {"inRelease": release}} if release else {}
                try:
                    await self._put(issue, {"status": "resolved", **details})
                except HttpError as error:
                    if error.status == 404:
                        return None
                    if error.status != 400 or not details:  # 400: this project has no such release
                        raise
                else:
                    return release
        return None

    async def _put(self, issue: str, body: dict[str, Any]) -> None:
        await self._http.request("PUT", f"/issues/{part(issue, 'Sentry')}/", json=body, scope=SCOPE)
