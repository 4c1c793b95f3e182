"""Phase 5, after recovery: Sentry's issues are set to resolved, so that their return is a regression and what is left of them is none."""

from __future__ import annotations

import re
from typing import TypedDict

from phases.messages.effects import ResolveIssues
from phases.messages.results import IssuesResolved
from phases.record.claims import issues_of
from phases.record.incident import VERIFIED, ActionKind, Incident, Round
from phases.record.wording import counted
from phases.steps.announce import tell, worked
from phases.steps.change import Draft
from phases.verification.recheck import running_release


def resolve_issues(draft: Draft, current: Round) -> Draft:
    """Not in a drill: its issues are everybody's."""
    incident = draft.incident
    issues = tuple(one for one in issues_of(incident) if one.isdigit())
    if incident.drill or not issues:
        return draft
    return draft.want(ResolveIssues(issues=issues, **_where(current)))


class _Where(TypedDict, total=False):
    release: str | None
    commit: str | None
    taken_back: str | None


def _where(current: Round) -> _Where:
    """*Fixed another way* ties it to no release: whatever brings it back, and wherever, is a return."""
    action = current.action
    if action is None or action.result != "done" or action.kind is ActionKind.FIXED:
        return {}
    if action.kind is ActionKind.ROLLBACK:
        before = action.proof.before if action.proof else None
        return {
            "taken_back": before or (action.from_release.version if action.from_release else "")
        }
    commit = action.to_release.commit if action.to_release else None
    return {"release": running_release(current), "commit": commit}


def issues_resolved(draft: Draft, action: IssuesResolved) -> None:
    """Said in the thread; where we may not do it, with what people need to do it."""
    incident = draft.incident
    worked(draft, "issues.resolve")
    if action.refused:
        more = " ".join(action.links)
        tell(
            draft,
            f"Sentry's issues stay open: {action.refused}. Resolve them there, so that their return is noticed: {more}",
            thread=True,
            ticket=False,
        )
        return
    if action.resolved:
        where = (
            " in the next release"
            if action.next
            else f" in {_brief(action.release)}"
            if action.release
            else ""
        )
        said = f"{counted(action.resolved, 'Sentry issue')} set to resolved{where}"
        draft.note("check", said)
        tell(draft, f"{said}: {_means(incident, action)}", thread=True, ticket=False)


def _brief(release: str) -> str:
    """A commit by its first characters, any other release as it is."""
    return release[:9] if re.fullmatch(r"[0-9a-f]{40}", release) else release


def _means(incident: Incident, action: IssuesResolved) -> str:
    """What Sentry will say of a return, and what it will not."""
    current = next((one for one in reversed(incident.rounds) if one.verdict in VERIFIED), None)
    rolled_back = (
        current is not None
        and current.action is not None
        and current.action.kind is ActionKind.ROLLBACK
    )
    if not action.next and not (rolled_back and action.release):
        return "if it comes back, Sentry calls it a regression."
    runs = (running_release(current) if current else None) or "what runs now"
    return f"Sentry tells of a return in a newer one, not of one in {runs}. I look for that myself, for an hour."
