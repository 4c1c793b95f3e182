"""Phase 3, what a rollback leaves open: what brought the trouble is still in the code, and the next deploy could bring it back.

Deploys by others are heard here, too: said once, asked about where one may be the fix, warned about while they should wait.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from phases.messages.actions import DeployedByOthers
from phases.messages.commands import CauseFixed
from phases.mitigation.hotfix_merge import newest_deploy, unmerged
from phases.record.findings import DeploySeen, Release
from phases.record.incident import ActionKind, Incident, Status
from phases.record.limits import HEARD
from phases.record.tokens import mentioned
from phases.record.wording import stamp
from phases.steps.announce import tell
from phases.steps.change import Draft, Refused

SAME_DEPLOY = timedelta(
    minutes=10
)  # two sources tell of one deploy; their clocks and moments differ


def hold(incident: Incident) -> str | None:
    """After a rollback a deploy could bring it back (rules: Hold). None: deploy as you like.

    *Resolved* says that it is understood and written down, not that the code is mended: it holds until something was shipped
    forward, somebody says that the cause is fixed, or the incident is closed.
    """
    newest = newest_deploy(incident)
    over = incident.status.over or incident.cause_fixed_by is not None
    if over or newest is None or newest.verdict == "not recovered":
        return None
    action = newest.action
    if action is None or action.kind is not ActionKind.ROLLBACK:
        return None
    to = action.to_release.version if action.to_release else "?"
    return (
        f"Hold: {incident.service} is rolled back to {to}; a deploy could bring the trouble back."
    )


def deployed_by_others(draft: Draft, action: DeployedByOthers) -> None:
    """A deploy that the bot did not start: in the timeline, said once, asked about where it may be the fix."""
    incident = draft.incident
    deploy = action.deploy
    version = deploy.release.version
    ask: Literal["fixed", ""] = "fixed" if hold(incident) is not None else ""
    waits = incident.status is Status.RESOLVED and (ask or unmerged(incident) is not None)
    if not (incident.open or waits) or _ours(incident, deploy) or _heard(incident, deploy):
        return
    draft.set(heard=(*incident.heard, f"deploy:{version}@{deploy.started_at.isoformat()}")[-HEARD:])
    by = f" by {deploy.by}" if deploy.by else ""
    said = f"{version} was deployed{by}, {stamp(deploy.started_at)}."
    draft.note("deploy", said).dirty("status")
    if incident.status.undecided:
        tell(draft, f"{said} Is that the fix?", ask="foreign deploy")
        return
    if any(deploy.release.same_as(Release(version=one)) for one in incident.rolled_back):
        again = f"{said} This incident rolled it back."
        tell(draft, again, strong="Careful:", mention=draft.service.owners, ask=ask)
        return
    if (holds := hold(incident)) is not None:
        tell(draft, f"{said} {holds}", strong="Careful:", mention=draft.service.owners, ask=ask)
        return
    if (undone := unmerged(incident)) is not None:
        tell(
            draft,
            f"{said} {undone} Is it still in?",
            strong="Careful:",
            mention=draft.service.owners,
        )
        return
    tell(draft, said, thread=True)


def cause_fixed(draft: Draft, action: CauseFixed) -> Refused | None:
    """A person's word: what brought it is mended, and deploys are free again."""
    incident = draft.incident
    if incident.cause_fixed_by is not None:
        return Refused(
            "stale",
            f"{mentioned(incident.cause_fixed_by)} has said so already. Nothing was changed.",
        )
    if hold(incident) is None:
        return Refused("stale", "Nothing holds deploys any more. Nothing was changed.")
    draft.set(cause_fixed_by=action.by)
    said = f"{mentioned(action.by)} says that the cause is fixed: deploys are free again."
    tell(draft.note("deploy", said, by=action.by), said)
    return None


def _ours(incident: Incident, deploy: DeploySeen) -> bool:
    """Told by somebody else, but started by us: the same version in the time of our deploy."""
    for one in incident.rounds:
        action = one.action
        if (
            action is None
            or action.to_release is None
            or not action.to_release.same_as(deploy.release)
        ):
            continue
        ends = (action.finished_at or deploy.started_at) + SAME_DEPLOY
        if action.at - SAME_DEPLOY <= deploy.started_at <= ends:
            return True
    return False


def _heard(incident: Incident, deploy: DeploySeen) -> bool:
    """Said already, by this source or another one."""
    begins = f"deploy:{deploy.release.version}@"
    times = (
        datetime.fromisoformat(one.removeprefix(begins))
        for one in incident.heard
        if one.startswith(begins)
    )
    return any(abs(at - deploy.started_at) <= SAME_DEPLOY for at in times)
