"""Phase 4, the Linear ticket: opened for every incident, and in step with it both ways.

Workflow: "Create Linear incident ticket; cross-reference Sentry issue ID"; "Update Linear ticket with resolution".
What we write comes back by webhook, too. It is told from a person's word by what was last known there and by what we have
asked for ourselves: values, not authors, because the key may be a person's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from phases.messages.actions import TicketLookDue, TicketTold
from phases.messages.effects import (
    AttachChannel,
    CloseTicket,
    CommentParent,
    CommentTicket,
    LookAtTicket,
    SyncTicket,
)
from phases.messages.results import (
    TicketLooked,
    TicketOpened,
    TicketSynced,
)
from phases.postmortem.action_items import hear_item, open_items, want_sub_issues
from phases.record.documents import LinearIssue, Ticket
from phases.record.incident import Entry, Incident, Severity, Status
from phases.record.markdown import one_line
from phases.record.privacy import outside
from phases.record.tokens import mentioned, what_was_done
from phases.record.wording import capital, stamp
from phases.steps.announce import EVERYWHERE, tell, urgent, worked
from phases.steps.change import Draft
from phases.steps.resolution import missing, resolve_if_ready
from phases.triage.steps import attach_issues, headline

LOOK = "ticket"  # timer
LOOK_SECONDS = (
    5 * 60
)  # an open incident's ticket is looked at, where webhooks are lost or not set up …
SLOW_LOOK_SECONDS = 60 * 60  # … and the action items of one that is over
UNMEASURED = 1
"""Priority while nobody knows how bad it is: urgent. https://linear.app/docs/priority: 1 urgent … 4 low, 0 none."""
ASKED = 8
UNFINISHED = ("triage", "backlog", "unstarted", "started")
"""States of a ticket that is not over. Which of them it is in is people's own business."""
FIELDS = ("state", "priority")


def wanted_state(incident: Incident) -> str:
    """The type of state that the ticket should be in."""
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
    return wanted == known or (wanted == "started" and known in UNFINISHED)


def _wish(incident: Incident) -> str:
    return f"{wanted_state(incident)}:{wanted_priority(incident)}"


def _in_step(incident: Incident, ticket: Ticket) -> bool:
    return state_fits(wanted_state(incident), ticket.state) and ticket.priority == wanted_priority(
        incident
    )


def follow_ticket(draft: Draft) -> None:
    """Writes each change of state or severity to the ticket, and remembers what was asked for."""
    before, after = draft.before, draft.incident
    if after.ticket is None:
        return
    moved = before.ticket is None or _wish(before) != _wish(after)
    asks = any(isinstance(effect, SyncTicket | CloseTicket) for effect in draft.effects)
    if moved and not asks and not _in_step(after, after.ticket):
        draft.want(SyncTicket())
        asks = True
    if asks and _wish(after) not in after.ticket.asked:
        asked = (*after.ticket.asked, _wish(after))[-ASKED:]
        draft.set(ticket=after.ticket.model_copy(update={"asked": asked}))


# --- it is there -----------------------------------------------------------------------------------------------


def ticket_opened(draft: Draft, action: TicketOpened) -> None:
    """Its first comment says what happened while it was being opened, or while Linear was out of reach."""
    incident = draft.incident
    worked(draft, "ticket.open")
    if incident.ticket is not None:
        return
    draft.set(ticket=action.ticket).note(
        "comms", f"Ticket {action.ticket.identifier}", url=action.ticket.url
    )
    draft.claim(issue_claim(action.ticket.id), soft=True).timer(LOOK, LOOK_SECONDS, TicketLookDue())
    _escalated(draft, action)
    if said := so_far(incident):
        draft.want(CommentTicket(text=said))
    if "status" in incident.messages:
        draft.want(AttachChannel())
    if not incident.open:
        draft.want(CloseTicket(cancelled=incident.status is Status.CANCELLED))
    want_sub_issues(draft)
    attach_issues(draft, set()).dirty(*EVERYWHERE)


def issue_claim(id: str) -> str:
    """The incident that a Linear issue belongs to: where a webhook goes."""
    return f"linear:{id}"


def _escalated(draft: Draft, action: TicketOpened) -> None:
    """The bug that turned out to be on fire is the ticket's parent; each says so of the other."""
    incident, parent = draft.incident, action.parent
    if incident.escalated is None:
        return
    if parent is None:
        draft.note(
            "comms", f"{incident.escalated} was not found in Linear: the ticket has no parent"
        )
        return
    draft.set(parent=parent).note("comms", f"Escalated from {parent.identifier}", url=parent.url)
    draft.want(CommentTicket(text=f"Escalated from {parent.identifier}: {parent.url}"))
    went = f"{incident.id} {incident.title}: this is on fire in production. Follow {action.ticket.identifier}: {action.ticket.url}"
    draft.want(CommentParent(text=went))


def so_far(incident: Incident) -> str:
    lines = [f"Triage: {headline(incident.triage)}"] if incident.triage else []
    for one in incident.rounds:
        if one.action is not None:
            what = capital(what_was_done(one.action))
            verdict = f"; {one.verdict}" if one.verdict else ""
            lines.append(f"{what}, {mentioned(one.action.by)}: {one.action.result}{verdict}")
    if incident.cause is not None:
        lines.append(f"Root cause: {incident.cause.text}")
    if incident.latest_update:
        lines.append(incident.latest_update)
    if not incident.open:
        lines.append(f"{incident.id} is {incident.status.value}.")
    return "\n".join(lines)


def meanwhile(entries: Sequence[Entry], since: datetime) -> str:
    """What the timeline says from then on, for the comment that makes up for those that could not be made."""
    lines = [f"{stamp(one.at)} {one.text}" for one in entries if one.at >= since]
    return "While Linear was out of reach:\n" + "\n".join(lines or ["Nothing changed."])


# --- we wrote --------------------------------------------------------------------------------------------------


def ticket_synced(draft: Draft, action: TicketSynced) -> None:
    """What we wrote is known there from now on; what we did not write may be a person's word that nobody told us of."""
    incident = draft.incident
    worked(worked(draft, "ticket.sync"), action.kind)
    if (ticket := incident.ticket) is None or ticket.id != action.issue.id:
        return
    known: dict[str, object] = {}
    for name in action.wrote:
        known |= {name: getattr(action.issue, name), f"{name}_at": action.issue.at}
    ticket = ticket.model_copy(update=known)
    draft.set(ticket=ticket)
    _hear(
        draft,
        action.issue,
        [name for name in FIELDS if name not in action.wrote],
        "",
        asked_now=True,
    )
    ticket = draft.incident.ticket or ticket
    if _in_step(draft.incident, ticket):
        draft.set(ticket=ticket.model_copy(update={"asked": ()}))
    elif draft.incident.status is incident.status and action.wrote:  # it moved on while we wrote
        draft.want(SyncTicket())
    draft.dirty("status")


# --- somebody in Linear says -------------------------------------------------------------------------------------


def ticket_told(draft: Draft, action: TicketTold) -> None:
    incident = draft.incident
    if incident.ticket is not None and incident.ticket.id == action.issue.id:
        _hear(draft, action.issue, action.changed, action.by)
        return
    hear_item(draft, action.issue, action.by)


def look_due(draft: Draft, action: TicketLookDue) -> None:
    """Looks again and again while the incident is open, slower while only its action items are; then no more."""
    incident = draft.incident
    if incident.ticket is None or incident.status is Status.CANCELLED:
        return
    if incident.open:
        draft.want(LookAtTicket()).timer(LOOK, LOOK_SECONDS, TicketLookDue())
        return
    if incident.status is not Status.RESOLVED or not any(
        one.ticket for one in open_items(incident)
    ):
        return
    draft.want(LookAtTicket()).timer(LOOK, SLOW_LOOK_SECONDS, TicketLookDue())


def ticket_looked(draft: Draft, action: TicketLooked) -> None:
    """What webhooks did not tell; whose word it was, Linear does not say then."""
    incident = draft.incident
    worked(draft, "ticket.look")
    for issue in action.issues:
        if incident.ticket is not None and incident.ticket.id == issue.id:
            _hear(draft, issue, FIELDS, "", asked_now=True)
            ticket = draft.incident.ticket
            if ticket is not None and ticket.asked and not _in_step(draft.incident, ticket):
                draft.want(
                    SyncTicket()
                )  # a person's word came between: what was to be written still is
        else:
            hear_item(draft, issue, "")


def _hear(
    draft: Draft, issue: LinearIssue, changed: Sequence[str], by: str, *, asked_now: bool = False
) -> Draft:
    """Takes in what is new, field by field; of what is older than what we know, nothing."""
    ticket = draft.incident.ticket
    if ticket is None:
        return draft
    before = ticket
    asked = [one.partition(":") for one in (*ticket.asked, _wish(draft.incident))]
    if (
        "priority" in changed
        and issue.priority != before.priority
        and _newer(issue, before.priority_at, asked_now)
    ):
        ticket = ticket.model_copy(update={"priority": issue.priority, "priority_at": issue.at})
        draft.set(ticket=ticket)
        if before.priority is not None and str(issue.priority) not in {
            priority for _, _, priority in asked
        }:
            _prioritised(draft, issue.priority, by, alone="state" not in changed)
    if (
        "state" in changed
        and issue.state != before.state
        and _newer(issue, before.state_at, asked_now)
    ):
        ticket = ticket.model_copy(update={"state": issue.state, "state_at": issue.at})
        draft.set(ticket=ticket)
        if before.state and issue.state not in {state for state, _, _ in asked}:
            _moved(draft, before, issue, by)
    return draft


def people_moved(incident: Incident, issue: LinearIssue) -> bool:
    """Whether somebody in Linear changed the ticket since we last knew: that is heard before we write."""
    if (ticket := incident.ticket) is None:
        return False
    asked = [one.partition(":") for one in (*ticket.asked, _wish(incident))]
    priority = ticket.priority is not None and issue.priority != ticket.priority
    state = bool(ticket.state) and issue.state != ticket.state
    return (priority and str(issue.priority) not in {one for _, _, one in asked}) or (
        state and issue.state not in {one for one, _, _ in asked}
    )


def _newer(issue: LinearIssue, known: datetime | None, asked_now: bool) -> bool:
    """A webhook may come late, or twice; what Linear answers when it is asked is how things stand."""
    return (
        issue.at is None or known is None or issue.at > known or (asked_now and issue.at == known)
    )


def _prioritised(draft: Draft, priority: int, by: str, *, alone: bool) -> Draft:
    """A person's word on how bad it is counts from Linear, too (rules: Severity). Not `alone`: the channel may hear more of it."""
    incident, who = draft.incident, by or "somebody"
    if not incident.open or incident.ticket is None:
        return draft
    if priority not in {one.value for one in Severity}:
        draft.note("severity", f"{who} took the priority away in Linear; it is put back")
        return draft.want(SyncTicket())
    severity = Severity(priority)
    former = f"SEV{incident.severity.value} → " if incident.severity else ""
    said = f"{former}SEV{severity.value}, says {who} in Linear"
    draft.set(severity=severity, severity_by=f"{who} (Linear)"[:100]).note("severity", said)
    urgent(draft, f"{incident.id} {incident.title}: {said}")
    return tell(draft, f"{said}.", thread=not alone)


def _moved(draft: Draft, before: Ticket, issue: LinearIssue, by: str) -> Draft:
    """A ticket that somebody closed does not end the incident: the gate does (rules: The ticket)."""
    incident, who, name = draft.incident, by or "Somebody", before.identifier
    to = f" ({issue.state_name})" if issue.state_name else ""
    draft.note("comms", f"{name}: {who} moved it to {issue.state_name or issue.state} in Linear")
    if incident.open and issue.state == "completed":
        if (
            incident.status is Status.MITIGATED
            and incident.adr is not None
            and not missing(incident)
        ):
            return resolve_if_ready(draft, f"{who} closed {name} in Linear.")
        lacking = "\n".join(f"• {one}" for one in missing(incident))
        text = f"{incident.id} is not over, so I opened it again. Missing:\n{lacking}"
        return tell(draft, text, strong=f"{who} closed {name} in Linear{to}.").want(SyncTicket())
    if incident.open and issue.state == "canceled":
        text = f"{incident.id} goes on, so I opened it again. A false alarm? `/incident cancel <why>` ends it here."
        return tell(draft, text, strong=f"{who} cancelled {name} in Linear.").want(SyncTicket())
    if not incident.open and issue.state in UNFINISHED and before.state not in UNFINISHED:
        text = f"{incident.id} stays {incident.status.value}. Is it burning again? `/incident declare <what you see>`"
        return tell(draft, text, strong=f"{who} opened {name} again in Linear.", ticket=False)
    return draft


def ticket_title(incident: Incident) -> str:
    incident = outside(incident)
    return one_line(f"{incident.id}: {incident.title}", {}, 250)


def ticket_body(incident: Incident) -> str:
    """The ticket as it is opened. Triage and everything after it are comments, so that each is said once."""
    if incident.private:
        return "A private incident: what happens is said in its private channel in Slack, to the people who are in it."
    lines = [
        f"Service: {incident.service} ({incident.environment})",
        f"Detected: {incident.detected_at:%Y-%m-%d %H:%M} UTC via {incident.source.text}",
    ]
    if incident.description:
        lines.append(f"\n{incident.description}")
    return "\n".join(lines)
