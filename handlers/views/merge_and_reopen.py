"""Questions before an incident becomes another one's duplicate, or opens again."""

from __future__ import annotations

from handlers.views.blocks import (
    Element,
    Message,
    actions,
    button,
    confirm,
    context,
    message,
    section,
)
from handlers.views.status import short
from handlers.views.text import plain, words
from phases.record.incident import Incident


def which_goes_on(first: Incident, second: Incident) -> Message:
    """Ask which of two incidents goes on, and which is its duplicate.

    The older one stands first; either may be kept.
    """
    older, newer = sorted((first, second), key=lambda one: one.number)
    text = (
        f"{newer.id} and {older.id} are the same? "
        "The one you keep gets the other's timeline, people and Sentry issues."
    )
    ways = (("incident.merge", older, newer), ("incident.merge_other", newer, older))
    choices = [_keep(action, keep, gone) for action, keep, gone in ways if keep.open]
    if not choices:
        over = (
            f"{older.id} and {newer.id} are both over. "
            f"Reopen the one you want to keep first: `/incident reopen {older.id}`"
        )
        return message(over, [section(over)])
    return message(
        text,
        [
            section(text),
            section(short(older)),
            section(short(newer)),
            actions(choices),
            context(NOTE),
        ],
    )


NOTE = "The duplicate is cancelled, its ticket closed. This cannot be undone."


def _keep(action: str, keep: Incident, gone: Incident) -> Element:
    ask = confirm(
        f"{gone.id} is a duplicate?",
        f"{gone.id} {plain(gone.title, 100)} ends. {keep.id} {plain(keep.title, 100)} stays open.",
        f"Keep {keep.id}",
        danger=True,
    )
    return button(f"Keep {keep.id}", action, {"keep": keep.id, "end": gone.id}, confirm=ask)


def reopen_beside(incident: Incident, owner: Incident) -> Message:
    """Ask whether it is the same as the incident that its service has open by now."""
    text = (
        f"{owner.id} is now open on {words(owner.service, 60)}: "
        f"{words(owner.title, 150)}. Is {incident.id} the same?"
    )
    value = {"incident": incident.id, "of": owner.id}
    choices = [
        button(f"The same: add it to {owner.id}", "incident.merge_into", value, style="primary"),
        button("Something else: open it again", "incident.reopen", value),
        button("Go there", "incident.go_there", {"incident": owner.id}),
    ]
    return message(text, [section(text), section(short(owner)), actions(choices)])
