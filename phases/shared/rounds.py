"""Rounds: one decision each, closed by the first action on production.

Every phase that opens or ends one shares this file.
"""

from collections.abc import Iterable

from phases.messages.effects import (
    Investigate,
    PostLive,
    Triage,
)
from phases.record.findings import ChangeSeen, Look, LookVerdict, Recommendation
from phases.record.incident import (
    VERIFIED,
    ActionKind,
    Incident,
    Round,
    RoundAction,
    Status,
)
from phases.record.tokens import what_was_done
from phases.shared.announce import LIVE_EVERYWHERE, await_action, update_outside
from phases.shared.change import Draft, Refused
from phases.text.wording import capital, ended, short, stamp

GUARD_TIMER = "guard"  # the bot's own looks after recovery


def decision_name(number: int) -> str:
    """Return the name of a round's decision message among the live messages."""
    return f"decision:{number}"


def progress_name(number: int) -> str:
    """Return the name of the message with the output of a round's deploy."""
    return f"progress:{number}"


def replace_round(draft: Draft, changed: Round) -> Draft:
    """Replace the round of the same number, and render its decision message again."""
    rounds = tuple(
        changed if current.number == changed.number else current
        for current in draft.incident.rounds
    )
    return draft.set(rounds=rounds).dirty(decision_name(changed.number), *LIVE_EVERYWHERE)


def change_action(draft: Draft, current: Round, **fields: object) -> Round:
    """Change fields of a round's action; return the round as it is now."""
    assert current.action is not None  # only what was decided can change
    changed = current.model_copy(update={"action": current.action.model_copy(update=fields)})
    replace_round(draft, changed)
    return changed


def open_round(draft: Draft, why: str, recommendation: Recommendation | None) -> Draft:
    """Open the next round, and ask for its decision message as soon as there is a channel."""
    before = draft.incident.round
    number = before.number + 1 if before else 1
    opened = Round(
        number=number, opened_at=draft.now, why=short(why, 500), recommendation=recommendation
    )
    draft.set(rounds=(*draft.incident.rounds, opened), status=Status.DECIDING)
    if before is not None:
        draft.dirty(decision_name(before.number))
        draft.note("decision", f"Round {number}: {why}")
    draft.dirty(*LIVE_EVERYWHERE)
    return ask_for_decision(draft)


def ask_for_decision(draft: Draft) -> Draft:
    """Post the newest round's decision message, once: when there is a channel and a round."""
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
    """Measure and decide again: what was tried did not work or was not started.

    The new decision message says why, so nothing else is said in the channel. It recommends nothing
    before it is measured: the last measure recommended what has just not worked.
    """
    why = why.rstrip(" .")
    update_outside(write_again(draft), f"{capital(why)}. To be decided again.")
    open_round(draft, why, None).cancel(GUARD_TIMER)
    await_action(draft)
    start_investigation(draft)
    return draft.want(Triage())


def write_again(draft: Draft) -> Draft:
    """Have the post-mortem written anew, in its file, where the incident goes on after it."""
    if draft.incident.adr is None:
        return draft
    return draft.set(adr=None, adr_before=draft.incident.adr, rewriting=True)


def action_in_effect(incident: Incident) -> RoundAction | None:
    """Return the newest round's action; a fix forward that never started does not hide the cure."""
    action = incident.round.action if incident.round is not None else None
    if action is None or action.result != "not started":
        return action
    actions = (current.action for current in reversed(incident.rounds))
    return next((began for began in actions if began is not None and began.began), action)


def round_of_recovery(incident: Incident) -> Round | None:
    """Return the round that verified the recovery which counts (`recovered_at`).

    After a fix forward that is not the newest verified one: users were fine all the while.
    """
    verified = [current for current in incident.rounds if current.verdict in VERIFIED]
    at = incident.recovered_at
    if at is None or not verified:
        return None
    before = [current for current in verified if current.opened_at <= at]
    return (before or verified)[-1]


def look_of_recovery(current: Round | None) -> Look | None:
    """Return the look that verified a round's recovery; one that a person asked for verifies none.

    None where a person's word counts, and nobody had measured it.
    """
    looks = current.looks if current is not None else ()
    recovered = [look for look in looks if look.verdict is LookVerdict.RECOVERED]
    verified = [look for look in recovered if look.number > 0]
    return next(reversed(verified or recovered), None)


def start_investigation(draft: Draft, *, again: bool = False) -> Draft:
    """Start to investigate, beside everything; it only reads, and uses up no round.

    `again`: there is new evidence to walk along.
    """
    incident = draft.incident
    if incident.investigating or (incident.investigation is not None and not again):
        return draft
    return draft.set(investigating=True).want(Investigate())


def refuse_if_ended(incident: Incident) -> Refused | None:
    """Refuse to change an incident that has ended; None while it is open."""
    match incident.status:
        case Status.CANCELLED:
            why = incident.cancel_reason or "no reason given"
            there = f" Say it in {incident.duplicate_of}." if incident.duplicate_of else ""
            was = ended(f"{incident.id} was cancelled: {why}")
            return Refused("state", f"{was} Nothing was changed.{there}")
        case Status.RESOLVED | Status.CLOSED:
            return Refused(
                "state",
                f"{incident.id} is {incident.status.value}. Nothing was changed. "
                "Is it failing again? `/incident declare <what you see>`",
            )
        case _:
            return None


# --- what was tried -----------------------------------------------------------------------------


def tried_sentences(incident: Incident) -> tuple[str, ...]:
    """Return what was done to production and did not end it, newest first.

    The next decision has to know. Why the newest failed stands at the head of that decision.
    """
    sentences: list[str] = []
    never: set[str] = set()
    for current in reversed(incident.rounds):
        action = current.action
        if action is None or (what := _never_started(action)) in never:
            continue  # what changed nothing is said once, however often it was clicked
        if sentence := _tried_sentence(current, action, not sentences):
            sentences.append(sentence)
            never |= {what} - {""}
    return tuple(sentences)


def _never_started(action: RoundAction) -> str:
    return what_was_done(action) if action.result == "not started" else ""


def _tried_sentence(current: Round, action: RoundAction, newest: bool) -> str:
    what = f"Tried already: {capital(what_was_done(action))}, {stamp(action.at)}"
    reason = f": {short(action.reason, 120).rstrip('.')}" if action.reason and not newest else ""
    match action.result:
        case "failed":
            return f"{what}, failed{reason}."
        case "unknown":
            return f"{what}, with an unknown result."
        case "not started":
            return f"{what}, was not started{reason}."
        case "done" if current.verdict == "not recovered":
            return f"{what}, did not help."
        case "done" if current.verdict is not None:
            return f"{what}, helped for a while."
        case _:
            return ""


def _actions_of_kind(incident: Incident, kind: ActionKind) -> tuple[RoundAction, ...]:
    actions = (current.action for current in incident.rounds)
    return tuple(action for action in actions if action is not None and action.kind is kind)


def broken_rollbacks(incident: Incident) -> tuple[str, ...]:
    """Return the versions to which a rollback has failed (workflow: stop conditions)."""
    failed = (
        action.to_release.version
        for action in _actions_of_kind(incident, ActionKind.ROLLBACK)
        if action.to_release is not None and action.result in ("failed", "unknown")
    )
    return tuple(dict.fromkeys(failed))


def shipped_hotfixes(incident: Incident) -> frozenset[str]:
    """Return the hotfixes that were shipped: one that did not end it is no known fix any more."""
    return frozenset(
        action.to_release.version
        for action in _actions_of_kind(incident, ActionKind.HOTFIX)
        if action.to_release is not None and action.result != "not started"
    )


def not_taken_back(changes: Iterable[ChangeSeen], incident: Incident) -> tuple[ChangeSeen, ...]:
    """Return the changes that nobody has taken back in this incident since they were made.

    One that was turned off and did not help is no suspect any more.
    """
    acted = [
        current.action
        for current in incident.rounds
        if current.action is not None and current.action.result != "not started"
    ]
    return tuple(change for change in changes if not any(_took_back(a, change) for a in acted))


def _took_back(action: RoundAction, change: ChangeSeen) -> bool:
    if action.at < change.at:
        return False
    if action.kind is ActionKind.FIXED:
        return change.name in action.sentence
    return action.change is not None and action.change.name == change.name
