"""Sentences about people and actions that every phase uses in the same words."""

from typing import Literal

from phases.record.findings import ChangeSeen
from phases.record.incident import ActionKind, RoundAction

REASON = 300  # characters of a reason as it is kept and shown
Form = Literal["noun", "past", "present", "doing"]
_KINDS = {"flag": "flag", "config": "setting", "infrastructure": "infrastructure"}
_ACTIONS: dict[ActionKind, dict[Form, str]] = {
    ActionKind.ROLLBACK: {
        "noun": "rollback to {to}",
        "past": "rolled back to {to}",
        "present": "roll back to {to}",
        "doing": "rolling back to {to}",
    },
    ActionKind.TURN_OFF: {
        "noun": "turning off {change}",
        "past": "turned off {change}",
        "present": "turn off {change}",
        "doing": "turning off {change}",
    },
    ActionKind.HOTFIX: {
        "noun": "hotfix {to}",
        "past": "shipped hotfix {to}",
        "present": "ship hotfix {to}",
        "doing": "shipping hotfix {to}",
    },
    ActionKind.FIXED: dict.fromkeys(("noun", "past", "present", "doing"), "fixed: {sentence}"),
}
"""The words of the summary's `Action` (rules: Post-mortem), and of sentences."""


def mentioned(person: str | None) -> str:
    return f"<@{person}>" if person else "Firebreak"


def what_was_done(action: RoundAction, form: Form = "noun") -> str:
    """`rollback to v41`, `hotfix …`, `fixed: flag off`; in the past `rolled back to v41`."""
    to = action.to_release.version if action.to_release else "?"
    return _ACTIONS[action.kind][form].format(
        to=to.removeprefix("hotfix "),
        sentence=action.sentence,
        change=changed_thing(action.change) if action.change is not None else "?",
    )


def changed_thing(change: ChangeSeen) -> str:
    """`flag new-pricing`, `setting pool.size`, `infrastructure eu-west`."""
    return f"{_KINDS[change.kind]} {change.name}"
