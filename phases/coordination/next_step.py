"""Phase 4, the one thing that matters now in an incident, for the person who looks at it."""

from datetime import datetime
from typing import Literal

from phases.postmortem.reminders import postmortem_sent
from phases.record.incident import Incident, Status
from phases.shared.resolution import missing_to_resolve

Step = Literal[
    "take lead",
    "decide",
    "follow",
    "confirm recovery",
    "post update",
    "write post-mortem",
    "name cause",
    "resolve",
    "look",
]


def next_step(incident: Incident, person: str, now: datetime) -> Step:
    """Return what is to be done next.

    Somebody must lead, then decide. While that takes its time, people want to hear of it. Then it
    is written down.
    """
    match incident.status:
        case Status.DECLARED | Status.DECIDING:
            return "decide" if incident.lead is not None else "take lead"
        case Status.MITIGATING | Status.VERIFYING:
            current = incident.round
            if current is not None and current.verdict == "ask a person":
                return "confirm recovery"
            late = incident.update_due is not None and incident.update_due <= now
            return "post update" if late and incident.lead in (person, None) else "follow"
        case Status.MITIGATED:
            if incident.drill or not missing_to_resolve(incident):
                return "resolve"
            if incident.adr is None:
                return "look" if postmortem_sent(incident) else "write post-mortem"
            return "name cause" if incident.cause is None else "look"
        case _:
            return "look"


def owes_postmortem(incident: Incident) -> bool:
    """True if users are fine and nobody has written down yet why it happened."""
    return incident.status is Status.MITIGATED and incident.adr is None and not incident.drill
