"""Buttons for a hotfix that runs and is not merged: in the status, and under its decision."""

from handlers.views.blocks import Element, button, confirm
from phases.mitigation.hotfix_merge import open_hotfix, pull_of
from phases.record.incident import Incident, Status
from phases.record.service import Service

SHOWN = (Status.MITIGATED, Status.RESOLVED)
"""Nobody is asked to merge a hotfix of which it is not known whether it helped."""


def merge_buttons(incident: Incident, service: Service) -> list[Element]:
    """Return the button that merges it, or the one that says it is merged.

    The second is for what cannot be seen, or was done in another way.
    """
    hotfix = open_hotfix(incident)
    if incident.status not in SHOWN or hotfix is None:
        return []
    current, action, merge = hotfix
    value = {"incident": incident.id, "round": current.number}
    shown: list[Element] = []
    number = pull_of(action.to_release)
    if number is not None and not merge.state.closed and merge.asked_by is None:
        where = f" of {service.repository}" if service.repository else ""
        asked = confirm(
            f"Merge pull request #{number}?",
            f"A normal merge into the default branch{where}, at the commit that was shipped. "
            "GitHub refuses it until reviews and checks pass.",
            "Merge it",
        )
        shown.append(
            button(f"Merge pull request #{number} …", "incident.merge_hotfix", value, confirm=asked)
        )
    if number is None or merge.state.closed:
        asked = confirm(
            "Is it merged?",
            "You confirm that the next normal deploy contains the fix.",
            "It is merged",
        )
        shown.append(button("It is merged …", "incident.hotfix_merged", value, confirm=asked))
    return shown


def cause_fixed_button(incident: Incident) -> Element:
    """Return the button that ends the hold after a rollback."""
    sure = confirm(
        "Is the cause fixed?",
        "You confirm that what was rolled back is fixed. Deploys are no longer on hold.",
        "It is fixed",
    )
    return button(
        "The cause is fixed …", "incident.cause_fixed", {"incident": incident.id}, confirm=sure
    )
