"""Sentry's releases: their names, and their deploys.

The catalogue's pattern reads a release's name; it cannot write a part that is Sentry's own.
https://docs.sentry.io/api/releases/list-an-organizations-releases/ : `query` finds what is anywhere
in a version.
"""

import re
from collections.abc import Sequence

from bot.clients.gather import at_once
from bot.clients.http.errors import HttpError
from bot.clients.sentry.blast_radius import tried
from bot.clients.sentry.http import RELEASES, Pairs, SentryHttp, next_cursor, path_part
from bot.clients.sentry.models import DeployShape, ReleaseShape
from phases.record.findings import DeploySeen, Release
from phases.record.service import Service

BUILDS_MOST = 100
"""Builds of one version that are asked about."""
LOOKED_AT = 30
LOOKUPS_MOST = 6
"""Releases whose deploys are asked for one by one, beside the list."""
_COMMIT = re.compile(r"(?=.*[a-f])[0-9a-f]{7,64}|[0-9]{40}")
_SHORT = 7


class Releases:
    """The releases of one organisation. `where` is of `Projects.where`. Raises `PortError`."""

    def __init__(self, http: SentryHttp) -> None:
        self._http = http

    async def newest_names(self, where: Pairs) -> list[str]:
        """Return the newest releases' names as Sentry writes them."""
        answer = await self._http.get("/releases/", [*where, ("per_page", "10")], scope=RELEASES)
        return [release.version for release in self._http.read(list[ReleaseShape], answer)]

    async def search_term(self, service: Service, where: Pairs, release: str) -> str | None:
        """Return the term of a search for the events of a version.

        None: Sentry has no such release. https://docs.sentry.io/concepts/search/ : `key:[a,b]` is
        any of them, `*` whatever there is. Where Sentry does not list its releases to our token, a
        build is searched for by `*`.
        """
        names = await self._listed(service, where, release)
        if names is None:
            names = (service.release.in_sentry(release),)
        quoted = ['"{}"'.format(name.replace('"', "")) for name in names]
        if not quoted:
            return None
        return f"release:{quoted[0]}" if len(quoted) == 1 else f"release:[{','.join(quoted)}]"

    async def names_of(self, service: Service, where: Pairs, release: str) -> Sequence[str]:
        """Return the names of a version, newest first.

        None is returned where Sentry has, or shows, no such release.
        """
        names = await self._listed(service, where, release)
        if names is None:
            return () if service.release.with_builds else (service.release.in_sentry(release),)
        return names

    async def deploys(self, services: Sequence[Service], where: Pairs) -> list[DeploySeen]:
        """Return the deploys of the newest releases, newest first.

        A release's `lastDeploy` may be of another environment, then its own list is asked for.
        Raises where no list was to be had and nothing else tells of a deploy: that none is known
        then has a reason.
        """
        listed = await self._newest(where)
        counted = {e for s in services for e in s.environments}
        elsewhere = [r for r in listed if r.deployed_elsewhere(counted)][:LOOKUPS_MOST]
        answers = await at_once(LOOKUPS_MOST, lambda r: tried(self._deploys_of(r)), elsewhere)
        more = {
            release.version: deploys
            for release, deploys in zip(elsewhere, answers, strict=True)
            # One that is gone meanwhile, or has an odd name: the others stand.
            if not isinstance(deploys, HttpError)
        }
        untold = {r.version for r in elsewhere} - more.keys()
        deploys = [
            deploy
            for release in listed
            for service in services
            for deploy in release.seen(
                service,
                more.get(release.version) or [d for d in [release.lastDeploy] if d],
                untold=release.version in untold,
            )
        ]
        failures = [answer for answer in answers if isinstance(answer, HttpError)]
        if failures and not deploys:
            raise failures[0]
        return sorted(deploys, key=lambda d: d.started_at, reverse=True)

    async def _newest(self, where: Pairs) -> list[ReleaseShape]:
        """Return the newest releases, page by page.

        A page may hold less than was asked for (https://docs.sentry.io/api/pagination/).
        """
        listed: list[ReleaseShape] = []
        cursor: str | None = None
        while True:
            params = [*where, ("per_page", str(LOOKED_AT))]
            params += [("cursor", cursor)] if cursor else []
            answer = await self._http.get("/releases/", params, scope=RELEASES)
            page = self._http.read(list[ReleaseShape], answer)
            listed += page
            cursor = next_cursor(answer)
            if cursor is None or not page or len(listed) >= LOOKED_AT:
                return listed[:LOOKED_AT]

    async def _deploys_of(self, release: ReleaseShape) -> list[DeployShape]:
        path = f"/releases/{path_part(release.version)}/deploys/"
        return self._http.read(list[DeployShape], await self._http.get(path, scope=RELEASES))

    async def _listed(self, service: Service, where: Pairs, release: str) -> Sequence[str] | None:
        """Return the names of a version of which a part is Sentry's own.

        That is a build, or the length of an abbreviated commit. None: no part is, or Sentry does
        not list its releases to our token.
        """
        is_commit = bool(_COMMIT.fullmatch(release.lower()))
        if not (service.release.with_builds or is_commit):
            return None
        wanted = Release(version=release)
        # The search reads a blank, a colon and a quote as more than text. They are left out, and
        # what it finds is looked at again.
        longest = max(re.findall(r"[A-Za-z0-9._+-]+", release), key=len, default="")
        projects = [pair for pair in where if pair[0] == "project"]
        query = release[:_SHORT] if is_commit else longest
        params = [*projects, ("query", query), ("per_page", str(BUILDS_MOST))]
        try:
            answer = await self._http.get("/releases/", params, scope=RELEASES)
        except HttpError as error:
            if error.status not in (400, 403, 404):
                raise
            return None
        rows = self._http.read(list[ReleaseShape], answer)
        read_as = ((row.version, row.release(service)) for row in rows)
        return tuple(name for name, its in read_as if its is not None and its.same_as(wanted))
