"""Phase 4, two incidents that are one: the duplicate ends, and the other goes on.

It goes on with the issues, the people and the timeline of both. Both change in one commit, which
checks both versions. The timelines are joined where they are read (`Incident.merged`).
"""

from __future__ import annotations

from phases.coordination.evidence import STORM_SECONDS
from phases.messages.actions import MeasureDue
from phases.messages.commands import MergeDuplicate
from phases.messages.effects import CloseTicket, Invite
from phases.record.claims import fingerprint_claim, issues_of, open_claim
from phases.record.incident import Entry, Incident, Status
from phases.record.limits import HEARD, MEASURE, SEEDS
from phases.record.tokens import mentioned
from phases.shared.announce import EVERYWHERE, tell
from phases.shared.change import Draft, Refused
from phases.shared.resolution import end
from phases.shared.rounds import GUARD_TIMER, decision_name
from phases.text.wording import short


def merge(draft: Draft, action: MergeDuplicate) -> Refused | None:
    """Merge a duplicate into the incident that goes on.

    `action.found` is the duplicate as the dispatcher has read it.
    """
    incident = draft.incident
    gone = action.found
    if gone is None:
        return Refused("unknown", f"There is no incident {action.duplicate}.")
    if (why := _why_not(incident, gone)) is not None:
        return Refused("state", f"{why} Nothing was changed.")
    issues = issues_of(gone)
    draft.set(
        seeds=tuple(dict.fromkeys((*incident.seeds, *issues)))[:SEEDS],
        merged=tuple(dict.fromkeys((*incident.merged, gone.id, *gone.merged))),
        rolled_back=tuple(dict.fromkeys((*incident.rolled_back, *gone.rolled_back))),
        heard=tuple(dict.fromkeys((*incident.heard, *gone.heard)))[-HEARD:],
    )
    draft.claim(open_claim(incident.service, incident.environment), soft=True)
    for issue in draft.incident.seeds:
        draft.claim(fingerprint_claim(issue), soft=True)
    draft.note(
        "merged",
        f"{gone.id} is the same: {gone.title}. Its timeline is now part of this one",
        by=action.by,
    )
    here = f"Its timeline and people have moved here; it is closed. ({mentioned(action.by)})"
    tell(draft, f"{short(gone.title, 150)}. {here}", strong=f"{gone.id} is the same:")
    involved = (gone.declared_by, gone.lead, *gone.invited)
    people = tuple(dict.fromkeys(person for person in involved if person))
    if incident.own_channel is not None:
        room = gone.own_channel.id if gone.own_channel is not None else None
        draft.want(Invite(people=people, members_of=room))
    if (
        incident.triage is not None
        and incident.status.undecided
        and set(issues) - set(issues_of(incident))
    ):
        draft.timer(MEASURE, STORM_SECONDS, MeasureDue())
    draft.also = _ended(Draft(gone, draft.now), action, incident)
    draft.dirty(*EVERYWHERE)
    return None


def joined(id: str, entry: Entry) -> Entry:
    """Return a duplicate's entry as it stands in the timeline of the incident that goes on."""
    return entry.model_copy(update={"text": f"{id}: {entry.text}"[:2000]})


def _why_not(incident: Incident, gone: Incident) -> str | None:
    if gone.id == incident.id:
        return f"{gone.id} cannot be its own duplicate."
    if gone.id in incident.merged:
        return f"{gone.id} is already merged into {incident.id}."
    if gone.status is Status.MITIGATING:
        return f"A deploy of {gone.id} is under way. Merge it when that has ended."
    if gone.private != incident.private:
        people = "people would see too much or too little"
        return f"A private and a public incident are not merged: {people}."
    if gone.drill != incident.drill:
        return "A drill is not merged with a real incident."
    return None


def _ended(draft: Draft, action: MergeDuplicate, into: Incident) -> Draft:
    """End the duplicate, and say where it goes on; what was over stays as it ended."""
    gone = draft.incident
    there = into.own_channel
    where = f" in <#{there.id}|{there.name}>" if there is not None else ""
    ticket = (
        f" Its ticket: {into.ticket.identifier} {into.ticket.url}"
        if into.ticket is not None
        else ""
    )
    draft.set(duplicate_of=into.id).cancel(GUARD_TIMER)
    draft.release(
        open_claim(gone.service, gone.environment), *(fingerprint_claim(i) for i in issues_of(gone))
    )
    draft.note("merged", f"Duplicate of {into.id}, says {mentioned(action.by)}", by=action.by)
    if gone.open:
        draft.set(
            status=Status.CANCELLED, cancelled_at=draft.now, cancel_reason=f"duplicate of {into.id}"
        )
        end(draft)
        if gone.ticket is not None:
            draft.want(CloseTicket(cancelled=True))
    tell(
        draft,
        f"work goes on{where}; you are invited there.{ticket}",
        strong=f"Duplicate of {into.id}:",
    )
    current = gone.round
    return draft.dirty(
        "status", "announcement", "tree", decision_name(current.number if current else 1)
    )
