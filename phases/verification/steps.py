"""Phase 5, what the re-check does to the record: when to look, what a look leads to. How a look is judged: `verification.py`.

Workflow: "Wait 5-10 min after action … confirm new event rate dropped … Hit affected endpoint … Update Linear ticket".
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from phases.messages.actions import LookDue
from phases.messages.commands import ConfirmRecovery, RecheckNow
from phases.messages.effects import LookAgain
from phases.messages.results import Looked
from phases.record.findings import Look, LookVerdict, Picture
from phases.record.incident import Incident, Round, Status
from phases.record.service import Service
from phases.record.tokens import mentioned, what_was_done
from phases.record.wording import capital, lasting, rate
from phases.root_cause.steps import without_what_did_not_help
from phases.steps.announce import keep_true, page, stand_down, tell, worked
from phases.steps.change import Draft, Refused
from phases.steps.resolution import resolve_if_ready
from phases.steps.rounds import next_round, replace_round
from phases.verification.recheck import NOT_MEASURED
from phases.verification.recurrence import GUARD, watch
from phases.verification.sentry_resolution import resolve_issues

LOOK = "look"  # timer
RETRY_SECONDS = 60  # rules: Sentry out of reach at a look: tried every minute …
GIVE_UP_FACTOR = 2  # … until 20 minutes after the action, which is twice the second look
LOOKS = 6  # kept of a round
SCATTER = timedelta(
    seconds=5
)  # the clock of Redis may be set by so much without anybody being late


def start_clock(draft: Draft) -> Draft:
    """The deploy is finished, or *fixed another way* was said: the first look is due after the wait."""
    current = draft.incident.round
    assert current is not None  # an action on production belongs to a round
    replace_round(draft, current.model_copy(update={"clock_started_at": draft.now}))
    return draft.timer(
        LOOK, draft.service.recheck_after_seconds, LookDue(round=current.number, number=1)
    )


def first_look(service: Service) -> str:
    """Said with every action: when people hear of it again."""
    return f"First check in {lasting(timedelta(seconds=service.recheck_after_seconds))}."


def look_due(draft: Draft, action: LookDue) -> None:
    incident = draft.incident
    if (current := _verifying(incident, action.round)) is not None:
        _set_back(draft, current, action.number)
        draft.want(LookAgain(round=action.round, number=action.number))


def _set_back(draft: Draft, current: Round, number: int) -> None:
    """A look is never due sooner than its wait: where the record says so the clock was set back, and the round moves with it.

    The action, too: what burned before it and what came after it are counted on one clock, or quiet would be seen in the wrong hour.
    """
    wait = timedelta(
        seconds=draft.service.recheck_after_seconds
        if number < 2
        else draft.service.recheck_until_seconds
    )
    began = draft.now - wait
    step = _clock(current) - began
    if step <= SCATTER:
        return
    acted = current.action
    if acted is not None:
        moved = {
            name: at - step
            for name in ("at", "started_at", "finished_at")
            if (at := getattr(acted, name))
        }
        acted = acted.model_copy(update=moved)
    replace_round(draft, current.model_copy(update={"clock_started_at": began, "action": acted}))


def recheck_now(draft: Draft, action: RecheckNow) -> Refused | None:
    """A person wants to see now. It informs; only the looks that are due, and people's words, lead on."""
    incident = draft.incident
    acted = next((r for r in reversed(incident.rounds) if r.clock_started_at is not None), None)
    if acted is None:
        return Refused(
            "state",
            "Nothing was done on production yet, so there is nothing to check. Decide first.",
        )
    draft.note("check", f"{mentioned(action.by)} asked for a check", by=action.by)
    draft.want(LookAgain(round=acted.number, number=0))
    return None


def looked(draft: Draft, action: Looked) -> None:
    incident = draft.incident
    worked(draft, "look")
    look = action.look
    current = incident.round_of(action.round)
    if current is None or (look.number > 0 and _verifying(incident, action.round) is None):
        return
    before = next((one for one in reversed(current.looks) if one.number > 0), None)
    current = current.model_copy(update={"looks": (*current.looks, look)[-LOOKS:]})
    replace_round(draft, current).note("check", sentence(look))
    if look.number == 0:
        _answer(draft, current, look)
        return
    match look.verdict:
        case LookVerdict.RECOVERED:
            mitigated(draft, current, "recovered", sentence(look), action.picture)
            return
        case LookVerdict.UNREACHABLE:
            _out_of_reach(draft, current, look, before)
            return
        case LookVerdict.NOT_RECOVERED | LookVerdict.TOO_FEW if not _is_last(
            look, current, draft.service
        ):
            wait = (
                draft.service.recheck_until_seconds - (draft.now - _clock(current)).total_seconds()
            )
            draft.timer(LOOK, max(wait, 1), LookDue(round=current.number, number=2))
            tell(
                draft,
                f"{sentence(look)} The second check decides.",
                strong="First check.",
                thread=True,
            )
            return
        case LookVerdict.NOT_RECOVERED:
            not_recovered(draft, current, sentence(look))
            return
        case LookVerdict.TOO_FEW:
            _ask(draft, current, sentence(look))
            return


def confirm_recovery(draft: Draft, action: ConfirmRecovery) -> Refused | None:
    """A person's word by name, marked "not measured": recovery only where the bot could not tell, "not over" at any time."""
    incident = draft.incident
    current = incident.round
    if current is None or current.number != action.round or incident.status is not Status.VERIFYING:
        return Refused("stale", "That question is answered. Nothing was changed.")
    if action.recovered and current.verdict != "ask a person":
        return Refused(
            "state",
            "The check is not over yet; it will say by itself. `/incident recheck` looks now.",
        )
    who = mentioned(action.by)
    said = "users have it back" if action.recovered else "it is not over"
    draft.note("check", f"{who}: {said} (not measured)", by=action.by)
    if action.recovered:
        mitigated(draft, current, "confirmed by a person", f"{who} says so (not measured).")
        return None
    not_recovered(draft, current, f"{who} says it is not over (not measured)")
    return None


def mitigated(
    draft: Draft,
    current: Round,
    verdict: Literal["recovered", "confirmed by a person"],
    said: str,
    picture: Picture | None = None,
) -> Draft:
    """Users are fine, verified. Resolved is another thing: it needs cause and post-mortem.

    After a fix forward the first verified recovery stays: users were fine all the while.
    """
    replace_round(draft, current.model_copy(update={"verdict": verdict}))
    at = draft.incident.recovered_at or draft.now
    draft.set(
        status=Status.MITIGATED, recovered_at=at, guard_until=draft.now + GUARD, picture=picture
    )
    draft.set(fired_at=None, alarm=None)
    watch(draft).cancel(LOOK)
    stand_down(draft)
    resolve_issues(draft, current)
    return resolve_if_ready(
        draft, said.removeprefix("Recovered: "), strong="Recovered.", picture=picture is not None
    )


def not_recovered(draft: Draft, current: Round, said: str) -> Draft:
    """A new round, people are paged, and what was tried is ruled out."""
    replace_round(draft, current.model_copy(update={"verdict": "not recovered"})).cancel(LOOK)
    tried = what_was_done(current.action) if current.action else "what was tried"
    incident = draft.incident
    draft.set(
        hypotheses=without_what_did_not_help(incident.hypotheses, incident),
        recovered_at=None,
        guard_until=None,
    )
    draft.dirty("tree", "evidence")
    said = said.removeprefix("Not recovered: ").rstrip(".")
    page(
        draft,
        f"did not help: {current.number}",
        f"{incident.id} {incident.title}: {tried} did not help. {said}.",
    )
    return next_round(draft, f"not recovered: {tried} did not help. {capital(said)}")


def sentence(look: Look) -> str:
    """One look in one sentence with the rate before and after."""
    endpoint = "" if look.endpoint is None else f"; endpoint {look.endpoint.said}"
    if look.verdict is LookVerdict.UNREACHABLE:
        return f"Sentry could not be asked ({'; '.join(look.reasons) or 'no answer'}){endpoint}."
    if look.reasons and look.reasons[0].endswith(NOT_MEASURED):
        return f"{capital(look.reasons[0])}{endpoint}."
    rates = f"{rate(look.before_per_minute)} → {rate(look.after_per_minute)} events a minute"
    span = lasting(timedelta(minutes=look.minutes))
    reasons = f"; {'; '.join(look.reasons)}" if look.reasons else ""
    return f"{capital(look.verdict.value)}: {rates} in {span}{reasons}{endpoint}."


def unreachable(draft: Draft, number: int, look: int, reason: str) -> None:
    """A look that could not even be made counts as one without an answer: tried again, given up, a person is asked."""
    found = Look(number=look, at=draft.now, verdict=LookVerdict.UNREACHABLE, reasons=(reason,))
    looked(draft, Looked(round=number, look=found))


def ask_again(draft: Draft) -> Draft:
    """The question, where it stands open and could not be posted before."""
    current = draft.incident.round
    if (
        current is None
        or current.verdict != "ask a person"
        or draft.incident.status is not Status.VERIFYING
    ):
        return draft
    seen = f"{sentence(current.looks[-1])} " if current.looks else ""
    return tell(draft, f"{seen}Do users have it back?", ticket=False, ask="recovered")


def _verifying(incident: Incident, number: int) -> Round | None:
    current = incident.round
    if (
        incident.status is not Status.VERIFYING
        or current is None
        or current.number != number
        or current.verdict
    ):
        return None
    return current


def _clock(current: Round) -> datetime:
    assert current.clock_started_at is not None  # a round is looked at after its action only
    return current.clock_started_at


def _is_last(look: Look, current: Round, service: Service) -> bool:
    """The second look, or a first one that could only be made so late that it says as much."""
    return (
        look.number > 1
        or (look.at - _clock(current)).total_seconds() >= service.recheck_until_seconds
    )


def _answer(draft: Draft, current: Round, look: Look) -> Draft:
    """To the person who asked for a look; where that may lead on, with the buttons that do."""
    newest = draft.incident.round
    verifying = (
        draft.incident.status is Status.VERIFYING
        and newest is not None
        and newest.number == current.number
    )
    ask: Literal["recovered", "not over", ""] = ""
    if verifying and current.verdict == "ask a person":
        ask = "recovered"
    elif verifying and look.verdict is LookVerdict.NOT_RECOVERED:
        ask = "not over"
    return tell(draft, sentence(look), strong="Checked.", ticket=False, ask=ask)


def _out_of_reach(draft: Draft, current: Round, look: Look, before: Look | None) -> Draft:
    """Never "recovered": said at once, tried every minute, then only a person's word leads on."""
    passed = (draft.now - _clock(current)).total_seconds()
    if passed >= draft.service.recheck_until_seconds * GIVE_UP_FACTOR:
        return _ask(draft, current, f"{sentence(look)} I have stopped trying.")
    if before is None or before.verdict is not LookVerdict.UNREACHABLE:
        tell(draft, f"{sentence(look)} I try again every minute.", strong="Not checked yet.")
    wait = min(RETRY_SECONDS, draft.service.recheck_after_seconds)
    return draft.timer(LOOK, wait, LookDue(round=current.number, number=look.number))


def _ask(draft: Draft, current: Round, said: str) -> Draft:
    replace_round(draft, current.model_copy(update={"verdict": "ask a person"}))
    draft.cancel(LOOK)
    keep_true(draft, f"{said} A person is asked.")
    why = f"{capital(LookVerdict.TOO_FEW.value)}: "
    strong = "I cannot tell: too few events." if said.startswith(why) else "I cannot tell."
    asks = f"{said.removeprefix(why)} Do users have it back?"
    return tell(draft, asks, strong=strong, ticket=False, ask="recovered")
