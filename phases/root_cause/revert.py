"""Phase 2, *Prepare revert*: the pull request that takes the culprit back.

People merge it, or ship it as a hotfix; the bot never does.
"""

from phases.messages.commands import PrepareRevert
from phases.messages.effects import Revert
from phases.messages.results import RevertPrepared
from phases.record.findings import Suspect
from phases.record.incident import Incident
from phases.record.limits import HEARD_MOST
from phases.record.tokens import mentioned
from phases.root_cause.leading_cause import leading_cause
from phases.shared.announce import clear_failures, tell
from phases.shared.change import Draft, Refused
from phases.text.wording import short


def commit_to_revert(incident: Incident) -> Suspect | None:
    """Return the commit to take back, where its pull request is known."""
    lead = leading_cause(incident)
    known = (*incident.suspects, *((lead.bisected,) if lead.bisected else ()))
    meant = (s for s in known if lead.commit and s.sha.startswith(lead.commit))
    return next((s for s in meant if s.pull_request is not None), None)


def revert_was_asked(incident: Incident, pull_request: str) -> bool:
    """True if somebody wanted it already; a failure of it has its own *Try again*."""
    return _revert_key(pull_request) in incident.heard


def prepare_revert(draft: Draft, action: PrepareRevert) -> Refused | None:
    incident, pull_request = draft.incident, action.pull_request
    if incident.drill:
        return Refused("state", "This is a drill: no pull request is made.")
    suspect = commit_to_revert(incident)
    if suspect is None or suspect.pull_request != pull_request:
        return Refused(
            "stale", "The suspect has changed since. Nothing was done; look at it again."
        )
    if revert_was_asked(incident, pull_request):
        return Refused("stale", "That revert is prepared already, or on its way.")
    draft.set(heard=(*incident.heard, _revert_key(pull_request))[-HEARD_MOST:]).dirty("tree")
    text = f"{mentioned(action.by)} prepares the revert of {short(suspect.subject, 100)}"
    draft.note("decision", text, by=action.by)
    draft.want(Revert(pull_request=pull_request))
    return None


def revert_prepared(draft: Draft, action: RevertPrepared) -> None:
    clear_failures(draft, "revert")
    incident, key = draft.incident, f"revert done:{action.pull_request}"
    if key in incident.heard:
        return  # told twice
    text = f"The revert of {action.pull_request} is prepared: {action.url}"
    draft.set(heard=(*incident.heard, key)[-HEARD_MOST:]).note("decision", text)
    if incident.open:
        merge = "Merge it when its checks are green, or ship it now with *Hotfix*."
        tell(draft, f"{text}. {merge}")


def _revert_key(pull_request: str) -> str:
    return f"revert:{pull_request}"
