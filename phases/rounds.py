"""Rounds: one decision each, closed by the first action on production. Shared by every phase that opens or ends one."""

from __future__ import annotations

from phases.change import Draft, Refused
from phases.effects import CommentTicket, Investigate, Page, PostLive, Say, TellDiscord, Triage
from phases.incident import ActionKind, Incident, Round, RoundAction, Status
from phases.report import Recommendation

EVERYWHERE = ("status", "announcement")


def decision_name(number: int) -> str:
    """Name of a round's decision message among the live messages."""
    return f"decision:{number}"


def replace_round(draft: Draft, changed: Round) -> Draft:
    """Puts a changed round in the place of the one with its number, and has its decision message rendered again."""
    rounds = tuple(changed if r.number == changed.number else r for r in draft.incident.rounds)
    return draft.set(rounds=rounds).dirty(decision_name(changed.number), *EVERYWHERE)


def open_round(draft: Draft, why: str, recommendation: Recommendation | None) -> Draft:
    """Opens the next round, and asks for its decision message as soon as there is a channel."""
    before = draft.incident.round
    number = before.number + 1 if before else 1
    opened = Round(number=number, opened_at=draft.now, why=why, recommendation=recommendation)
    draft.set(rounds=(*draft.incident.rounds, opened), status=Status.DECIDING)
    if before is not None:
        draft.dirty(decision_name(before.number))
        draft.note("decision", f"Round {number}: {why}")
    draft.dirty(*EVERYWHERE)
    return ask_for_decision(draft)


def ask_for_decision(draft: Draft) -> Draft:
    """Posts the newest round's decision message once: when the channel exists and triage has an answer or is overdue."""
    current = draft.incident.round
    if current is None or current.asked or draft.incident.channel is None:
        return draft
    rounds = (*draft.incident.rounds[:-1], current.model_copy(update={"asked": True}))
    return draft.set(rounds=rounds).want(PostLive(name=decision_name(current.number)))


def next_round(draft: Draft, why: str) -> Draft:
    """What was tried did not work or was not started: measure again, decide again."""
    report = draft.incident.triage
    open_round(draft, why, report.recommendation if report and not report.manual_by else None)
    return draft.want(Triage())


def page(draft: Draft, key: str, text: str) -> Draft:
    """Pages people once for each reason (rules: Severity, Pages)."""
    if key in draft.incident.paged:
        return draft
    return draft.set(paged=(*draft.incident.paged, key)).want(Page(key=key, text=text)).note("page", f"Paged: {text}")


def tell(draft: Draft, text: str, *, ticket: bool = True, thread: bool = False) -> Draft:
    """Says a change of state in the channel, and keeps ticket and Discord true with it (workflow, phase 4)."""
    if draft.incident.channel is not None:
        draft.want(Say(text=text, thread=thread))
    if ticket:
        keep_true(draft, text)
    return draft


def keep_true(draft: Draft, text: str) -> Draft:
    """A comment on the ticket, Discord and the pinned status follow every change."""
    if draft.incident.ticket is not None:
        draft.want(CommentTicket(text=text))
    return draft.want(TellDiscord()).dirty(*EVERYWHERE)


def start_investigation(draft: Draft) -> Draft:
    """Runs beside everything, read-only, and never uses up a round."""
    if draft.incident.investigating or draft.incident.investigation is not None:
        return draft
    return draft.set(investigating=True).want(Investigate())


def mentioned(person: str | None) -> str:
    return f"<@{person}>" if person else "Firebreak"


def ended(incident: Incident) -> Refused | None:
    """Why nothing can be decided any more, or None while the incident is open."""
    match incident.status:
        case Status.CANCELLED:
            return Refused("state", f"{incident.id} was cancelled: {incident.cancel_reason or 'no reason given'}.")
        case Status.RESOLVED | Status.CLOSED:
            return Refused(
                "state", f"{incident.id} is {incident.status.value}. `/incident reopen {incident.id}` opens it again."
            )
        case _:
            return None


def what_was_done(action: RoundAction) -> str:
    """The words of the summary's `Action` (rules: Post-mortem): `rollback to v41`, `hotfix …`, `fixed: flag off`."""
    to = action.to_release.version if action.to_release else "?"
    match action.kind:
        case ActionKind.ROLLBACK:
            return f"rollback to {to}"
        case ActionKind.HOTFIX:
            return to if to.startswith("hotfix") else f"hotfix {to}"
        case ActionKind.FIXED:
            return f"fixed: {action.sentence}"
