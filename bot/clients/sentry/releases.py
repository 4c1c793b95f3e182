"""What Sentry calls a release. The catalogue's pattern reads that name; it cannot write a part that is Sentry's own.

https://docs.sentry.io/api/releases/list-an-organizations-releases/ : `query` finds what is anywhere in a version.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.clients.http.client import Http, HttpError
from bot.clients.sentry.models import ReleaseShape
from bot.clients.sentry.parsing import read
from phases.record.findings import Release
from phases.record.service import Service

SCOPE = "project:read or project:releases"
LISTED = 100
"""Builds of one version that are asked about."""
_COMMIT = re.compile(r"(?=.*[a-f])[0-9a-f]{7,64}|[0-9]{40}")
_SHORT = 7

Pairs = list[tuple[str, str]]


async def newest(http: Http, where: Pairs) -> list[str]:
    """As Sentry writes them. Raises `PortError`."""
    answer = await http.get("/releases/", [*where, ("per_page", "10")], scope=SCOPE)
    return [release.version for release in read(http, list[ReleaseShape], answer)]


async def asked_by(http: Http, service: Service, where: Pairs, release: str) -> str | None:
    """Return the term of a search for the events of a version; None: Sentry has no such release.

    https://docs.sentry.io/concepts/search/ : `key:[a,b]` is any of them, `*` whatever there is. Where Sentry does not
    list its releases to our token, a build is searched for by `*`. Raises `PortError`.
    """
    names = await _listed(http, service, where, release) if _is_its_own(service, release) else None
    if names is None:
        names = (service.release.in_sentry(release),)
    quoted = [f'"{name}"' for name in (one.replace('"', "") for one in names)]
    if not quoted:
        return None
    return f"release:{quoted[0]}" if len(quoted) == 1 else f"release:[{','.join(quoted)}]"


async def names_of(http: Http, service: Service, where: Pairs, release: str) -> Sequence[str]:
    """Return the names, newest first; none where Sentry has, or shows, no such release. Raises `PortError`."""
    names = await _listed(http, service, where, release) if _is_its_own(service, release) else None
    if names is None:
        return () if service.release.with_builds else (service.release.in_sentry(release),)
    return names


async def _listed(http: Http, service: Service, where: Pairs, release: str) -> Sequence[str] | None:
    """None where Sentry does not list its releases to our token."""
    wanted = Release(version=release)
    # What the search reads as more than text (a blank, a colon, a quote) is left out: what it finds is looked at again.
    longest = max(re.findall(r"[A-Za-z0-9._+-]+", release), key=len, default="")
    query = release[:_SHORT] if _COMMIT.fullmatch(release.lower()) else longest
    projects = [pair for pair in where if pair[0] == "project"]
    asked = [*projects, ("query", query), ("per_page", str(LISTED))]
    try:
        answer = await http.get("/releases/", asked, scope=SCOPE)
    except HttpError as error:
        if error.status not in (400, 403, 404):
            raise
        return None
    read_as = (
        (one.version, one.release(service)) for one in read(http, list[ReleaseShape], answer)
    )
    return tuple(name for name, found in read_as if found is not None and found.same_as(wanted))


def _is_its_own(service: Service, release: str) -> bool:
    """Whether a part of the name is Sentry's: a build, or how far a commit is abbreviated."""
    return service.release.with_builds or bool(_COMMIT.fullmatch(release.lower()))
