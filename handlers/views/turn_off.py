"""*Turn it off* on the decision: by the catalogue's command, or by hand with its link."""

from collections.abc import Mapping
from typing import Any

from handlers.views.blocks import Element, button, confirm, link_button
from handlers.views.text import link, spoken
from phases.mitigation.decision import cannot_turn_off
from phases.record.findings import ChangeSeen, Choice
from phases.record.incident import Incident, Round
from phases.record.service import Service
from phases.shared.suspected_changes import switched_on, taking_back_in_words
from phases.text.wording import capital

NAME = 40  # of a button's 75 characters; the confirmation names it in full


def _leads(current: Round) -> bool:
    """Return whether the decision recommends to take a change back."""
    recommendation = current.recommendation
    return recommendation is not None and recommendation.choice is Choice.TURN_OFF


def change_of(current: Round) -> ChangeSeen | None:
    return current.recommendation.change if current.recommendation is not None else None


def turn_off_buttons(
    incident: Incident, current: Round, service: Service, value: Mapping[str, Any]
) -> list[Element]:
    """Return the button that turns it off, or the link to where people do it by hand."""
    change = change_of(current)
    if change is None:
        return []
    if cannot_turn_off(service, change):
        if change.url is None:
            return []
        return [link_button(f"Open {change.name[:NAME]}", change.url)]
    argv = " ".join(change.name if part == "{change}" else part for part in service.turn_off)
    runs = "A drill: nothing is run." if incident.drill else f"Runs at once: {argv}"
    asked = confirm(
        f"{capital(taking_back_in_words(change))}?",
        f"{service.name}, {incident.environment}. {runs}",
        "Turn off",
        danger=True,
    )
    name = capital(taking_back_in_words(change.model_copy(update={"name": change.name[:NAME]})))
    recommended = _leads(current)
    return [
        button(
            f"{name} (recommended)" if recommended else name,
            "decision.turn_off",
            value,
            style="primary" if recommended else None,
            confirm=asked,
        )
    ]


def fixed_button(current: Round, service: Service, value: Mapping[str, Any]) -> Element:
    """Return *Fixed another way*; where a change is to be taken back by hand, it says that."""
    change = change_of(current)
    if change is None or not _leads(current) or not cannot_turn_off(service, change):
        return button("Fixed another way …", "decision.fixed", value)
    done = "Turned off by hand …" if switched_on(change) else "Taken back by hand …"
    sentence = capital(taking_back_in_words(change, past=True))
    return button(done, "decision.fixed", {**value, "sentence": sentence}, style="primary")


def by_hand(current: Round, service: Service) -> list[str]:
    """Return what to do by hand, and where, if the decision recommends it."""
    change = change_of(current)
    if change is None or not _leads(current):
        return []
    why = cannot_turn_off(service, change)
    where = f" {link(change.url, 'Open it')}." if why and change.url else ""
    return [f"{spoken(why, 400, lines=False)}{where}"] if why else []
