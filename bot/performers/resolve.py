"""Sentry's issues are set to resolved when users have it back (`SENTRY_RESOLVE`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from bot.clients.http import HttpError
from bot.performers.kit import JobLike, Kit, Performer
from phases.actions import IssuesResolved
from phases.effects import ResolveIssues

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
        pattern = kit.service(incident).release.sentry
        named = (pattern.replace("{version}", name) for name in (effect.release, effect.commit) if name)
        try:
            done = await resolver.resolve(effect.issues, tuple(named))
        except HttpError as error:
            if error.status not in (401, 403) or error.retryable:
                raise
            links = tuple(resolver.link(issue) for issue in effect.issues[:LINKED])
            return IssuesResolved(resolved=0, release=None, refused=error.text, links=links)
        return IssuesResolved(resolved=len(done), release=effect.release if all(done) else None)

    return {"issues.resolve": resolve}
