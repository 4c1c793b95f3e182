"""*Prepare revert*, done on GitHub."""

from __future__ import annotations

from bot.performers.context import JobLike, Kit, Performer
from phases.messages.effects import Revert
from phases.messages.results import RevertPrepared
from phases.ports.ports import NotSetUp, Reverts
from phases.record.privacy import outside


def reverting(kit: Kit, reverts: Reverts | None) -> dict[str, Performer]:
    async def revert(effect: Revert, job: JobLike) -> RevertPrepared:
        incident = await kit.incident(job)
        if reverts is None:
            raise NotSetUp("GitHub", "GITHUB_TOKEN is not set")
        why = f"Prepared in {incident.id}: {outside(incident).title}\n\nA person asked for it; it is merged by people, like any other."
        url = await reverts.prepare(kit.service(incident), effect.pull_request, why)
        return RevertPrepared(pull_request=effect.pull_request, url=url)

    return {"revert": revert}
