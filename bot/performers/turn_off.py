"""Turning off a flag or a switch: started once under a record, and followed as a deploy is.

That it is off is not read back: no command of the catalogue tells. The checks after it do.
"""

from __future__ import annotations

from bot.performers.context import EffectContext, Job, performs
from phases.messages.effects import StartTurnOff
from phases.messages.results import (
    DeployFinished,
    DeployNotStarted,
    DeployProgressed,
    DeployStarted,
)
from phases.mitigation.steps import NOTHING_DEPLOYED
from phases.ports.ports import PortError
from phases.record.findings import DeployProof
from phases.record.service import Service

TRIES = 4
"""Some seconds: production burns while nobody is told that nothing is being turned off."""


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
        if error.retryable and job.attempt < TRIES:
            raise
        if error.retryable and not await context.switch.give_up(service, id):
            # Nobody knows whether it started: people are paged.
            raise PortError(error.system, error.text) from error
        return DeployNotStarted(deploy_id=id, reason=error.text)
    return DeployStarted(deploy_id=id)


async def follow_turn_off(
    id: str, service: Service, context: EffectContext
) -> DeployProgressed | DeployFinished:
    state = await context.switch.look(service, id)
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
