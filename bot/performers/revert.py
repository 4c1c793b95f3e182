"""*Prepare revert*, done on GitHub."""

from __future__ import annotations

from bot.performers.context import EffectContext, JobLike, Performer
from phases.messages.effects import Revert
from phases.messages.results import RevertPrepared
from phases.ports.ports import NotSetUp, Reverts
from phases.record.privacy import outside


def reverting(ctx: EffectContext, reverts: Reverts | None) -> dict[str, Performer]:
    async def revert(effect: Revert, job: JobLike) -> RevertPrepared:
        incident = await ctx.incident(job)
        if reverts is None:
            raise NotSetUp("GitHub", "GITHUB_TOKEN is not set")
        why = f"Prepared in {incident.id}: {outside(incident).title}\n\nA person asked for it; it is merged by people, like any other."
        url = await reverts.prepare(ctx.service(incident), effect.pull_request, why)
        return RevertPrepared(pull_request=effect.pull_request, url=url)

    return {"revert": revert}
