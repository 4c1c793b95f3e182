"""Rounds: one decision each, closed by the first action on production. Shared by every phase that opens or ends one."""

from __future__ import annotations

from typing import Literal

from phases.actions import NobodyActed
from phases.change import Draft, Refused
from phases.effects import CommentTicket, Investigate, Page, PinDiscord, PostLive, Say, TellDiscord, TellPager, Triage
from phases.incident import ActionKind, Incident, Round, RoundAction, Severity, Status
from phases.report import Recommendation
from phases.wording import capital, short, stamp

EVERYWHERE = ("status", "announcement")
NOBODY = "nobody"  # timer: nobody acted on a SEV1
NOBODY_SECONDS = 600  # rules, Severity: nobody acts on a SEV1 within 10 minutes
GUARD_TIMER = "guard"  # the bot's own looks after recovery (`guard.py`)
REASON = 300  # characters of a reason as it is kept and said


def decision_name(number: int) -> str:
    """Name of a round's decision message among the live messages."""
    return f"decision:{number}"


def progress_name(number: int) -> str:
    """Name of the message with the output of a round's deploy."""
    return f"progress:{number}"


def replace_round(draft: Draft, changed: Round) -> Draft:
    """Puts a changed round in the place of the one with its number, and has its decision message rendered again."""
    rounds = tuple(changed if r.number == changed.number else r for r in draft.incident.rounds)
    return draft.set(rounds=rounds).dirty(decision_name(changed.number), *EVERYWHERE)


def open_round(draft: Draft, why: str, recommendation: Recommendation | None) -> Draft:
    """Opens the next round, and asks for its decision message as soon as there is a channel."""
    before = draft.incident.round
    number = before.number + 1 if before else 1
    opened = Round(number=number, opened_at=draft.now, why=short(why, 500), recommendation=recommendation)
    draft.set(rounds=(*draft.incident.rounds, opened), status=Status.DECIDING)
    if before is not None:
        draft.dirty(decision_name(before.number))
        draft.note("decision", f"Round {number}: {why}")
    draft.dirty(*EVERYWHERE)
    return ask_for_decision(draft)


def ask_for_decision(draft: Draft) -> Draft:
    """Posts the newest round's decision message once: when the channel exists and triage has an answer or is overdue."""
    current = draft.incident.round
    if current is None or current.asked or draft.incident.channel is None or not draft.incident.open:
        return draft
    rounds = (*draft.incident.rounds[:-1], current.model_copy(update={"asked": True}))
    return draft.set(rounds=rounds).want(PostLive(name=decision_name(current.number)))


def next_round(draft: Draft, why: str) -> Draft:
    """What was tried did not work or was not started: measure again, decide again.

    The new decision message says why, so nothing else is said in the channel. It recommends nothing before it is measured:
    the old picture recommended what has just not worked.
    """
    why = why.rstrip(" .")
    keep_true(write_again(draft), f"{capital(why)}. To be decided again.")
    open_round(draft, why, None).cancel(GUARD_TIMER)
    await_action(draft)
    start_investigation(draft)
    return draft.want(Triage())


def write_again(draft: Draft) -> Draft:
    """What goes on after its post-mortem was written is written anew: in the same file, under its number."""
    if draft.incident.adr is None:
        return draft
    return draft.set(adr=None, adr_before=draft.incident.adr, rewriting=True)


def urgent(draft: Draft, said: str) -> Draft:
    """A SEV1 is paged as soon as it is known, and once more when nobody acts on it (rules: Severity).

    Not once users are fine: what somebody writes into a ticket afterwards wakes nobody.
    """
    fine = draft.incident.status is Status.MITIGATED
    if fine or draft.incident.severity is not Severity.SEV1 or "sev1" in draft.incident.paged:
        return draft
    return await_action(page(draft, "sev1", said))


def await_action(draft: Draft) -> Draft:
    """Watches that somebody acts on a SEV1; the first action, or *Investigate*, ends it."""
    current = draft.incident.round
    waits = current is None or (current.action is None and current.investigate_by is None)
    if draft.incident.severity is not Severity.SEV1 or not waits:
        return draft
    return draft.timer(NOBODY, NOBODY_SECONDS, NobodyActed())


def page(draft: Draft, key: str, text: str) -> Draft:
    """Pages people once for each reason (rules: Severity, Pages)."""
    if key in draft.incident.paged:
        return draft
    if draft.incident.drill:
        draft.set(paged=(*draft.incident.paged, key)).note("page", f"Drill: nobody was paged. For real: {text}")
        return nobody_paged(draft, text)
    return draft.set(paged=(*draft.incident.paged, key)).want(Page(key=key, text=text)).note("page", f"Paged: {text}")


def tell(
    draft: Draft,
    text: str,
    *,
    strong: str = "",
    ticket: bool = True,
    thread: bool = False,
    ask: Literal["recovered", "not over", "foreign deploy", "fixed", "after", ""] = "",
    mention: tuple[str, ...] = (),
    picture: bool = False,
) -> Draft:
    """Says a change of state in the channel, and keeps ticket and Discord true with it (workflow, phase 4).

    `strong` stands in front: bold in Slack, plain words on the ticket.
    """
    if draft.incident.channel is not None:
        said = f"*{strong}* {text}" if strong else text
        draft.want(Say(text=said.strip(), thread=thread, ask=ask, mention=mention, picture=picture))
    if ticket:
        keep_true(draft, f"{strong} {text}".strip())
    return draft


def keep_true(draft: Draft, text: str) -> Draft:
    """A comment on the ticket, Discord and the pinned status follow every change."""
    if draft.incident.ticket is not None and not draft.incident.private:
        draft.want(CommentTicket(text=text))
    return tell_discord(draft).dirty(*EVERYWHERE)


def tell_discord(draft: Draft) -> Draft:
    """Posts once, edits afterwards: while the first post is under way its id is not known, and its end asks again."""
    if draft.incident.apart or (draft.incident.discord_asked and draft.incident.discord_id is None):
        return draft
    return pin_discord(draft.set(discord_asked=True).want(TellDiscord()))


def pin_discord(draft: Draft) -> Draft:
    """Pinned while it is open: a channel that many incidents share does not keep the pins of those that are over."""
    incident = draft.incident
    if incident.discord_id is None or incident.apart or incident.open is incident.discord_pinned:
        return draft
    return draft.set(discord_pinned=incident.open).want(PinDiscord())


def answered(draft: Draft) -> Draft:
    """Somebody acts: the pager need not call the next one."""
    return _tell_pager(draft, "acknowledge")


def stand_down(draft: Draft) -> Draft:
    """Users are fine, or it is over: the pager's alert ends."""
    return _tell_pager(draft, "resolve")


def _tell_pager(draft: Draft, what: Literal["acknowledge", "resolve"]) -> Draft:
    if not draft.incident.paged or draft.incident.drill:
        return draft
    return draft.want(TellPager(what=what, pages=len(draft.incident.paged)))


def nobody_paged(draft: Draft, text: str) -> Draft:
    """What a drill says in place of a page, as soon as there is a channel to say it in."""
    if draft.incident.channel is None or not draft.incident.paged:
        return draft
    said = f"*Drill: nobody was paged.* For real, people would be paged now: {text}"
    return draft.want(Say(text=said, thread=True))


def worked(draft: Draft, kind: str, holding: str = "") -> Draft:
    """Takes back the failures of an effect that has succeeded since: nobody needs to try those again."""
    left = tuple(f for f in draft.incident.failures if f.kind != kind or holding not in f.effect)
    if len(left) == len(draft.incident.failures):
        return draft
    return draft.set(failures=left).dirty("status")


def start_investigation(draft: Draft, *, again: bool = False) -> Draft:
    """Runs beside everything, read-only, and never uses up a round; `again` where there is new evidence to walk along."""
    incident = draft.incident
    if incident.investigating or (incident.investigation is not None and not again):
        return draft
    return draft.set(investigating=True).want(Investigate())


def mentioned(person: str | None) -> str:
    return f"<@{person}>" if person else "Firebreak"


def ended(incident: Incident) -> Refused | None:
    """Why nothing can be decided any more, or None while the incident is open."""
    match incident.status:
        case Status.CANCELLED:
            why = incident.cancel_reason or "no reason given"
            return Refused("state", f"{incident.id} was cancelled: {why}. Nothing was changed.")
        case Status.RESOLVED | Status.CLOSED:
            return Refused(
                "state",
                f"{incident.id} is {incident.status.value}. Nothing was changed. "
                "Is it burning again? `/incident declare <what you see>`",
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


# --- what was tried ------------------------------------------------------------------------------------------------


def tried(incident: Incident) -> tuple[str, ...]:
    """What this incident did to production and is still burning after, newest first: the next decision has to know."""
    said = (_tried(one, one.action) for one in reversed(incident.rounds) if one.action is not None)
    return tuple(sentence for sentence in said if sentence)


def _tried(one: Round, action: RoundAction) -> str:
    what = f"{capital(what_was_done(action))}, {stamp(action.at)}"
    reason = f": {short(action.reason, 120).rstrip('.')}" if action.reason else ""
    match action.result:
        case "failed":
            return f"Tried already: {what}, failed{reason}."
        case "unknown":
            return f"Tried already: {what}, with an unknown result."
        case "not started":
            return f"Tried already: {what}, was not started{reason}."
        case "done" if one.verdict == "not recovered":
            return f"Tried already: {what}, did not help."
        case "done" if one.verdict is not None:
            return f"Tried already: {what}, helped for a while."
        case _:
            return ""


def broken_rollbacks(incident: Incident) -> tuple[str, ...]:
    """Versions that this incident could not be rolled back to: the deploy is broken, too (workflow: stop conditions)."""
    acted = (one.action for one in incident.rounds if one.action is not None)
    ended = (a for a in acted if a.kind is ActionKind.ROLLBACK and a.result in ("failed", "unknown"))
    return tuple(dict.fromkeys(a.to_release.version for a in ended if a.to_release is not None))


def shipped(incident: Incident) -> frozenset[str]:
    """Hotfixes of this incident: one that did not end it is no known fix any more."""
    acted = (one.action for one in incident.rounds if one.action is not None and one.action.kind is ActionKind.HOTFIX)
    return frozenset(a.to_release.version for a in acted if a.to_release is not None and a.result != "not started")
