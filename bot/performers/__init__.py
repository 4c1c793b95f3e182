"""One function an effect: ports or Slack plus views → the action that says how it ended."""

from __future__ import annotations

from bot.performers.context import EffectContext, Performer
from bot.performers.deploys import acting
from bot.performers.hotfix_merge import merging
from bot.performers.notify import coordinating
from bot.performers.postmortem import writing
from bot.performers.resolve_issues import Resolver, resolving
from bot.performers.revert import reverting
from bot.performers.sentry import measuring
from bot.performers.slack import speaking
from bot.performers.tickets import ticketing
from bot.performers.timeline import reading
from phases.ports.ports import Merges, Reverts

SYSTEMS: dict[str, str] = {
    "open.channel": "slack",
    "archive": "slack",
    "bookmark": "slack",
    "set.topic": "slack",
    "invite": "slack",
    "post.live": "slack",
    "pin": "slack",
    "say": "slack",
    "remind": "slack",
    "message.read": "slack",
    "post.summary": "slack",
    "triage": "sentry",
    "issues.lookup": "sentry",
    "look": "sentry",
    "guard.look": "sentry",
    "issues.resolve": "sentry",
    "investigate": "git",
    "bisect.start": "git",
    "bisect.follow": "git",
    "revert": "github",
    "merge": "github",
    "merge.look": "github",
    "deploy.start": "deployer",
    "deploy.follow": "deployer",
    "ticket.open": "linear",
    "ticket.attach": "linear",
    "ticket.comment": "linear",
    "ticket.parent": "linear",
    "ticket.close": "linear",
    "ticket.channel": "linear",
    "ticket.catch_up": "linear",
    "ticket.sync": "linear",
    "ticket.look": "linear",
    "items.open": "linear",
    "items.sync": "linear",
    "items.remind": "slack",
    "discord": "discord",
    "discord.pin": "discord",
    "page": "pagerduty",
    "page.follow": "pagerduty",
    "zone": "slack",
    "adr.revise": "git",
    "adr.number": "git",
    "adr.write": "git",
    "adr.complete": "git",
    "remember": "redis",
}
"""Which outside system an effect waits for: the worker bounds how many run at once for each."""


def performers(
    ctx: EffectContext,
    merges: Merges,
    reverts: Reverts | None = None,
    resolver: Resolver | None = None,
) -> dict[str, Performer]:
    """Every effect by its type, with what performs it."""
    return {
        **speaking(ctx),
        **reading(ctx),
        **measuring(ctx),
        **acting(ctx, merges),
        **merging(ctx, merges),
        **reverting(ctx, reverts),
        **resolving(ctx, resolver),
        **coordinating(ctx),
        **writing(ctx),
        **ticketing(ctx),
    }


__all__ = ["SYSTEMS", "EffectContext", "Performer", "performers"]
