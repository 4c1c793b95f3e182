"""*Prepare revert*, done on GitHub."""

from bot.performers.context import EffectContext, performs
from bot.store.job import Job
from phases.messages.effects import Revert
from phases.messages.results import RevertPrepared
from phases.ports.ports import NotSetUp
from phases.record.privacy import seen_from_outside


@performs(Revert)
async def revert(effect: Revert, job: Job, context: EffectContext) -> RevertPrepared:
    incident = await context.incident(job)
    if context.reverts is None:
        raise NotSetUp("GitHub", "GITHUB_TOKEN is not set")
    body = (
        f"Prepared in {incident.id}: {seen_from_outside(incident).title}\n\n"
        "A person asked for it; it is merged by people, like any other."
    )
    url = await context.reverts.prepare(context.service(incident), effect.pull_request, body)
    return RevertPrepared(pull_request=effect.pull_request, url=url)
