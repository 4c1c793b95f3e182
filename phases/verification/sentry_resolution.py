"""Phase 5, after recovery: Sentry's issues are set to resolved.

Then their return is a regression, and what is left of them is none.
"""

import re
from typing import TypedDict

from phases.messages.effects import ResolveIssues, Say
from phases.messages.results import IssuesResolved
from phases.record.claims import issues_of
from phases.record.incident import VERIFIED, ActionKind, Incident, Round
from phases.shared.announce import clear_failures, tell
from phases.shared.change import Draft
from phases.text.wording import counted
from phases.verification.releases import running_release


def resolve_issues(draft: Draft, current: Round) -> Draft:
    """Have the issues resolved; not in a drill, because its issues are everybody's."""
    incident = draft.incident
    issues = tuple(issue for issue in issues_of(incident) if issue.isdigit())
    if incident.drill or not issues:
        return draft
    return draft.want(ResolveIssues(issues=issues, **_fixed_in(current)))


class _FixedIn(TypedDict, total=False):
    release: str | None
    commit: str | None
    taken_back: str | None


def _fixed_in(current: Round) -> _FixedIn:
    """Return the release that has the fix.

    *Fixed another way* ties it to no release: whatever brings it back is a return.
    """
    action = current.action
    if action is None or action.result != "done" or not action.deploys:
        return {}
    if action.kind is ActionKind.ROLLBACK:
        before = action.proof.before if action.proof else None
        left = action.from_release.version if action.from_release else ""
        return {"taken_back": before or left}
    commit = action.to_release.commit if action.to_release else None
    return {"release": running_release(current), "commit": commit}


def issues_resolved(draft: Draft, action: IssuesResolved) -> None:
    """Say so in the thread; where we may not do it, with what people need to do it."""
    clear_failures(draft, "issues.resolve")
    if action.refused:
        links = " ".join(action.links)
        resolve = f"Resolve them there, so that their return is noticed: {links}"
        text = f"Sentry's issues stay open: {action.refused}. {resolve}"
        tell(draft, Say(text=text, thread=True), ticket=False)
    elif action.resolved:
        where = f" in {_short_name(action.release)}" if action.release else ""
        if action.next:
            where = " in the next release"
        text = f"{counted(action.resolved, 'Sentry issue')} set to resolved{where}"
        draft.note("check", text)
        tell(
            draft,
            Say(text=f"{text}. {_what_sentry_tells(draft.incident, action)}", thread=True),
            ticket=False,
        )


def _short_name(release: str) -> str:
    """Return a commit by its first characters, any other release as it is."""
    return release[:9] if re.fullmatch(r"[0-9a-f]{40}", release) else release


def _what_sentry_tells(incident: Incident, action: IssuesResolved) -> str:
    """Say what Sentry will tell of a return, and what it will not."""
    verified = (current for current in reversed(incident.rounds) if current.verdict in VERIFIED)
    current = next(verified, None)
    kind = current.action.kind if current is not None and current.action is not None else None
    older = kind is ActionKind.ROLLBACK and bool(action.release)
    if not action.next and not older:
        return "If they come back, Sentry reports a regression."
    runs = (running_release(current) if current else None) or "what runs now"
    return f"Sentry reports a return only in a newer release; I watch {runs} for an hour."
