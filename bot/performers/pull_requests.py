"""Pull requests: the merge of a shipped hotfix, by the ordinary call, and *Prepare revert*."""

from bot.performers.context import EffectContext, helps_soon, performs
from bot.store.job import Job
from phases.messages.effects import LookAtMerge, MergePullRequest, Revert
from phases.messages.results import MergeRefused, MergeSeen, RevertPrepared
from phases.ports.ports import NotSetUp, PortError
from phases.record.privacy import seen_from_outside

TRIES = 4
"""Some seconds: the person who clicked waits for the answer, and can click again."""


@performs(MergePullRequest)
async def merge(
    effect: MergePullRequest, job: Job, context: EffectContext
) -> MergeSeen | MergeRefused:
    service = context.service(await context.incident(job))
    try:
        state = await context.merges.merge(service, effect.number, effect.commit)
    except PortError as error:
        if helps_soon(error, job, TRIES):
            raise
        return MergeRefused(round=effect.round, reason=error.text)
    return MergeSeen(round=effect.round, state=state)


@performs(LookAtMerge)
async def look_at_merge(effect: LookAtMerge, job: Job, context: EffectContext) -> MergeSeen:
    incident = await context.incident(job)
    decided = incident.round_of(effect.round)
    hotfix = decided.action.to_release if decided is not None and decided.action else None
    state = await context.merges.state(context.service(incident), hotfix) if hotfix else None
    return MergeSeen(round=effect.round, state=state)


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
