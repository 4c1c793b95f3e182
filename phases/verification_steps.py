"""Phase 5, what the re-check does to the record: when to look, what a look leads to. How a look is judged: `verification.py`.

Workflow: "Wait 5-10 min after action … confirm new event rate dropped … Hit affected endpoint … Update Linear ticket".
"""

from __future__ import annotations

from datetime import datetime, timedelta

from phases.actions import ConfirmRecovery, LookDue, Looked, RecheckNow
from phases.change import Change, Draft, Refused
from phases.effects import LookAgain, Say
from phases.incident import Incident, Round, Status
from phases.postmortem_steps import resolve_if_ready
from phases.report import Look, LookVerdict
from phases.rounds import ended, mentioned, next_round, page, replace_round, tell, what_was_done
from phases.service import Service

LOOK = "look"  # timer
RETRY_SECONDS = 60  # rules: Sentry out of reach at a look: tried every minute …
GIVE_UP_FACTOR = 2  # … until 20 minutes after the action, which is twice the second look
GUARD = timedelta(minutes=60)  # rules: the same issue reopens within 60 minutes of recovery


def start_clock(draft: Draft, service: Service) -> Draft:
    """The deploy is finished, or *fixed another way* was said: the first look is due after the wait."""
    current = draft.incident.round
    assert current is not None  # an action on production belongs to a round
    replace_round(draft, current.model_copy(update={"clock_started_at": draft.now}))
    return draft.timer(LOOK, service.recheck_after_seconds, LookDue(round=current.number, number=1))


def look_due(incident: Incident, action: LookDue, service: Service, now: datetime) -> Change:
    del service
    draft = Draft(incident, now)
    if _verifying(incident, action.round) is not None:
        draft.want(LookAgain(round=action.round, number=action.number))
    return draft.done()


def recheck_now(incident: Incident, action: RecheckNow, service: Service, now: datetime) -> Change | Refused:
    """A person wants to see now. It informs; only the looks that are due lead on."""
    del service
    if (refused := ended(incident)) is not None:
        return refused
    current = incident.round
    if current is None or current.clock_started_at is None:
        return Refused("state", "Nothing was done on production yet, so there is nothing to check. Decide first.")
    draft = Draft(incident, now).note("check", f"{mentioned(action.by)} asked for a check", by=action.by)
    return draft.want(LookAgain(round=current.number, number=0)).done()


def looked(incident: Incident, action: Looked, service: Service, now: datetime) -> Change:
    draft = Draft(incident, now)
    look = action.look
    current = next((r for r in incident.rounds if r.number == action.round), None)
    if current is None:
        return draft.done()
    current = current.model_copy(update={"looks": (*current.looks, look)[-6:]})
    replace_round(draft, current).note("check", sentence(look))
    if look.number == 0:
        return tell(draft, f"Asked for: {sentence(look)}", ticket=False).done()
    if _verifying(incident, action.round) is None:
        return draft.done()
    match look.verdict:
        case LookVerdict.RECOVERED:
            return mitigated(draft, current, "recovered", f"*Recovered.* {sentence(look)}").done()
        case LookVerdict.UNREACHABLE:
            return _out_of_reach(draft, current, look, service).done()
        case LookVerdict.NOT_RECOVERED | LookVerdict.TOO_FEW if look.number == 1:
            assert current.clock_started_at is not None
            wait = service.recheck_until_seconds - (now - current.clock_started_at).total_seconds()
            draft.timer(LOOK, max(wait, 1), LookDue(round=current.number, number=2))
            return tell(draft, f"First check: {sentence(look)} The second decides.").done()
        case LookVerdict.NOT_RECOVERED:
            return not_recovered(draft, current, sentence(look)).done()
        case LookVerdict.TOO_FEW:
            return _ask(draft, current, f"{sentence(look)} I cannot tell. Do users have it back?").done()


def confirm_recovery(incident: Incident, action: ConfirmRecovery, service: Service, now: datetime) -> Change | Refused:
    """A person's confirmation by name, marked "not measured"; only where the bot could not tell."""
    del service
    current = incident.round
    if current is None or current.number != action.round or incident.status is not Status.VERIFYING:
        return Refused("stale", "That question is answered. Nothing was changed.")
    if current.verdict != "ask a person":
        return Refused("state", "The check is not over yet; it will say by itself. `/incident recheck` looks now.")
    draft = Draft(incident, now)
    draft.note(
        "check",
        f"{mentioned(action.by)}: {'recovered' if action.recovered else 'not recovered'} (not measured)",
        by=action.by,
    )
    if action.recovered:
        said = f"*Recovered*, confirmed by {mentioned(action.by)} (not measured)."
        return mitigated(draft, current, "confirmed by a person", said).done()
    return not_recovered(draft, current, f"{mentioned(action.by)} says it is not over (not measured).").done()


def mitigated(draft: Draft, current: Round, verdict: str, said: str) -> Draft:
    """Users are fine, verified. Resolved is another thing: it needs cause and post-mortem."""
    replace_round(draft, current.model_copy(update={"verdict": verdict}))
    draft.set(status=Status.MITIGATED, recovered_at=draft.now, guard_until=draft.now + GUARD).cancel(LOOK)
    tell(draft, said)
    return resolve_if_ready(draft)


def not_recovered(draft: Draft, current: Round, said: str) -> Draft:
    """A new round, people are paged, and what was tried is ruled out."""
    replace_round(draft, current.model_copy(update={"verdict": "not recovered"})).cancel(LOOK)
    tried = what_was_done(current.action) if current.action else "what was tried"
    incident = draft.incident
    page(draft, f"did not help: {current.number}", f"{incident.id} {incident.title}: {tried} did not help. {said}")
    tell(draft, f"*Not recovered.* {said}")
    return next_round(draft, f"{tried} did not help")


def sentence(look: Look) -> str:
    """One look in one sentence with the rate before and after."""
    endpoint = "" if look.endpoint is None else f"; endpoint {look.endpoint.said}"
    if look.verdict is LookVerdict.UNREACHABLE:
        return f"Sentry could not be asked ({'; '.join(look.reasons) or 'no answer'}){endpoint}."
    rates = f"{_rate(look.before_per_minute)} → {_rate(look.after_per_minute)} events/min"
    reasons = f" ({'; '.join(look.reasons)})" if look.reasons else ""
    return f"{look.verdict.value[0].upper()}{look.verdict.value[1:]}: {rates}, {look.events} in {look.minutes:.1f} min, up to {look.allowed} expected{endpoint}{reasons}."


def _rate(per_minute: float) -> str:
    return f"{per_minute:.1f}".removesuffix(".0")


def _verifying(incident: Incident, number: int) -> Round | None:
    current = incident.round
    if incident.status is not Status.VERIFYING or current is None or current.number != number or current.verdict:
        return None
    return current


def _out_of_reach(draft: Draft, current: Round, look: Look, service: Service) -> Draft:
    """Never "recovered": said at once, tried every minute, then only a person's word leads on."""
    assert current.clock_started_at is not None
    passed = (draft.now - current.clock_started_at).total_seconds()
    if passed >= service.recheck_until_seconds * GIVE_UP_FACTOR:
        return _ask(draft, current, f"{sentence(look)} I stop trying. Do users have it back?")
    if sum(one.verdict is LookVerdict.UNREACHABLE for one in current.looks) == 1:
        tell(draft, f"{sentence(look)} I try again every minute.")
    wait = min(RETRY_SECONDS, service.recheck_after_seconds)
    return draft.timer(LOOK, wait, LookDue(round=current.number, number=look.number))


def _ask(draft: Draft, current: Round, question: str) -> Draft:
    replace_round(draft, current.model_copy(update={"verdict": "ask a person"}))
    draft.cancel(LOOK)
    return draft.want(Say(text=question, ask="recovered")) if draft.incident.channel else draft
