"""Phase 4, corrections: people mend the words and the time of an entry of the timeline.

A correction is an entry that names another one (rules: Timeline). Rules and durations go by what
was recorded: a correction changes what people read.
"""

from datetime import datetime, timedelta

from phases.messages.commands import CorrectEntry
from phases.messages.effects import MendAdr
from phases.record.incident import Entry, Incident
from phases.record.timeline import correction_ref
from phases.shared.change import Draft, Refused
from phases.text.wording import stamp

TEXT = 2000
"""Characters: as many as an entry has."""
LONGEST_BEFORE = timedelta(days=14)
"""The longest time before the beginning at which something can belong to the incident: as far back
as triage reads errors (`phases/triage/picture/fire.py` HISTORY)."""


def earliest_time(incident: Incident) -> datetime:
    """Return the earliest time to which an entry can be moved."""
    began = incident.triage.began_at if incident.triage else None
    return min(began or incident.detected_at, incident.detected_at) - LONGEST_BEFORE


def correct_entry(draft: Draft, action: CorrectEntry) -> Refused | None:
    """Correct an entry. The file of a post-mortem that is written follows in its list."""
    incident, text, at = draft.incident, action.text.strip()[:TEXT], action.at
    if not text and at is None:
        return Refused("input", "Nothing is different. Nothing was changed.")
    if at is not None and at > draft.now:
        return Refused("input", f"{stamp(at)} has not come yet. Nothing was changed.")
    if at is not None and at < earliest_time(incident):
        limit = f"the earliest time is {stamp(earliest_time(incident))}"
        return Refused("input", f"{stamp(at)} is too long before it began; {limit}.")
    entry = Entry(
        at=draft.now,
        kind="correction",
        text=text,
        by=action.by,
        ref=correction_ref(action.entry) if text else None,
        corrects=action.entry,
        moved_to=at,
    )
    draft.enter(entry)
    if incident.adr is not None and not incident.private:
        draft.want(MendAdr(whole=False))
    return None
