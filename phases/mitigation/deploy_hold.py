"""Phase 3, what a rollback leaves open: the trouble is in the code, and a deploy may bring it back.

Deploys by others are heard here, too. Each is said once, is asked about where it may be the fix,
and is warned about while deploys should wait.
"""

from datetime import datetime, timedelta
from typing import Literal

from phases.messages.actions import DeployedByOthers
from phases.messages.commands import CauseFixed
from phases.messages.effects import Say
from phases.mitigation.hotfix_merge import newest_deploy, unmerged
from phases.record.findings import DeploySeen, Release
from phases.record.incident import ActionKind, Incident, RoundAction, Status
from phases.record.limits import HEARD_MOST
from phases.record.tokens import mentioned
from phases.shared.announce import tell
from phases.shared.change import Draft, Refused
from phases.text.wording import stamp
from phases.triage.deploys.deploy_history import SAME_DEPLOY

DEPLOY = "deploy:"
"""Begins the key of a deploy among what an incident has heard: `deploy:1.4.0@2026-11-22T…`."""


def hold(incident: Incident) -> str | None:
    """Say that the next deploy could bring the trouble back; None where deploys are free.

    *Resolved* means that it is understood and written down, not that the code is mended. The hold
    ends when something is shipped forward, when somebody says that the cause is fixed, or when the
    incident is closed (rules: Hold).
    """
    action = _rollback_in_effect(incident)
    if action is None:
        return None
    to = action.to_release.version if action.to_release else "?"
    if (over := _deployed_since(incident, action)) is not None:
        was = f"{over} was deployed over the rollback to {to}"
        return f"Hold: {was}; it could bring the trouble back."
    rolled_back = f"{incident.service} is rolled back to {to}"
    return f"Hold: {rolled_back}; a deploy could bring the trouble back."


def _rollback_in_effect(incident: Incident) -> RoundAction | None:
    newest = newest_deploy(incident)
    if incident.status.over or incident.cause_fixed_by is not None or newest is None:
        return None
    action = newest.action
    if newest.verdict == "not recovered" or action is None:
        return None
    return action if action.kind is ActionKind.ROLLBACK else None


def _deployed_since(incident: Incident, action: RoundAction) -> str | None:
    """Return the version that others deployed last over a rollback, as far as was heard."""
    begins, to = action.finished_at or action.at, action.to_release
    brought = {key for part in incident.brought.values() for key in part.heard}
    since: list[tuple[datetime, str]] = []
    for key in incident.heard:
        version, _, at = key.removeprefix(DEPLOY).rpartition("@")
        if key.startswith(DEPLOY) and key not in brought and datetime.fromisoformat(at) > begins:
            since.append((datetime.fromisoformat(at), version))
    version = max(since)[1] if since else None
    if version is None or (to is not None and Release(version=version).same_as(to)):
        return None
    return version


def deployed_by_others(draft: Draft, action: DeployedByOthers) -> None:
    """Hear of a deploy that the bot did not start, and ask about it where it may be the fix."""
    incident, deploy, owners = draft.incident, action.deploy, draft.service.owners
    held, open_end = _rollback_in_effect(incident), unmerged(incident)
    waits = incident.status is Status.RESOLVED and (held is not None or open_end is not None)
    if (
        not (incident.open or waits)
        or _started_by_us(incident, deploy)
        or _was_heard(incident, deploy)
    ):
        return
    version = deploy.release.version
    key = f"{_heard_key(version)}{deploy.started_at.isoformat()}"
    draft.set(heard=(*incident.heard, key)[-HEARD_MOST:])
    by = f" by {deploy.by}" if deploy.by else ""
    text = f"{version} was deployed{by}, {stamp(deploy.started_at)}."
    draft.note("deploy", text).dirty("status")
    ask: Literal["fixed", ""] = "fixed" if held is not None else ""
    if incident.status.undecided:
        tell(draft, Say(text=f"{text} Is that the fix?", ask="foreign deploy"))
    elif any(deploy.release.same_as(Release(version=gone)) for gone in incident.rolled_back):
        again = f"{text} This incident rolled it back."
        tell(draft, Say(text=again, mention=owners, ask=ask), strong="Careful:")
    elif held is not None and (to := held.to_release) and deploy.release.same_as(to):
        tell(draft, Say(text=text, thread=True))
    elif held is not None:
        over = f"over the rollback to {held.to_release.version if held.to_release else '?'}"
        back = f"{text.rstrip('.')}, {over}: it could bring the trouble back."
        tell(draft, Say(text=back, mention=owners, ask=ask), strong="Careful:")
    elif open_end is not None:
        tell(
            draft, Say(text=f"{text} {open_end} Is it still in?", mention=owners), strong="Careful:"
        )
    else:
        tell(draft, Say(text=text, thread=True))


def cause_fixed(draft: Draft, action: CauseFixed) -> Refused | None:
    """A person says that what brought it is mended: deploys are no longer on hold."""
    incident = draft.incident
    if incident.cause_fixed_by is not None:
        who = mentioned(incident.cause_fixed_by)
        return Refused("stale", f"{who} has said so already. Nothing was changed.")
    if hold(incident) is None:
        return Refused("stale", "Deploys are no longer on hold. Nothing was changed.")
    text = f"{mentioned(action.by)} says that the cause is fixed: deploys are no longer on hold."
    draft.set(cause_fixed_by=action.by).note("deploy", text, by=action.by)
    tell(draft, text)
    return None


def _started_by_us(incident: Incident, deploy: DeploySeen) -> bool:
    """True if we started it: the same version in the time of our deploy, told by somebody else.

    What comes after ours has failed is none of ours: somebody ran the pipeline again.
    """
    for current in incident.rounds:
        action = current.action
        if action is None or action.to_release is None:
            continue
        begins = action.at - SAME_DEPLOY
        failed = action.result in ("failed", "not started")
        late = timedelta(0) if failed else SAME_DEPLOY
        ends = (action.finished_at or deploy.started_at) + late
        if action.to_release.same_as(deploy.release) and begins <= deploy.started_at <= ends:
            return True
    return False


def _was_heard(incident: Incident, deploy: DeploySeen) -> bool:
    """True if it was said already, by this source or another one."""
    begins = _heard_key(deploy.release.version)
    times = (
        datetime.fromisoformat(key.removeprefix(begins))
        for key in incident.heard
        if key.startswith(begins)
    )
    return any(abs(at - deploy.started_at) <= SAME_DEPLOY for at in times)


def _heard_key(version: str) -> str:
    return f"{DEPLOY}{version}@"
