"""People whose Slack account is deactivated: they lead nothing, and nobody waits for them."""

from collections.abc import Sequence

from phases.messages.effects import Say
from phases.messages.results import PeopleLeft
from phases.record.incident import Incident
from phases.record.tokens import mentioned
from phases.shared.announce import tell
from phases.shared.change import Draft


def people_left(draft: Draft, action: PeopleLeft) -> None:
    remember_who_left(draft, action.people)


def remember_who_left(draft: Draft, people: Sequence[str]) -> None:
    """Remember them. Where the lead is among them, the owners hear that nobody leads."""
    incident = draft.incident
    draft.set(left=tuple(dict.fromkeys((*incident.left, *people))))
    if incident.lead is None or incident.lead not in people:
        return
    gone = f"{mentioned(incident.lead)}'s account is deactivated"
    draft.set(lead=None).note("lead", f"Nobody leads: {gone}").dirty("status")
    if incident.open:
        owners = () if incident.apart else draft.service.owners
        here = tuple(owner for owner in owners if owner not in draft.incident.left)
        text = f"{gone}. `/incident lead` takes over."
        say = Say(text=text, mention=here)
        tell(draft, say, strong=f"Nobody leads {incident.id}:", ticket=False)


def person_in_charge(incident: Incident) -> str | None:
    """Return the lead, else who declared it, unless they have left."""
    some = (incident.lead, incident.declared_by)
    return next((person for person in some if person and person not in incident.left), None)
