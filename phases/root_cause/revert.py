"""*Prepare revert*: the pull request that takes the culprit back. It is merged by people, or shipped as a hotfix; never by the bot."""

from __future__ import annotations

from phases.messages.commands import PrepareRevert
from phases.messages.effects import Revert
from phases.messages.results import RevertPrepared
from phases.record.findings import Suspect
from phases.record.incident import Incident
from phases.record.limits import HEARD
from phases.record.tokens import mentioned
from phases.record.wording import short
from phases.steps.announce import tell, worked
from phases.steps.change import Draft, Refused


def culprit(incident: Incident) -> Suspect | None:
    """The commit to take back: the bisect's, else that of the confirmed cause, else the first suspect; with its pull request."""
    found = incident.bisect.culprit if incident.bisect is not None else None
    sha = (
        found.sha
        if found is not None
        else incident.cause.commit
        if incident.cause is not None
        else None
    )
    if sha is None:
        meant = incident.suspects[:1]
    else:
        meant = tuple(
            s for s in (*incident.suspects, *([found] if found else ())) if s.sha.startswith(sha)
        )
    return next((s for s in meant if s.pull_request is not None), None)


def asked(incident: Incident, pull_request: str) -> bool:
    """Somebody wanted it already; a failure of it has its own *Try again*."""
    return _key(pull_request) in incident.heard


def prepare_revert(draft: Draft, action: PrepareRevert) -> Refused | None:
    incident = draft.incident
    if incident.drill:
        return Refused("state", "This is a drill: no pull request is made.")
    found = culprit(incident)
    if found is None or found.pull_request != action.pull_request:
        return Refused(
            "stale", "The suspect has changed since. Nothing was done; look at it again."
        )
    if asked(incident, action.pull_request):
        return Refused("stale", "That revert is prepared already, or on its way.")
    draft.set(heard=(*incident.heard, _key(action.pull_request))[-HEARD:])
    draft.dirty("tree")
    said = f"{mentioned(action.by)} prepares the revert of {short(found.subject, 100)}"
    draft.note("decision", said, by=action.by)
    draft.want(Revert(pull_request=action.pull_request))
    return None


def revert_prepared(draft: Draft, action: RevertPrepared) -> None:
    incident = draft.incident
    worked(draft, "revert")
    if f"revert done:{action.pull_request}" in incident.heard:
        return  # told twice
    draft.set(heard=(*incident.heard, f"revert done:{action.pull_request}")[-HEARD:])
    text = f"The revert of {action.pull_request} is prepared: {action.url}"
    draft.note("decision", text)
    if not incident.open:
        return
    tell(draft, f"{text}. Merge it when its checks are green, or ship it now with *Hotfix*.")


def _key(pull_request: str) -> str:
    return f"revert:{pull_request}"
