"""Sentences about people and actions that every phase uses in the same words."""

from __future__ import annotations

from phases.record.incident import ActionKind, RoundAction

REASON = 300  # characters of a reason as it is kept and said


def mentioned(person: str | None) -> str:
    return f"<@{person}>" if person else "Firebreak"


def what_was_done(action: RoundAction) -> str:
    """The words of the summary's `Action` (rules: Post-mortem): `rollback to v41`, `hotfix …`, `fixed: flag off`."""
    to = action.to_release.version if action.to_release else "?"
    match action.kind:
        case ActionKind.ROLLBACK:
            return f"rollback to {to}"
        case ActionKind.HOTFIX:
            return to if to.startswith("hotfix") else f"hotfix {to}"
        case ActionKind.FIXED:
            return f"fixed: {action.sentence}"
