"""The merge of a shipped hotfix: looked at, and made by the ordinary call."""

from __future__ import annotations

from bot.performers.context import EffectContext, helps_soon, performs
from bot.store.job import Job
from phases.messages.effects import LookAtMerge, MergePullRequest
from phases.messages.results import MergeRefused, MergeSeen
from phases.ports.ports import PortError
from phases.record.findings import Release
from phases.record.incident import Incident

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
    hotfix = _shipped(incident, effect.round)
    if hotfix is None:
        return MergeSeen(round=effect.round, state=None)
    state = await context.merges.state(context.service(incident), hotfix)
    return MergeSeen(round=effect.round, state=state)


def _shipped(incident: Incident, number: int) -> Release | None:
    for decided in incident.rounds:
        if decided.number == number and decided.action is not None:
            return decided.action.to_release
    return None
