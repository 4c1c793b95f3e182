"""Sentry's issues are set to resolved when users have recovered (`SENTRY_RESOLVE`)."""

import asyncio
from collections.abc import Sequence

from bot.clients.http.errors import HttpError
from bot.clients.sentry.resolver import SentryIssues, Way
from bot.performers.context import EffectContext, performs
from bot.store.job import Job
from phases.messages.effects import ResolveIssues
from phases.messages.results import IssuesResolved
from phases.record.service import Service

LINKS_SHOWN = 3
"""Issues whose links are shown where we may not resolve them."""


@performs(ResolveIssues)
async def resolve(effect: ResolveIssues, job: Job, context: EffectContext) -> IssuesResolved:
    resolver = context.resolver
    if resolver is None:
        return IssuesResolved(resolved=0, release=None)
    service = context.service(await context.incident(job))
    try:
        ways = await ways_to_try(context, effect, service, resolver)
        resolved = await resolver.resolve(effect.issues, ways)
    except HttpError as error:
        if error.status not in (401, 403, 404) or error.retryable:
            raise
        links = tuple(resolver.link(issue) for issue in effect.issues[:LINKS_SHOWN])
        return IssuesResolved(resolved=0, release=None, refused=error.text, links=links)
    if any(way.next for way in resolved):
        return IssuesResolved(resolved=len(resolved), release=None, next=True)
    names = service.release
    versions = {names.version_of(names.sentry, way.release) or way.release for way in resolved}
    version = versions.pop() or None if len(versions) == 1 else None
    return IssuesResolved(resolved=len(resolved), release=version)


async def ways_to_try(
    context: EffectContext, effect: ResolveIssues, service: Service, resolver: SentryIssues
) -> tuple[Way, ...]:
    """Return the ways to try, in their order. Raises `PortError`.

    After a rollback an issue is never resolved in the release that was gone back to. To Sentry
    every event of the release that was taken back would then be a regression, because that release
    is newer. It is resolved in the release after that one, where Sentry knows it already; else in
    the next one that it will hear of.
    """
    if effect.taken_back is not None:
        gone = (
            await _sentry_versions(context, service, [effect.taken_back])
            if effect.taken_back
            else []
        )
        later = await resolver.after(gone[0], service.sentry) if gone else None
        return (*((Way(later),) if later else ()), Way(next=True))
    versions = [name for name in (effect.release, effect.commit) if name]
    known = await _sentry_versions(context, service, versions)
    return (*map(Way, known), Way(next=True)) if known else ()


async def _sentry_versions(
    context: EffectContext, service: Service, names: Sequence[str]
) -> list[str]:
    """Return what Sentry calls these versions, newest first. Raises `PortError`.

    Builds and abbreviated commits are known to Sentry alone.
    """
    if context.tracker is None:
        return [
            service.release.in_sentry(name) for name in names if not service.release.with_builds
        ]
    answers = await asyncio.gather(*(context.tracker.names_of(service, name) for name in names))
    return list(dict.fromkeys(name for answer in answers for name in answer))
