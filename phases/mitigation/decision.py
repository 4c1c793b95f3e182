"""Phase 3, the decision: which click still counts, who may decide, and where a rollback goes.

One action on production a round, and one at a time.
"""

from collections.abc import Sequence

from phases.record.findings import ChangeSeen, Release
from phases.record.incident import Incident, Round, RoundAction, Status
from phases.record.service import Service
from phases.record.tokens import mentioned, what_was_done
from phases.shared.change import Refused
from phases.shared.rounds import refuse_if_ended
from phases.shared.suspected_changes import ARGUMENT, switched_on, taking_back_in_words
from phases.text.wording import capital, stamp


def who_may(owners: Sequence[str], person: str, *, what: str = "deploy it") -> Refused | None:
    """Refuse who is no owner of the service (rules: Who may).

    Without owners any full member may; who is none gets as far as this nowhere.
    """
    if owners and person not in owners:
        names = ", ".join(mentioned(owner) for owner in owners)
        return Refused("who", f"Only the owners of this service {what}: {names}. Nothing was done.")
    return None


def may_act(
    incident: Incident, number: int | None = None, *, forward: bool = False
) -> Refused | None:
    """Refuse an action on production that comes too late, with who has decided what.

    `number` is the round that a button or form means; None is the newest one. `forward`: users are
    fine again, and a form opens another round.
    """
    if (refused := refuse_if_ended(incident)) is not None:
        return refused
    if incident.status in (Status.MITIGATING, Status.VERIFYING):
        return Refused("state", one_at_a_time_text(incident))
    current = incident.round
    if current is None or number is None or _goes_forward(incident, number, forward=forward):
        return None
    if current.action is not None and number <= current.number:
        return Refused("stale", f"{_decided_text(current.action)}. Nothing more was done.")
    if number == current.number:
        return None
    meant = incident.round_of(number)
    was = (
        f" {_decided_text(meant.action)}." if meant is not None and meant.action is not None else ""
    )
    return Refused(
        "stale",
        f"That was decision {number}, which is over.{was} "
        f"Decision {current.number} is open: look there. Nothing was done.",
    )


def _goes_forward(incident: Incident, number: int, *, forward: bool) -> bool:
    newest = incident.round is not None and incident.round.number == number
    return forward and newest and incident.status is Status.MITIGATED


def reason_for_a_round(incident: Incident, number: int, *, forward: bool) -> str | None:
    """Return why an action that may be taken opens a round of its own; None if it needs none."""
    if incident.round is None:
        return "acted on before triage"
    return "fix forward" if _goes_forward(incident, number, forward=forward) else None


def one_at_a_time_text(incident: Incident) -> str:
    return f"One action in production at a time: {under_way_text(incident)}. Nothing was done."


def under_way_text(incident: Incident) -> str:
    """Say who has decided what, when, how it stands, and what can be done now."""
    current = incident.round
    if current is None or current.action is None:
        return f"{incident.id} is {incident.status.value}"
    decided = _decided_text(current.action)
    if incident.status is not Status.VERIFYING:
        return f"{decided}, and it is under way"
    if current.verdict == "ask a person":
        return f"{decided}. The channel is being asked whether it helped: answer there first"
    again = "`/incident recheck` looks now and lets you decide again"
    return f"{decided}, and it is being checked. Did it not help? {again}"


def _decided_text(action: RoundAction) -> str:
    what = f"{what_was_done(action)}, {stamp(action.at)} ({action.result})"
    return f"{mentioned(action.by)} decided: {what}"


# --- what may be turned off ---------------------------------------------------------------------


def change_named(incident: Incident, current: Round, name: str) -> ChangeSeen | None:
    """Return the change of this name that the bot was told of; nothing typed becomes a command."""
    advised = current.recommendation.change if current.recommendation is not None else None
    known = incident.triage.changes if incident.triage is not None else ()
    every = ([advised] if advised is not None else []) + list(known)
    return next((change for change in every if change.name == name), None)


def cannot_turn_off(service: Service, change: ChangeSeen) -> str:
    """Say why the bot cannot turn it off, and what to do; empty where it can."""
    by_hand = f"{capital(taking_back_in_words(change))} by hand, then say *Fixed another way*."
    if not switched_on(change):
        return by_hand
    if not service.turn_off:
        return f"{service.name} has no `turn_off` command in the catalogue. {by_hand}"
    if not ARGUMENT.fullmatch(change.name):
        return f"This name cannot safely be passed to a command. {by_hand}"
    return ""


# --- from where to where ------------------------------------------------------------------------


def running_release(incident: Incident) -> Release | None:
    """Return what runs as far as the record knows.

    It is what the newest deploy read back, or what triage saw if that is newer.
    """
    measured = incident.triage.running if incident.triage is not None else None
    for current in reversed(incident.rounds):
        action = current.action
        if action is None or action.finished_at is None or action.proof is None:
            continue
        if action.proof.after is not None:
            newer = incident.triage is None or action.finished_at > incident.triage.at
            return Release(version=action.proof.after) if newer else measured
    return measured


def rollback_target(incident: Incident, current: Round) -> Release | None:
    """Return the release to which one click rolls back.

    None if it is not known what runs, or where to go back to: then a person chooses in the form.
    """
    target = current.recommendation.target if current.recommendation is not None else None
    return target if running_release(incident) is not None else None
