"""Effects that measure: triage, investigation, bisect, re-checks. They only read outside."""

import asyncio
from collections.abc import Sequence
from itertools import chain

from bot.clients.git.bisect import LocalBisector
from bot.performers.context import EffectContext, need_tracker, performs
from bot.store.job import Job
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
from phases.ports.ports import NotSetUp, PortError
from phases.record.findings import DeploySeen
from phases.record.incident import Incident
from phases.record.service import Service
from phases.record.timeline import author_words
from phases.root_cause import investigate as root_cause
from phases.triage import measure as triage
from phases.triage.deploys.taken_back import Past, earlier_fixes
from phases.triage.reading.questions import Sources
from phases.triage.their_clock import triage_by_their_clock
from phases.verification import recurrence
from phases.verification.recheck import Recheck


@performs(Triage)
async def measure(_effect: Triage, job: Job, context: EffectContext) -> Triaged:
    tracker = need_tracker(context)
    incident = await context.recent(job)
    service = context.service(incident)
    sources = Sources(
        service,
        tracker,
        context.neighbours(service),
        context.deployer_for(service),
        context.source_for(service),
        context.deployments,
        context.endpoint,
        context.flags,
    )
    reported_deploys = asyncio.gather(
        *map(context.deploys.known, (service.name, *service.depends_on))
    )
    entries, incidents, deploys, changes = await asyncio.gather(
        context.dispatcher.timeline(incident.id),
        context.dispatcher.find(service=service.name, open_only=False),
        reported_deploys,
        context.changes.known(service.name),
    )
    known = [*_own_deploys(incidents), *chain.from_iterable(deploys)]
    burning = _burning(incidents, incident)
    words = tuple(each for entry in entries for each in author_words(entry))
    past = Past(words, earlier_fixes(incidents, incident.id), tuple(changes))
    answer = await triage_by_their_clock(
        context.now(),
        tracker.clock_ahead,
        lambda now: triage.triage(incident, sources, known, now, burning=burning, past=past),
    )
    question = recall.memory_question(incident, answer.report, context.now())
    try:
        memories = await context.memory.recall(question)
    except PortError as error:  # the blast radius does not wait for earlier incidents
        notes = (*answer.report.notes, f"Earlier incidents are not known ({error.text}).")
        report = answer.report.model_copy(update={"notes": notes})
        return answer.model_copy(update={"report": report})
    recollection = recall.recollect(memories, question, context.now())
    return answer.model_copy(update={"recollection": recollection})


def _own_deploys(incidents: Sequence[Incident]) -> list[DeploySeen]:
    """Return what the bot itself deployed on this service, newest first."""
    deploys = [
        DeploySeen(
            release=action.to_release,
            service=incident.service,
            started_at=action.started_at,
            finished_at=action.finished_at,
            by=f"<@{action.by}>",
            source="bot",
        )
        for incident in incidents
        if not incident.drill  # nothing that a drill decides is deployed
        for decided in incident.rounds
        if (action := decided.action) and action.result == "done"
        if action.to_release and action.started_at
    ]
    return sorted(deploys, key=lambda deploy: deploy.started_at, reverse=True)


def _burning(incidents: Sequence[Incident], asking: Incident) -> set[str]:
    """Return versions that another open incident of this service suspects.

    None of them is a target for a rollback.
    """
    return {
        incident.triage.suspect.version
        for incident in incidents
        if incident.open and incident.id != asking.id and not incident.drill
        if incident.triage is not None and incident.triage.suspect is not None
    }


@performs(LookUpIssues)
async def look_up_issues(effect: LookUpIssues, _job: Job, context: EffectContext) -> IssuesLookedUp:
    tracker = need_tracker(context)
    ids: dict[str, str] = {}
    for short_id in effect.short_ids:
        try:
            ids[short_id] = (await tracker.by_short_id(short_id)).id
        except PortError as error:
            if error.retryable:
                raise
    lost = tuple(short_id for short_id in effect.short_ids if short_id not in ids)
    return IssuesLookedUp(issues=tuple(ids.values()), short_ids=", ".join(ids), lost=lost)


@performs(Investigate)
async def investigate(_effect: Investigate, job: Job, context: EffectContext) -> Investigated:
    incident = await context.incident(job)
    service = context.service(incident)
    can_bisect = context.bisector_for(service) is not None
    return await root_cause.investigate(
        incident, service, context.source_for(service), can_bisect, context.now()
    )


@performs(StartBisect)
async def start_bisect(effect: StartBisect, job: Job, context: EffectContext) -> BisectMoved:
    service = context.service(await context.incident(job))
    bisector = _bisector(context, service)
    return BisectMoved(
        bisect=await bisector.start(service, effect.bisect_id, effect.good, effect.bad)
    )


@performs(FollowBisect)
async def follow_bisect(effect: FollowBisect, job: Job, context: EffectContext) -> BisectMoved:
    service = context.service(await context.incident(job))
    bisector = _bisector(context, service)
    ask = bisector.cancel if effect.cancel else bisector.look
    return BisectMoved(bisect=await ask(service, effect.bisect_id))


def _bisector(context: EffectContext, service: Service) -> LocalBisector:
    bisector = context.bisector_for(service)
    if bisector is None:
        raise NotSetUp("git", f"{service.name} has no `checkout` and `bisect` in the catalogue")
    return bisector


@performs(LookAgain)
async def look_again(effect: LookAgain, job: Job, context: EffectContext) -> Looked:
    incident = await context.incident(job)
    now = context.now()
    begun = next((r.clock_started_at for r in incident.rounds if r.number == effect.round), None)
    check = Recheck(
        incident=incident,
        service=context.service(incident),
        tracker=context.tracker,
        endpoint=context.endpoint,
        now=now,
        doubt=context.clock_doubt(begun or now),
    )
    if effect.minute:
        return await check.glance(effect.round, effect.minute)
    return await check.look(effect.round, effect.number)


@performs(LookBack)
async def look_back(effect: LookBack, job: Job, context: EffectContext) -> GuardLooked:
    incident = await context.incident(job)
    doubt = context.clock_doubt(recurrence.recovery_of(effect.look))
    service = context.service(incident)
    return await recurrence.look_back(
        incident, service, effect.look, context.tracker, context.now(), doubt=doubt
    )
