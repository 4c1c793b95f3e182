"""Sentry's issues are set to resolved when users have it back (`SENTRY_RESOLVE`)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from bot.clients.http.errors import HttpError
from bot.clients.sentry.resolver import Way
from bot.performers.context import EffectContext, JobLike, Performer
from phases.messages.effects import ResolveIssues
from phases.messages.results import IssuesResolved
from phases.record.service import Service

LINKED = 3


class Resolver(Protocol):
    async def resolve(self, issues: Sequence[str], ways: Sequence[Way]) -> tuple[Way, ...]:
        """Of each that is resolved now the way. Raises `PortError`."""
        ...

    async def after(self, taken_back: str, projects: Sequence[str]) -> str | None: ...

    def link(self, issue: str) -> str: ...


def resolving(ctx: EffectContext, resolver: Resolver | None) -> dict[str, Performer]:
    async def resolve(effect: ResolveIssues, job: JobLike) -> IssuesResolved:
        if resolver is None:  # switched off, or no Sentry
            return IssuesResolved(resolved=0, release=None)
        service = ctx.service(await ctx.incident(job))
        try:
            done = await resolver.resolve(effect.issues, await ways(ctx, effect, service, resolver))
        except HttpError as error:
            if error.status not in (401, 403, 404) or error.retryable:
                raise
            links = tuple(resolver.link(issue) for issue in effect.issues[:LINKED])
            return IssuesResolved(resolved=0, release=None, refused=error.text, links=links)
        names = {
            service.release.version_of(service.release.sentry, way.release) or way.release
            for way in done
        }
        if any(way.next for way in done):
            return IssuesResolved(resolved=len(done), release=None, next=True)
        return IssuesResolved(
            resolved=len(done), release=(names.pop() or None) if len(names) == 1 else None
        )

    return {"issues.resolve": resolve}


async def ways(
    ctx: EffectContext, effect: ResolveIssues, service: Service, resolver: Resolver
) -> tuple[Way, ...]:
    """Return the ways to try, in their order. Raises `PortError`.

    After a rollback never in what was gone back to: to Sentry that makes every event of the release that was taken back,
    which is newer, a regression. In the release after that one, where Sentry knows it already; else in the next one that
    it will hear of.
    """
    if effect.taken_back is not None:
        gone = await _called(ctx, service, [effect.taken_back]) if effect.taken_back else []
        later = await resolver.after(gone[0], service.sentry) if gone else None
        return (*((Way(later),) if later else ()), Way(next=True))
    known = await _called(ctx, service, [name for name in (effect.release, effect.commit) if name])
    return (*map(Way, known), Way(next=True)) if known else ()


async def _called(ctx: EffectContext, service: Service, names: Sequence[str]) -> list[str]:
    """Return what Sentry calls these versions, newest first: a build and an abbreviation are its own. Raises `PortError`."""
    if ctx.tracker is None:
        return [
            service.release.in_sentry(name) for name in names if not service.release.with_builds
        ]
    found = await asyncio.gather(*(ctx.tracker.names_of(service, name) for name in names))
    return list(dict.fromkeys(one for called in found for one in called))
