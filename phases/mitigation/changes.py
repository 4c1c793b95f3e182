"""Phase 3: flags and settings that others changed. Each is said once, and it is measured again.

A change before the trouble may have brought it, one after it may be somebody's cure.
"""

from phases.messages.actions import ChangedByOthers
from phases.messages.effects import Say, Triage
from phases.record.findings import ChangeSeen
from phases.record.incident import Incident
from phases.record.limits import HEARD_MOST
from phases.shared.announce import tell
from phases.shared.change import Draft
from phases.shared.suspected_changes import (
    CLOCK_TOLERANCE,
    change_in_words,
    change_is_known,
    change_key,
)
from phases.text.wording import capital, stamp


def changed_by_others(draft: Draft, action: ChangedByOthers) -> None:
    """Hear of a change that was not made by the bot, while the incident is open."""
    incident, change = draft.incident, action.change
    if (
        not incident.open
        or change_is_known(change, incident.heard)
        or _turned_off_by_us(incident, change)
    ):
        return
    draft.set(heard=(*incident.heard, change_key(change))[-HEARD_MOST:])
    text = f"{capital(change_in_words(change, author=True))}, {stamp(change.at)}."
    draft.note("change", text, url=change.url).dirty("status")
    current = incident.round
    if incident.status.undecided and (current is None or current.action is None):
        draft.want(Triage())  # it may be what brought it
    tell(draft, Say(text=text, thread=True), ticket=False)


def _turned_off_by_us(incident: Incident, change: ChangeSeen) -> bool:
    """True if it is what the bot turned off, told by the flags' own system."""
    for current in incident.rounds:
        action = current.action
        if action is None or action.change is None or action.change.name != change.name:
            continue
        ends = (action.finished_at or change.at) + CLOCK_TOLERANCE
        if action.at - CLOCK_TOLERANCE <= change.at <= ends:
            return True
    return False
