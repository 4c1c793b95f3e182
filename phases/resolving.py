"""Phase 5, after recovery: Sentry's issues are set to resolved in the release that runs, so that their return is a regression."""

from __future__ import annotations

from datetime import datetime

from phases.actions import IssuesResolved
from phases.change import Change, Draft
from phases.effects import ResolveIssues
from phases.incident import Incident, Round
from phases.postmortem_steps import issues_of
from phases.rounds import tell, worked
from phases.service import Service
from phases.wording import counted


def resolve_issues(draft: Draft, current: Round) -> Draft:
    """Not in a drill: its issues are everybody's."""
    incident = draft.incident
    issues = tuple(one for one in issues_of(incident) if one.isdigit())
    if incident.drill or not issues:
        return draft
    runs = _running(incident, current)
    return draft.want(ResolveIssues(issues=issues, release=runs[0], commit=runs[1]))


def _running(incident: Incident, current: Round) -> tuple[str | None, str | None]:
    """Version and commit of what runs: what was deployed, as it was read back; else what ran when it was measured."""
    action = current.action
    release = incident.triage.running if incident.triage else None
    if action is not None and action.to_release is not None and action.result == "done":
        release = action.to_release
    read_back = action.proof.after if action and action.proof else None
    return read_back or (release.version if release else None), release.commit if release else None


def issues_resolved(incident: Incident, action: IssuesResolved, service: Service, now: datetime) -> Change:
    """Said in the thread; where we may not do it, with what people need to do it."""
    del service
    draft = worked(Draft(incident, now), "issues.resolve")
    if action.refused:
        more = " ".join(action.links)
        return tell(
            draft,
            f"Sentry's issues stay open: {action.refused}. Resolve them there, so that their return is noticed: {more}",
            thread=True,
            ticket=False,
        ).done()
    if action.resolved:
        where = f" in {action.release}" if action.release else ""
        said = f"{counted(action.resolved, 'Sentry issue')} set to resolved{where}"
        draft.note("check", said)
        tell(draft, f"{said}: if it comes back, Sentry calls it a regression.", thread=True, ticket=False)
    return draft.done()
