"""The shop's GitHub as the panel shows it: pull requests with their checks, and deployments."""

from __future__ import annotations

from datetime import datetime

from sandbox.github.state import Deployment, GitHub, GitHubRefusal, Pull
from sandbox.page.model import Row, Tone

PULLS = 8
DEPLOYMENTS = 5

_CHECKS = {"SUCCESS": "green", "PENDING": "running", "FAILURE": "failed", None: "none"}
_STATES: dict[str, Tone] = {
    "success": "good",
    "failure": "bad",
    "error": "bad",
    "inactive": "quiet",
}


def pulls(github: GitHub) -> list[Row]:
    """Return open pull requests first, then the others, newest first."""

    def newest(pull: Pull) -> tuple[bool, float, int]:
        return _is_open(pull), _seconds(pull.merged_at or pull.opened_at) or 0.0, pull.number

    shown = sorted(github.pulls, key=newest, reverse=True)[:PULLS]
    return [_pull(github, pull) for pull in shown]


def deployments(github: GitHub) -> list[Row]:
    newest_first = reversed(github.deployments[-DEPLOYMENTS:])
    return [_deployment(deployment) for deployment in newest_first]


def fix_name(github: GitHub, branch: str) -> str:
    """Return the pull request of a branch as people call it; the branch where it has none."""
    pull = next((p for p in reversed(github.pulls) if p.head_ref == branch), None)
    return f"#{pull.number} {branch}" if pull is not None else branch


def act(github: GitHub, what: str, number: str) -> str | None:
    """Let a colleague change a pull request. Return what to tell the person if it did not work."""
    pull = next((p for p in github.pulls if str(p.number) == number), None)
    if pull is None or not _is_open(pull):
        return "That pull request is not open any more."
    try:
        if what == "merge":
            github.merge(pull, "mara")
        elif what == "close":
            github.close(pull)
        else:
            pull.checks = "SUCCESS" if pull.checks == "FAILURE" else "FAILURE"
    except GitHubRefusal as refused:
        return f"GitHub refuses: {refused.message}"
    return None


def _pull(github: GitHub, pull: Pull) -> Row:
    is_open = _is_open(pull)
    state = "open" if is_open else "merged" if pull.merged else "closed"
    by = f", merged by {pull.merged_by}" if pull.merged and pull.merged_by != pull.by else ""
    return Row(
        f"#{pull.number} {pull.title}",
        f"{pull.head_ref} @ {pull.head_sha[:7]}, by {pull.by}{by}",
        state,
        "warn" if is_open else "good" if pull.merged else "quiet",
        _seconds(pull.merged_at or pull.opened_at),
        fields=[("checks", _CHECKS.get(pull.checks, "running"))] if is_open else [],
        acts=_acts(pull) if is_open else [],
    )


def _acts(pull: Pull) -> list[tuple[str, str]]:
    checks = "Checks green" if pull.checks == "FAILURE" else "Checks fail"
    return [
        (f"pull-merge:{pull.number}", "Merge as Mara"),
        (f"pull-checks:{pull.number}", checks),
        (f"pull-close:{pull.number}", "Close"),
    ]


def _deployment(deployment: Deployment) -> Row:
    state = deployment.statuses[-1][0] if deployment.statuses else "pending"
    ref = deployment.ref[:7] if deployment.ref == deployment.sha else deployment.ref
    by = deployment.payload.get("by") or deployment.by
    at = _seconds(deployment.created_at)
    return Row(ref, f"to {deployment.environment}, by {by}", state, _STATES.get(state, "warn"), at)


def _is_open(pull: Pull) -> bool:
    return not (pull.merged or pull.closed)


def _seconds(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment is not None else None
