"""Sentry's issues are set to resolved when users have it back (`SENTRY_RESOLVE`)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from bot.clients.http import HttpError
from bot.performers.kit import JobLike, Kit, Performer
from phases.actions import IssuesResolved
from phases.effects import ResolveIssues
from phases.service import Service

LINKED = 3


class Resolver(Protocol):
    async def resolve(self, issues: Sequence[str], releases: Sequence[str]) -> tuple[str, ...]:
        """Of each that is resolved now the release, or "" where it is without one. Raises `PortError`."""
        ...

    def link(self, issue: str) -> str: ...


def resolving(kit: Kit, resolver: Resolver | None) -> dict[str, Performer]:
    async def resolve(effect: ResolveIssues, job: JobLike) -> IssuesResolved:
        if resolver is None:  # switched off, or no Sentry
            return IssuesResolved(resolved=0, release=None)
        incident = await kit.incident(job)
        named = await _called(kit, kit.service(incident), [name for name in (effect.release, effect.commit) if name])
        try:
            done = await resolver.resolve(effect.issues, tuple(named))
        except HttpError as error:
            if error.status not in (401, 403) or error.retryable:
                raise
            links = tuple(resolver.link(issue) for issue in effect.issues[:LINKED])
            return IssuesResolved(resolved=0, release=None, refused=error.text, links=links)
        return IssuesResolved(resolved=len(done), release=effect.release if all(done) else None)

    return {"issues.resolve": resolve}


async def _called(kit: Kit, service: Service, names: Sequence[str]) -> list[str]:
    """As Sentry calls them: a build and an abbreviation are its own. Raises `PortError`."""
    if kit.tracker is None:
        return [service.release.in_sentry(name) for name in names if not service.release.with_builds]
    found = await asyncio.gather(*(kit.tracker.names_of(service, name) for name in names))
    return list(dict.fromkeys(one for called in found for one in called))
