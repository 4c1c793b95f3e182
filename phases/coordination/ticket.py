"""Phase 4, the Linear ticket: opened for every incident, and in step with it both ways.

Workflow: "Create Linear incident ticket; cross-reference Sentry issue ID"; "Update Linear ticket
with resolution". What we write comes back by webhook, too. It is told from a person's word by what
was last known there and by what we have asked for: values, not authors, because the key may be a
person's own.
"""

from collections.abc import Sequence
from datetime import datetime

from phases.messages.actions import TicketLookDue, TicketTold
from phases.messages.effects import (
    AttachChannel,
    CloseTicket,
    CommentParent,
    CommentTicket,
    LookAtTicket,
    Say,
    SyncTicket,
)
from phases.messages.results import (
    TicketLooked,
    TicketOpened,
    TicketSynced,
)
from phases.postmortem.action_items import open_items, take_in_sub_issue, want_sub_issues
from phases.record.claims import linear_claim
from phases.record.documents import LinearIssue, Ticket
from phases.record.incident import Entry, Incident, Severity, Status
from phases.record.privacy import seen_from_outside
from phases.record.timeline import as_recorded, correction_note
from phases.record.tokens import mentioned, what_was_done
from phases.shared.announce import LIVE_EVERYWHERE, clear_failures, page_if_urgent, tell
from phases.shared.change import Draft
from phases.shared.resolution import missing_to_resolve, resolve_if_ready
from phases.text.markdown import one_line
from phases.text.wording import capital, stamp
from phases.triage.steps import attach_issues, headline

LOOK_TIMER = "ticket"  # timer
LOOK_SECONDS = 5 * 60  # an open incident's ticket: webhooks may be lost, or not set up …
SLOW_LOOK_SECONDS = 60 * 60  # … and the action items of one that is over
UNMEASURED = 1
"""Priority while nobody knows how bad it is: urgent.

https://linear.app/docs/priority: 1 urgent … 4 low, 0 none
"""
COMMENTS_ASKED = 8
UNFINISHED = ("triage", "backlog", "unstarted", "started")
"""States of a ticket that is not over. Which one of them is people's own business."""
DUPLICATE = "duplicate"
"""The state of a ticket that is marked as a duplicate of another one.

https://github.com/linear/linear/blob/master/packages/sdk/src/schema.graphql, WorkflowState.type
"""
SYNCED_FIELDS = ("state", "priority")


def wanted_state(incident: Incident) -> str:
    """Return the type of state that the ticket should be in."""
    match incident.status:
        case Status.CANCELLED:
            return "canceled"
        case Status.RESOLVED | Status.CLOSED:
            return "completed"
        case _:
            return "started"


def wanted_priority(incident: Incident) -> int:
    """SEV1 is urgent (1) … SEV4 is low (4)."""
    return incident.severity.value if incident.severity else UNMEASURED


def state_fits(wanted: str, known: str) -> bool:
    ended = wanted == "canceled" and known == DUPLICATE
    return wanted == known or ended or (wanted == "started" and known in UNFINISHED)


def _wanted_values(incident: Incident) -> str:
    return f"{wanted_state(incident)}:{wanted_priority(incident)}"


def _as_wanted(incident: Incident, ticket: Ticket) -> bool:
    fits = state_fits(wanted_state(incident), ticket.state)
    return fits and ticket.priority == wanted_priority(incident)


def follow_ticket(draft: Draft) -> None:
    """Writes each change of state or severity to the ticket, and remembers what was asked for."""
    before, after = draft.before, draft.incident
    if after.ticket is None:
        return
    moved = before.ticket is None or _wanted_values(before) != _wanted_values(after)
    asks = any(isinstance(effect, SyncTicket | CloseTicket) for effect in draft.effects)
    if moved and not asks and not _as_wanted(after, after.ticket):
        draft.want(SyncTicket())
        asks = True
    if asks and _wanted_values(after) not in after.ticket.asked:
        asked = (*after.ticket.asked, _wanted_values(after))[-COMMENTS_ASKED:]
        draft.set(ticket=after.ticket.model_copy(update={"asked": asked}))


# --- it is there --------------------------------------------------------------------------------


def ticket_opened(draft: Draft, action: TicketOpened) -> None:
    """Its first comment says what happened while it was being opened, or Linear was away."""
    incident, ticket = draft.incident, action.ticket
    clear_failures(draft, "ticket.open")
    if incident.ticket is not None:
        return
    draft.set(ticket=ticket).note("comms", f"Ticket {ticket.identifier}", url=ticket.url)
    draft.claim(linear_claim(ticket.id), soft=True).timer(LOOK_TIMER, LOOK_SECONDS, TicketLookDue())
    _link_parent(draft, action)
    if text := text_so_far(incident):
        draft.want(CommentTicket(text=text))
    if "status" in incident.messages:
        draft.want(AttachChannel())
    if not incident.open:
        draft.want(CloseTicket(cancelled=incident.status is Status.CANCELLED))
    want_sub_issues(draft)
    attach_issues(draft, set()).dirty(*LIVE_EVERYWHERE)


def _link_parent(draft: Draft, action: TicketOpened) -> None:
    """The bug that turned out to be on fire is the ticket's parent; each says so of the other."""
    incident, ticket, parent = draft.incident, action.ticket, action.parent
    if incident.escalated is None:
        return
    if parent is None:
        lost = f"{incident.escalated} was not found in Linear: the ticket has no parent"
        draft.note("comms", lost)
        return
    draft.set(parent=parent).note("comms", f"Escalated from {parent.identifier}", url=parent.url)
    draft.want(CommentTicket(text=f"Escalated from {parent.identifier}: {parent.url}"))
    fire = f"{incident.id} {incident.title}: this is on fire in production."
    draft.want(CommentParent(text=f"{fire} Follow {ticket.identifier}: {ticket.url}"))


def text_so_far(incident: Incident) -> str:
    """Return what happened before there was a ticket."""
    lines = [f"Triage: {headline(incident.triage)}"] if incident.triage else []
    for current in incident.rounds:
        if current.action is not None:
            what, who = capital(what_was_done(current.action)), mentioned(current.action.by)
            verdict = f"; {current.verdict}" if current.verdict else ""
            lines.append(f"{what}, {who}: {current.action.result}{verdict}")
    if incident.cause is not None:
        lines.append(f"Root cause: {incident.cause.text}")
    if incident.latest_update:
        lines.append(incident.latest_update)
    if not incident.open:
        lines.append(f"{incident.id} is {incident.status.value}.")
    return "\n".join(lines)


def catch_up_text(entries: Sequence[Entry], since: datetime) -> str:
    """Return the timeline from then on, as one comment that makes up for those that failed."""
    lines = [
        f"{stamp(entry.at)} {entry.text}"
        + (f" ({first})" if (first := correction_note(entry)) else "")
        for entry in entries
        if as_recorded(entry).at >= since
    ]
    return "While Linear was out of reach:\n" + "\n".join(lines or ["Nothing changed."])


# --- we wrote -----------------------------------------------------------------------------------


def ticket_synced(draft: Draft, action: TicketSynced) -> None:
    """Remembers what we wrote; the rest may be a person's word that nobody told us of."""
    before, ticket = draft.incident.status, draft.incident.ticket
    clear_failures(clear_failures(draft, "ticket.sync"), action.kind)
    if ticket is None or ticket.id != action.issue.id:
        return
    known: dict[str, object] = {}
    for name in action.wrote:
        known |= {name: getattr(action.issue, name), f"{name}_at": action.issue.at}
    draft.set(ticket=ticket.model_copy(update=known))
    others = [name for name in SYNCED_FIELDS if name not in action.wrote]
    _take_in_issue(draft, action.issue, others, "", asked_now=True)
    ticket = draft.incident.ticket or ticket
    if _as_wanted(draft.incident, ticket):
        draft.set(ticket=ticket.model_copy(update={"asked": ()}))
    elif draft.incident.status is before and action.wrote:  # it moved on while we wrote
        draft.want(SyncTicket())
    draft.dirty("status")


# --- somebody in Linear says --------------------------------------------------------------------


def ticket_told(draft: Draft, action: TicketTold) -> None:
    ticket = draft.incident.ticket
    if ticket is not None and ticket.id == action.issue.id:
        _take_in_issue(draft, action.issue, action.changed, action.by)
    else:
        take_in_sub_issue(draft, action.issue, action.by)


def look_due(draft: Draft, action: TicketLookDue) -> None:
    """Looks again while the incident is open, slower while only its action items are."""
    incident = draft.incident
    if incident.ticket is None:
        return
    items_open = any(item.ticket for item in open_items(incident))
    if incident.open:
        draft.want(LookAtTicket()).timer(LOOK_TIMER, LOOK_SECONDS, TicketLookDue())
    elif incident.status is Status.RESOLVED and items_open:
        draft.want(LookAtTicket()).timer(LOOK_TIMER, SLOW_LOOK_SECONDS, TicketLookDue())


def ticket_looked(draft: Draft, action: TicketLooked) -> None:
    """Takes in what webhooks did not tell; Linear does not say then whose word it was."""
    clear_failures(draft, "ticket.look")
    for issue in action.issues:
        if draft.incident.ticket is None or draft.incident.ticket.id != issue.id:
            take_in_sub_issue(draft, issue, "")
            continue
        _take_in_issue(draft, issue, SYNCED_FIELDS, "", asked_now=True)
        ticket = draft.incident.ticket
        if ticket.asked and not _as_wanted(draft.incident, ticket):
            draft.want(SyncTicket())  # a person's word came between: ours is still to be written


def _take_in_issue(
    draft: Draft, issue: LinearIssue, changed: Sequence[str], by: str, *, asked_now: bool = False
) -> None:
    """Takes in what is new, field by field; nothing that is older than what we know."""
    ticket = draft.incident.ticket
    if ticket is None:
        return
    before, people = ticket, _changed_by_people(draft.incident, ticket, issue)
    news = {
        name
        for name in changed
        if getattr(issue, name) != getattr(before, name)
        and _is_newer(issue, getattr(before, f"{name}_at"), asked_now)
    }
    for name in news:
        ticket = ticket.model_copy(update={name: getattr(issue, name), f"{name}_at": issue.at})
    draft.set(ticket=ticket)
    if "priority" in news & people:
        _priority_was_set(draft, issue.priority, by, alone="state" not in changed)
    if "state" in news & people:
        _state_was_moved(draft, before, issue, by)


def people_moved(incident: Incident, issue: LinearIssue) -> bool:
    """True if somebody in Linear changed the ticket: that is heard before we write."""
    ticket = incident.ticket
    return ticket is not None and bool(_changed_by_people(incident, ticket, issue))


def _changed_by_people(incident: Incident, ticket: Ticket, issue: LinearIssue) -> frozenset[str]:
    """Return the fields that are neither as we knew them nor as we have asked for."""
    asked = [wish.partition(":") for wish in (*ticket.asked, _wanted_values(incident))]
    states = {ticket.state, *(state for state, _, _ in asked)}
    priorities = {str(ticket.priority), *(priority for _, _, priority in asked)}
    changed = {
        "state": bool(ticket.state) and issue.state not in states,
        "priority": ticket.priority is not None and str(issue.priority) not in priorities,
    }
    return frozenset(name for name, by_people in changed.items() if by_people)


def _is_newer(issue: LinearIssue, known: datetime | None, asked_now: bool) -> bool:
    """False for a webhook that comes late, or twice; an answer of Linear's is how things stand."""
    if issue.at is None or known is None:
        return True
    return issue.at > known or (asked_now and issue.at == known)


def _priority_was_set(draft: Draft, priority: int, by: str, *, alone: bool) -> None:
    """A person's word on how bad it is counts from Linear, too (rules: Severity).

    Not `alone`: the channel may hear more of it.
    """
    incident, who = draft.incident, by or "somebody"
    if not incident.open or incident.ticket is None:
        return
    if priority not in set(Severity):
        draft.note("severity", f"{who} removed the priority in Linear; it was restored")
        draft.want(SyncTicket())
        return
    severity = Severity(priority)
    former = f"SEV{incident.severity.value} → " if incident.severity else ""
    text = f"{former}SEV{severity.value}, says {who} in Linear"
    draft.set(severity=severity, severity_by=f"{who} (Linear)"[:100]).note("severity", text)
    page_if_urgent(draft, f"{incident.id} {incident.title}: {text}")
    tell(draft, Say(text=f"{text}.", thread=not alone))


def _state_was_moved(draft: Draft, before: Ticket, issue: LinearIssue, by: str) -> None:
    """A ticket that somebody closed does not end the incident; the gate does.

    Rules: The ticket.
    """
    incident, who, name = draft.incident, by or "Somebody", before.identifier
    draft.note("comms", f"{name}: {who} moved it to {issue.state_name or issue.state} in Linear")
    if incident.open and issue.state == "completed":
        lacking = missing_to_resolve(incident)
        ready = incident.status is Status.MITIGATED and incident.adr is not None
        if ready and not lacking:
            resolve_if_ready(draft, f"{who} closed {name} in Linear.")
            return
        points = "\n".join(f"• {part}" for part in lacking)
        text = f"{incident.id} is not over, so I reopened it. Missing:\n{points}"
        to = f" ({issue.state_name})" if issue.state_name else ""
        tell(draft, text, strong=f"{who} closed {name} in Linear{to}.").want(SyncTicket())
    elif incident.open and issue.state == "canceled":
        alarm = "A false alarm? `/incident cancel <why>` ends it here."
        text = f"{incident.id} is still open, so I reopened it. {alarm}"
        tell(draft, text, strong=f"{who} cancelled {name} in Linear.").want(SyncTicket())
    elif incident.open and issue.state == DUPLICATE:
        same = f"The same as another incident? `/incident merge {incident.id} INC-…`"
        text = f"{incident.id} is still open, so I reopened it. {same}"
        tell(draft, text, strong=f"{who} marked {name} as a duplicate.").want(SyncTicket())
    elif not incident.open and issue.state in UNFINISHED and before.state not in UNFINISHED:
        burning = "Is it failing again? `/incident declare <what you see>`"
        text = f"{incident.id} stays {incident.status.value}. {burning}"
        tell(draft, text, strong=f"{who} opened {name} again in Linear.", ticket=False)


def ticket_title(incident: Incident) -> str:
    incident = seen_from_outside(incident)
    return one_line(f"{incident.id}: {incident.title}", {}, 250)


def ticket_body(incident: Incident) -> str:
    """Return the ticket's text as it is opened; all that comes later is said once, in comments."""
    if incident.private:
        channel = "its private channel in Slack, to the people who are in it"
        return f"A private incident: what happens is said in {channel}."
    lines = [
        f"Service: {incident.service} ({incident.environment})",
        f"Detected: {incident.detected_at:%Y-%m-%d %H:%M} UTC via {incident.source.text}",
    ]
    if incident.description:
        lines.append(f"\n{incident.description}")
    return "\n".join(lines)
