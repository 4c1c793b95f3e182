"""*Prepare revert*: the pull request that takes the culprit back. It is merged by people, or shipped as a hotfix; never by the bot."""

from __future__ import annotations

from datetime import datetime

from phases.messages.commands import PrepareRevert
from phases.messages.effects import Revert
from phases.messages.results import RevertPrepared
from phases.record.findings import Suspect
from phases.record.incident import Incident
from phases.record.limits import HEARD
from phases.record.service import Service
from phases.record.tokens import mentioned
from phases.record.wording import short
from phases.root_cause.leading_cause import leading
from phases.steps.announce import tell, worked
from phases.steps.change import Change, Draft, Refused


def culprit(incident: Incident) -> Suspect | None:
    """Return the commit to take back, where its pull request is known."""
    lead = leading(incident)
    known = (*incident.suspects, *((lead.bisected,) if lead.bisected else ()))
    meant = (s for s in known if lead.commit and s.sha.startswith(lead.commit))
    return next((s for s in meant if s.pull_request is not None), None)


def asked(incident: Incident, pull_request: str) -> bool:
    """Somebody wanted it already; a failure of it has its own *Try again*."""
    return _key(pull_request) in incident.heard


def prepare_revert(
    incident: Incident, action: PrepareRevert, service: Service, now: datetime
) -> Change | Refused:
    del service
    if incident.drill:
        return Refused("state", "This is a drill: no pull request is made.")
    found = culprit(incident)
    if found is None or found.pull_request != action.pull_request:
        return Refused(
            "stale", "The suspect has changed since. Nothing was done; look at it again."
        )
    if asked(incident, action.pull_request):
        return Refused("stale", "That revert is prepared already, or on its way.")
    draft = (
        Draft(incident, now)
        .set(heard=(*incident.heard, _key(action.pull_request))[-HEARD:])
        .dirty("tree")
    )
    said = f"{mentioned(action.by)} prepares the revert of {short(found.subject, 100)}"
    draft.note("decision", said, by=action.by)
    return draft.want(Revert(pull_request=action.pull_request)).done()


def revert_prepared(
    incident: Incident, action: RevertPrepared, service: Service, now: datetime
) -> Change:
    del service
    draft = worked(Draft(incident, now), "revert")
    if f"revert done:{action.pull_request}" in incident.heard:
        return draft.done()  # told twice
    draft.set(heard=(*incident.heard, f"revert done:{action.pull_request}")[-HEARD:])
    text = f"The revert of {action.pull_request} is prepared: {action.url}"
    draft.note("decision", text)
    if not incident.open:
        return draft.done()
    return tell(
        draft, f"{text}. Merge it when its checks are green, or ship it now with *Hotfix*."
    ).done()


def _key(pull_request: str) -> str:
    return f"revert:{pull_request}"
