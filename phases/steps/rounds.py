"""Rounds: one decision each, closed by the first action on production. Shared by every phase that opens or ends one."""

from __future__ import annotations

from phases.messages.effects import (
    Investigate,
    PostLive,
    Triage,
)
from phases.record.findings import Recommendation
from phases.record.incident import ActionKind, Incident, Round, RoundAction, Status
from phases.record.tokens import what_was_done
from phases.record.wording import capital, short, stamp
from phases.steps.announce import EVERYWHERE, await_action, keep_true
from phases.steps.change import Draft, Refused

GUARD_TIMER = "guard"  # the bot's own looks after recovery (`guard.py`)


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


def change_action(draft: Draft, current: Round, **fields: object) -> Round:
    """Changes fields of a round's action, and returns the round as it is now."""
    assert current.action is not None  # only what was decided can change
    changed = current.model_copy(update={"action": current.action.model_copy(update=fields)})
    replace_round(draft, changed)
    return changed


def open_round(draft: Draft, why: str, recommendation: Recommendation | None) -> Draft:
    """Opens the next round, and asks for its decision message as soon as there is a channel."""
    before = draft.incident.round
    number = before.number + 1 if before else 1
    opened = Round(
        number=number, opened_at=draft.now, why=short(why, 500), recommendation=recommendation
    )
    draft.set(rounds=(*draft.incident.rounds, opened), status=Status.DECIDING)
    if before is not None:
        draft.dirty(decision_name(before.number))
        draft.note("decision", f"Round {number}: {why}")
    draft.dirty(*EVERYWHERE)
    return ask_for_decision(draft)


def ask_for_decision(draft: Draft) -> Draft:
    """Posts the newest round's decision message once: when the channel exists and triage has an answer or is overdue."""
    current = draft.incident.round
    if (
        current is None
        or current.asked
        or draft.incident.channel is None
        or not draft.incident.open
    ):
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


def start_investigation(draft: Draft, *, again: bool = False) -> Draft:
    """Runs beside everything, read-only, and never uses up a round; `again` where there is new evidence to walk along."""
    incident = draft.incident
    if incident.investigating or (incident.investigation is not None and not again):
        return draft
    return draft.set(investigating=True).want(Investigate())


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
    ended = (
        a for a in acted if a.kind is ActionKind.ROLLBACK and a.result in ("failed", "unknown")
    )
    return tuple(dict.fromkeys(a.to_release.version for a in ended if a.to_release is not None))


def shipped(incident: Incident) -> frozenset[str]:
    """Hotfixes of this incident: one that did not end it is no known fix any more."""
    acted = (
        one.action
        for one in incident.rounds
        if one.action is not None and one.action.kind is ActionKind.HOTFIX
    )
    return frozenset(
        a.to_release.version
        for a in acted
        if a.to_release is not None and a.result != "not started"
    )
