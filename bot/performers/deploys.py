"""Effects on production: each starts once under a record and is followed to its end.

A deploy is read back. That a flag or a switch is off is not: no command of the catalogue tells. The
checks after it do.
"""

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Literal

from bot.performers.context import EffectContext, helps_soon, performs
from bot.store.job import Job
from phases.messages.effects import FollowDeploy, StartDeploy, StartTurnOff
from phases.messages.results import (
    DeployFinished,
    DeployNotStarted,
    DeployProgressed,
    DeployStarted,
)
from phases.mitigation.steps import NOTHING_DEPLOYED
from phases.ports.ports import Deployer, NotSetUp, PortError
from phases.record.findings import DeployProof, MergeState, Release
from phases.record.incident import ActionKind, Incident, RoundAction
from phases.record.service import Service

log = logging.getLogger(__name__)

START_TRIES = 4
"""Some seconds: production burns while nobody is told that nothing is being done."""

ASKED_WHAT_RUNS = 4
"""Tries, over about 7 s, to read back what runs after a deploy has ended.

After them it is said to be unknown.
"""


@performs(StartDeploy)
async def start_deploy(
    effect: StartDeploy, job: Job, context: EffectContext
) -> DeployStarted | DeployNotStarted:
    incident = await context.incident(job)
    service = context.service(incident)
    if incident.drill:  # the rules want no deploy in a drill; one that is wanted ends here
        return DeployNotStarted(deploy_id=effect.deploy_id, reason=NOTHING_DEPLOYED)
    try:
        return await begin(effect, service, _deployer(context, service))
    except PortError as error:

        async def give_up() -> bool:
            return await _deployer(context, service).give_up(service, effect.deploy_id)

        return await _not_started(error, job, effect.deploy_id, give_up)


@performs(StartTurnOff)
async def start_turn_off(
    effect: StartTurnOff, job: Job, context: EffectContext
) -> DeployStarted | DeployNotStarted:
    incident = await context.incident(job)
    service, id = context.service(incident), effect.deploy_id
    if incident.drill:  # the rules want nothing in a drill; what is wanted ends here
        return DeployNotStarted(deploy_id=id, reason=NOTHING_DEPLOYED)
    try:
        await context.switch.start(service, id, effect.change)
    except PortError as error:
        return await _not_started(error, job, id, lambda: context.switch.give_up(id))
    return DeployStarted(deploy_id=id)


async def _not_started(
    error: PortError, job: Job, deploy_id: str, give_up: Callable[[], Awaitable[bool]]
) -> DeployNotStarted:
    """Return that nothing was started and nothing will be.

    Raises `PortError` while another try may help, and where nobody knows whether it started: then
    people are paged.
    """
    if helps_soon(error, job, START_TRIES):
        raise error
    if error.retryable and not await _given_up(give_up):
        raise PortError(error.system, error.text) from error
    return DeployNotStarted(deploy_id=deploy_id, reason=error.text)


async def _given_up(give_up: Callable[[], Awaitable[bool]]) -> bool:
    try:
        return await give_up()
    except PortError:
        return False


async def begin(
    effect: StartDeploy, service: Service, deployer: Deployer
) -> DeployStarted | DeployNotStarted:
    """Start it, unless an earlier try did, or something else runs than the decision assumed."""
    state = await deployer.look(service, effect.deploy_id)
    if state.taken and (state.state != "unknown" or state.started_at is not None):
        return DeployStarted(deploy_id=effect.deploy_id)  # following it tells the rest
    running = await deployer.running(service)
    ends_a_canary = effect.beside and same(running, effect.to)
    if effect.running is not None and not (same(running, effect.running) or ends_a_canary):
        version = running.version if running else "something unnamed"
        reason = f"{version} runs by now, not {effect.running.version}; decide again"
        return DeployNotStarted(deploy_id=effect.deploy_id, running=version, reason=reason)
    back = effect.kind is ActionKind.ROLLBACK and not ends_a_canary
    if back and running is not None and same(running, effect.to):
        reason = f"{effect.to.version} is what runs already"
        return DeployNotStarted(deploy_id=effect.deploy_id, running=running.version, reason=reason)
    hotfix = effect.kind is ActionKind.HOTFIX
    await deployer.start(service, effect.deploy_id, effect.to, hotfix=hotfix)
    return DeployStarted(deploy_id=effect.deploy_id, running=running)


@performs(FollowDeploy)
async def follow_deploy(
    effect: FollowDeploy, job: Job, context: EffectContext
) -> DeployProgressed | DeployFinished:
    incident = await context.incident(job)
    service = context.service(incident)
    action = _action(incident, effect.deploy_id)
    if not action.deploys:
        return await _follow_turn_off(effect.deploy_id, context)
    deployer = _deployer(context, service)
    state = await deployer.look(service, effect.deploy_id)
    if state.state == "running":
        return DeployProgressed(deploy_id=effect.deploy_id, lines=state.lines, output=state.output)
    result, reason, after = state.state, state.reason, None
    try:
        after = await _running(deployer, service)
    except PortError as error:
        if helps_soon(error, job, ASKED_WHAT_RUNS):
            raise
        # It has ended, and people wait: what runs is said to be unknown, and not asked for minutes.
        result = "failed" if result == "failed" else "unknown"
        reason = f"{reason or 'the deploy ended'}; {error.text}"
    result, reason = _checked(result, reason, after, action)
    hotfix_is_out = result == "done" and action.kind is ActionKind.HOTFIX
    return DeployFinished(
        deploy_id=effect.deploy_id,
        result=result,
        reason=reason,
        lines=state.lines,
        output=state.output,
        merge=await _merge(context, service, action) if hotfix_is_out else None,
        proof=_proof(action, after, state.started_at or action.started_at, context.now()),
    )


async def _follow_turn_off(id: str, context: EffectContext) -> DeployProgressed | DeployFinished:
    state = await context.switch.look(id)
    if state.state == "running":
        return DeployProgressed(deploy_id=id, lines=state.lines, output=state.output)
    return DeployFinished(
        deploy_id=id,
        result=state.state,
        reason="" if state.state == "done" else state.reason,
        lines=state.lines,
        output=state.output,
        proof=DeployProof(started_at=state.started_at, finished_at=context.now()),
    )


def same(release: Release | None, other: Release | None) -> bool:
    """Return whether both are the same release: by version, or by the commit of a hotfix."""
    return release is not None and other is not None and release.same_as(other)


def _deployer(context: EffectContext, service: Service) -> Deployer:
    deployer = context.deployer_for(service)
    if deployer is None:
        raise NotSetUp("deployer", f"{service.name} has no deployer in the catalogue")
    return deployer


def _action(incident: Incident, deploy_id: str) -> RoundAction:
    """Return the action of this deploy. Raises `PortError` where no round has it."""
    for decided in incident.rounds:
        if decided.action is not None and decided.action.deploy_id == deploy_id:
            return decided.action
    raise PortError("deployer", f"deploy {deploy_id} belongs to no round")


Result = Literal["done", "failed", "unknown"]


def _checked(
    result: Result, reason: str, after: Release | None, action: RoundAction
) -> tuple[Result, str]:
    """Return the deployer's word and its reason, held against what runs now."""
    if result == "done" and not same(after, action.to_release):
        runs = after.version if after else "nothing named"
        return "failed", f"the deployer says done, but what runs is {runs}"
    if result == "unknown" and after is not None and same(after, action.to_release):
        return "done", "read back from the deployer"
    return result, reason


async def _merge(
    context: EffectContext, service: Service, action: RoundAction
) -> MergeState | None:
    """Return how the hotfix's pull request stands, or None where nobody can be asked now.

    It is asked before people are told that the hotfix is not merged. Where nobody answers, it is
    asked again later (phases/mitigation/hotfix_merge.py).
    """
    if action.to_release is None:
        return None
    try:
        return await context.merges.state(service, action.to_release)
    except PortError as error:
        log.warning("whether a hotfix is merged could not be asked: %s", error.text)
        return None


async def _running(deployer: Deployer, service: Service) -> Release | None:
    """Return what runs, or None where the deployer cannot name it: the proof then says so."""
    try:
        return await deployer.running(service)
    except PortError as error:
        if error.retryable:
            raise
        return None


def _proof(
    action: RoundAction, after: Release | None, started_at: datetime | None, now: datetime
) -> DeployProof:
    named = action.to_release if same(after, action.to_release) else after
    return DeployProof.model_validate(
        {
            "before": action.from_release.version if action.from_release else None,
            "after": named.version if named else None,
            "started_at": started_at,
            "finished_at": now,
        }
    )
