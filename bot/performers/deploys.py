"""Effects on production: a deploy is started once under a record, and then asked about until it has ended."""

from __future__ import annotations

import logging

from bot.performers.context import EffectContext, JobLike, Performer
from phases.messages.effects import FollowDeploy, StartDeploy
from phases.messages.results import (
    DeployFinished,
    DeployNotStarted,
    DeployProgressed,
    DeployStarted,
)
from phases.mitigation.steps import NOTHING_DEPLOYED
from phases.ports.ports import Deployer, Merges, NotSetUp, PortError
from phases.record.findings import DeployProof, MergeState, Release
from phases.record.incident import ActionKind, RoundAction
from phases.record.service import Service

log = logging.getLogger(__name__)

DEPLOYER_TRIES = 4
"""Some seconds: production burns while nobody is told that nothing is being deployed."""

ASKED_WHAT_RUNS = 4
"""Tries, over about 7 s, to read back what runs after a deploy has ended, before that is said to be unknown."""


def same(one: Release | None, other: Release | None) -> bool:
    """The same release: by version, or by the head commit of a hotfix."""
    return one is not None and other is not None and one.same_as(other)


def acting(ctx: EffectContext, merges: Merges) -> dict[str, Performer]:
    def deployer(service: Service) -> Deployer:
        found = ctx.deployer_for(service)
        if found is None:
            raise NotSetUp("deployer", f"{service.name} has no deployer in the catalogue")
        return found

    async def start_deploy(effect: StartDeploy, job: JobLike) -> DeployStarted | DeployNotStarted:
        incident = await ctx.incident(job)
        service = ctx.service(incident)
        if (
            incident.drill
        ):  # the rules ask for no deploy in a drill; were one asked for, it would end here
            return DeployNotStarted(deploy_id=effect.deploy_id, reason=NOTHING_DEPLOYED)
        try:
            port = deployer(service)
            state = await port.look(service, effect.deploy_id)
            if state.taken and (state.state != "unknown" or state.started_at is not None):
                return DeployStarted(
                    deploy_id=effect.deploy_id
                )  # an earlier try started it; following tells the rest
            running = await port.running(service)
            if effect.running is not None and not same(running, effect.running):
                now = running.version if running else "something unnamed"
                said = f"{now} runs by now, not {effect.running.version}; decide again"
                return DeployNotStarted(deploy_id=effect.deploy_id, running=now, reason=said)
            if (
                effect.kind is ActionKind.ROLLBACK
                and running is not None
                and same(running, effect.to)
            ):
                said = f"{effect.to.version} is what runs already"
                return DeployNotStarted(
                    deploy_id=effect.deploy_id, running=running.version, reason=said
                )
            await port.start(
                service, effect.deploy_id, effect.to, hotfix=effect.kind is ActionKind.HOTFIX
            )
        except PortError as error:
            if error.retryable and job.attempt < DEPLOYER_TRIES:
                raise
            if error.retryable and not await _given_up(service, effect.deploy_id):
                raise PortError(
                    error.system, error.text, retryable=False
                ) from error  # unknown: people are paged
            return DeployNotStarted(deploy_id=effect.deploy_id, reason=error.text)
        return DeployStarted(deploy_id=effect.deploy_id, running=running)

    async def _given_up(service: Service, deploy_id: str) -> bool:
        try:
            return await deployer(service).give_up(service, deploy_id)
        except PortError:
            return False

    async def follow_deploy(
        effect: FollowDeploy, job: JobLike
    ) -> DeployProgressed | DeployFinished:
        incident = await ctx.incident(job)
        service = ctx.service(incident)
        acted = next(
            (
                r.action
                for r in incident.rounds
                if r.action and r.action.deploy_id == effect.deploy_id
            ),
            None,
        )
        if acted is None:
            raise PortError(
                "deployer", f"deploy {effect.deploy_id} belongs to no round", retryable=False
            )
        port = deployer(service)
        state = await port.look(service, effect.deploy_id)
        if state.state == "running":
            return DeployProgressed(
                deploy_id=effect.deploy_id, lines=state.lines, output=state.output
            )
        result, reason, after = state.state, state.reason, None
        try:
            after = await _runs(port, service)
        except PortError as error:
            if error.retryable and job.attempt < ASKED_WHAT_RUNS:
                raise
            # It has ended, and people wait for the word: what runs is said to be unknown rather than asked for minutes.
            result = "failed" if result == "failed" else "unknown"
            reason = f"{reason or 'the deploy ended'}; {error.text}"
        if result == "done" and not same(after, acted.to_release):
            result, reason = (
                "failed",
                f"the deployer says done, but {after.version if after else 'nothing named'} runs",
            )
        elif result == "unknown" and after is not None and same(after, acted.to_release):
            result, reason = "done", "read back from the deployer"
        return DeployFinished(
            deploy_id=effect.deploy_id,
            result=result,
            reason=reason,
            lines=state.lines,
            output=state.output,
            merge=await _merge(service, acted)
            if result == "done" and acted.kind is ActionKind.HOTFIX
            else None,
            proof=_proof(acted, after, state.started_at or acted.started_at),
        )

    async def _merge(service: Service, acted: RoundAction) -> MergeState | None:
        """Asked before it is said that the hotfix is not merged; who cannot be asked is asked again (phases/mitigation/hotfix_merge.py)."""
        try:
            return (
                await merges.state(service, acted.to_release)
                if acted.to_release is not None
                else None
            )
        except PortError as error:
            log.warning("whether a hotfix is merged could not be asked: %s", error.text)
            return None

    async def _runs(port: Deployer, service: Service) -> Release | None:
        try:
            return await port.running(service)
        except PortError as error:
            if error.retryable:
                raise
            return None  # the deployer cannot name it; the proof then says so

    def _proof(acted: RoundAction, after: Release | None, started_at: object) -> DeployProof:
        named = acted.to_release if same(after, acted.to_release) else after
        return DeployProof.model_validate(
            {
                "before": acted.from_release.version if acted.from_release else None,
                "after": named.version if named else None,
                "started_at": started_at,
                "finished_at": ctx.now(),
            }
        )

    return {"deploy.start": start_deploy, "deploy.follow": follow_deploy}
