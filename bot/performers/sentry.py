"""Effects that measure: triage, investigation, bisect, the re-check. Read-only on everything outside."""

from __future__ import annotations

from datetime import timedelta

from bot.performers.context import EffectContext, JobLike, Performer, need_tracker
from phases.memory import recall
from phases.messages.effects import (
    FollowBisect,
    Investigate,
    LookAgain,
    LookBack,
    LookUpIssues,
    StartBisect,
    Triage,
)
from phases.messages.results import (
    BisectMoved,
    GuardLooked,
    Investigated,
    IssuesLookedUp,
    Looked,
    Triaged,
)
from phases.ports.ports import Bisector, NotSetUp, PortError
from phases.record.service import Service
from phases.root_cause import investigate as root_cause
from phases.triage import measure as triage
from phases.verification import recheck, recurrence


def measuring(ctx: EffectContext) -> dict[str, Performer]:
    async def measure(effect: Triage, job: JobLike) -> Triaged:
        del effect
        tracker = need_tracker(ctx)
        incident = await ctx.incident(job)
        service = ctx.service(incident)
        answer = await triage.triage(
            incident,
            service,
            ctx.neighbours(service),
            tracker,
            ctx.deployer_for(service),
            ctx.source_for(service),
            [*await ctx.own_deploys(service), *await ctx.told_deploys(service.name)],
            ctx.now(),
            burning=await ctx.burning(service, incident),
            elsewhere=ctx.deploy_history,
        )
        asked = recall.question(incident, answer.report, ctx.now())
        try:
            recalled = await ctx.memory.recall(asked)
        except PortError as error:  # who is hit does not wait for what was there before
            notes = (*answer.report.notes, f"Earlier incidents are not known ({error.text}).")
            return answer.model_copy(
                update={"report": answer.report.model_copy(update={"notes": notes})}
            )
        found = recall.recollect(recalled, asked, ctx.now())
        return answer.model_copy(update={"recollection": found})

    async def look_up(effect: LookUpIssues, job: JobLike) -> IssuesLookedUp:
        del job
        tracker = need_tracker(ctx)
        found: dict[str, str] = {}
        for short_id in effect.short_ids:
            try:
                found[short_id] = (await tracker.by_short_id(short_id)).id
            except PortError as error:
                if error.retryable:
                    raise
        lost = tuple(one for one in effect.short_ids if one not in found)
        return IssuesLookedUp(found=tuple(found.values()), said=", ".join(found), lost=lost)

    async def investigate(effect: Investigate, job: JobLike) -> Investigated:
        del effect
        incident = await ctx.incident(job)
        service = ctx.service(incident)
        return await root_cause.investigate(
            incident,
            service,
            ctx.source_for(service),
            ctx.bisector_for(service) is not None,
            ctx.now(),
        )

    def bisector(service: Service) -> Bisector:
        found = ctx.bisector_for(service)
        if found is None:
            raise NotSetUp("git", f"{service.name} has no `checkout` and `bisect` in the catalogue")
        return found

    async def start_bisect(effect: StartBisect, job: JobLike) -> BisectMoved:
        service = ctx.service(await ctx.incident(job))
        return BisectMoved(
            bisect=await bisector(service).start(service, effect.bisect_id, effect.good, effect.bad)
        )

    async def follow_bisect(effect: FollowBisect, job: JobLike) -> BisectMoved:
        service = ctx.service(await ctx.incident(job))
        port = bisector(service)
        ask = port.cancel if effect.cancel else port.look
        return BisectMoved(bisect=await ask(service, effect.bisect_id))

    async def look_again(effect: LookAgain, job: JobLike) -> Looked:
        incident = await ctx.incident(job)
        service = ctx.service(incident)
        now = ctx.now()
        begun = next(
            (r.clock_started_at for r in incident.rounds if r.number == effect.round), None
        )
        forward = timedelta(seconds=ctx.forward_since(begun or now))
        return await recheck.look_again(
            incident,
            service,
            effect.round,
            effect.number,
            ctx.tracker,
            ctx.endpoint,
            now,
            forward=forward,
        )

    async def look_back(effect: LookBack, job: JobLike) -> GuardLooked:
        incident = await ctx.incident(job)
        forward = timedelta(seconds=ctx.forward_since(recurrence.recovery(effect.look)))
        service = ctx.service(incident)
        return await recurrence.look_back(
            incident, service, effect.look, ctx.tracker, ctx.now(), forward=forward
        )

    return {
        "triage": measure,
        "issues.lookup": look_up,
        "investigate": investigate,
        "bisect.start": start_bisect,
        "bisect.follow": follow_bisect,
        "look": look_again,
        "guard.look": look_back,
    }
