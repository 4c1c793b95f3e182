"""The merge of a shipped hotfix: looked at, and made by the ordinary call."""

from __future__ import annotations

from bot.performers.context import EffectContext, JobLike, Performer
from phases.messages.effects import LookAtMerge, MergePullRequest
from phases.messages.results import MergeRefused, MergeSeen
from phases.ports.ports import Merges, PortError
from phases.record.findings import Release
from phases.record.incident import Incident

TRIES = 4
"""Some seconds: who clicked waits for the answer, and can click again."""


def merging(ctx: EffectContext, merges: Merges) -> dict[str, Performer]:
    async def merge(effect: MergePullRequest, job: JobLike) -> MergeSeen | MergeRefused:
        service = ctx.service(await ctx.incident(job))
        try:
            state = await merges.merge(service, effect.number, effect.commit)
        except PortError as error:
            if error.retryable and job.attempt < TRIES:
                raise
            return MergeRefused(round=effect.round, reason=error.text)
        return MergeSeen(round=effect.round, state=state)

    async def look(effect: LookAtMerge, job: JobLike) -> MergeSeen:
        incident = await ctx.incident(job)
        fix = _shipped(incident, effect.round)
        state = await merges.state(ctx.service(incident), fix) if fix is not None else None
        return MergeSeen(round=effect.round, state=state)

    return {"merge": merge, "merge.look": look}


def _shipped(incident: Incident, number: int) -> Release | None:
    return next(
        (
            r.action.to_release
            for r in incident.rounds
            if r.number == number and r.action is not None
        ),
        None,
    )
