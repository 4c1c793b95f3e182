"""Buttons of the pinned status: only actions that can work now, the most important first."""

from typing import Any

from handlers.views.blocks import Element, button, menu_option
from handlers.views.hotfix_merge import cause_fixed_button, merge_buttons
from phases.mitigation.deploy_hold import hold
from phases.record.incident import Incident, Severity, Status
from phases.record.service import Service

BUTTONS = 3
"""Buttons for the most important actions …"""
BESIDE = 2
"""… or so many of them, beside those for a failure or an open merge."""
MEANS = {
    Severity.SEV1: "many users, many features",
    Severity.SEV2: "many users, one feature",
    Severity.SEV3: "one user",
    Severity.SEV4: "nobody is hit",
}


def buttons(incident: Incident, service: Service) -> list[Element]:
    urgent = [
        *_try_again_button(incident),
        *merge_buttons(incident, service),
        *_end_hold_button(incident),
    ]
    wanted = [_button(label, id, incident) for label, id in _possible_actions(incident)]
    return [*wanted[: BESIDE if urgent else BUTTONS], *urgent, *_lead_and_severity_menu(incident)]


def _try_again_button(incident: Incident) -> list[Element]:
    """Return the button for the newest failure; each failure has its own in the channel."""
    if not incident.failures:
        return []
    value = {"incident": incident.id, "effect": incident.failures[-1].effect_id}
    return [button("Try again", "incident.try_again", value)]


def _end_hold_button(incident: Incident) -> list[Element]:
    """Return the button that ends a hold: resolved, and the cause is not known to be fixed."""
    return (
        [cause_fixed_button(incident)]
        if incident.status is Status.RESOLVED and hold(incident) is not None
        else []
    )


def _possible_actions(incident: Incident) -> list[tuple[str, str]]:
    """Return label and action of what can be done, the most important first."""
    if not incident.open:
        return []
    cause = [("Name the cause", "incident.cause")] if incident.cause is None else []
    written = incident.adr is not None or incident.drill
    postmortem = [] if written else [("Post-mortem", "incident.postmortem")]
    update = ("Post update", "incident.update")
    match incident.status:
        case Status.MITIGATED:
            over = (
                [("Resolve", "incident.resolve")]
                if written and (incident.drill or not cause)
                else []
            )
            return [*postmortem, *over, *cause, ("Ship a fix forward", "incident.hotfix"), update]
        case Status.VERIFYING:
            return [("Check now", "incident.recheck"), update, *postmortem, *cause]
        case _:
            lead = [("Take lead", "incident.lead")] if incident.lead is None else []
            undecided = incident.status.undecided
            return [
                *lead,
                update,
                *([("False alarm", "incident.cancel")] if undecided else []),
                *cause,
            ]


def _button(label: str, action_id: str, incident: Incident) -> Element:
    value: dict[str, Any] = {"incident": incident.id}
    if action_id == "incident.hotfix":
        value["round"] = incident.round.number if incident.round else 1
    first = action_id in ("incident.postmortem", "incident.lead")
    urgent = first and incident.status is not Status.VERIFYING
    return button(label, action_id, value, style="primary" if urgent else None)


def _lead_and_severity_menu(incident: Incident) -> list[Element]:
    """Return the menu behind the dots: the severity, and the lead where somebody else has it."""
    if not incident.open:
        return []
    here = {"incident": incident.id}
    options = [
        menu_option(f"SEV{level.value}: {means}", {**here, "severity": level.value})
        for level, means in MEANS.items()
        if level is not incident.severity
    ]
    if incident.lead is not None:
        options.append(menu_option("Take lead", here))
    return [{"type": "overflow", "action_id": "incident.more", "options": options}]
