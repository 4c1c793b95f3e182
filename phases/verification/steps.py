"""Phase 5, the re-check after an action: when Sentry is asked, and what the answer leads to.

Workflow: "Wait 5-10 min after action … confirm new event rate dropped … Hit affected endpoint …
Update Linear ticket". How a look is judged: `phases/verification/recheck.py`.
"""

from datetime import datetime, timedelta
from typing import Literal

from phases.messages.actions import LookDue
from phases.messages.commands import ConfirmRecovery, RecheckNow
from phases.messages.effects import LookAgain, Say
from phases.messages.results import Looked
from phases.record.findings import BETTER, Look, LookVerdict, Picture
from phases.record.incident import Incident, Round, Status
from phases.record.service import Service
from phases.record.tokens import mentioned, what_was_done
from phases.root_cause.steps import rule_out_what_did_not_help
from phases.shared.announce import clear_failures, page, resolve_page, tell, update_outside
from phases.shared.change import Draft, Refused
from phases.shared.resolution import resolve_if_ready
from phases.shared.rounds import next_round, replace_round
from phases.text.wording import capital, lasting, per_minute_text, stamp
from phases.verification.recurrence import GUARD_LASTS, look_interval, start_guard
from phases.verification.sentry_resolution import resolve_issues
from phases.verification.verdicts import NOT_MEASURED

LOOK = "look"  # timer
GLANCE = "glance"  # timer: the looks between the checks
RETRY_SECONDS = 60  # rules: Sentry out of reach at a look: tried every minute …
GIVE_UP_FACTOR = 2  # … until 20 minutes after the action, which is twice the second look
LOOKS = 6  # kept of a round
LEAST_APART = 0.5
"""Seconds between two looks of a round."""
SCATTER = timedelta(seconds=5)  # Redis' clock may be set by so much without anybody being late


def start_clock(draft: Draft) -> Draft:
    """The action is done: the first look is due after the wait."""
    current = draft.incident.round
    assert current is not None  # an action on production belongs to a round
    replace_round(draft, current.model_copy(update={"clock_started_at": draft.now}))
    wait = draft.service.recheck_after_seconds
    draft.timer(LOOK, wait, LookDue(round=current.number, number=1))
    return glance_on(draft, current.number, 0)


def first_look(service: Service) -> str:
    """Say, with every action, when people hear of it again."""
    return f"First check in {lasting(timedelta(seconds=service.recheck_after_seconds))}."


def look_due(draft: Draft, action: LookDue) -> None:
    if (current := _verifying(draft.incident, action.round)) is not None:
        if not action.minute:
            _follow_clock_back(draft, current, action.number)
        draft.want(LookAgain(round=action.round, number=action.number, minute=action.minute))


def glance_on(draft: Draft, number: int, minute: int) -> Draft:
    """Look again at the next minute, between the checks: a check says itself what is known."""
    current = _verifying(draft.incident, number)
    if current is None:
        return draft
    service, pace = draft.service, look_interval(draft.service)
    passed = draft.now - _clock_of(current)
    following = max(minute, int(passed / pace)) + 1
    checks = (service.recheck_after_seconds, service.recheck_until_seconds)
    while any(abs(following * pace.total_seconds() - check) < LEAST_APART for check in checks):
        following += 1
    due = following * pace
    if due.total_seconds() >= checks[-1]:
        return draft
    wait = max((due - passed).total_seconds(), LEAST_APART)
    return draft.timer(GLANCE, wait, LookDue(round=number, number=1, minute=following))


def _follow_clock_back(draft: Draft, current: Round, number: int) -> None:
    """Move the round where the clock was set back: a look is never due sooner than its wait.

    The action moves, too. Otherwise what burned before it and what came after it would be counted
    on two clocks, and quiet would be seen in the wrong hour.
    """
    service = draft.service
    seconds = service.recheck_after_seconds if number < 2 else service.recheck_until_seconds
    began = draft.now - timedelta(seconds=seconds)
    step = _clock_of(current) - began
    if step <= SCATTER:
        return
    action = current.action
    if action is not None:
        moved = {
            name: at - step
            for name in ("at", "started_at", "finished_at")
            if (at := getattr(action, name))
        }
        action = action.model_copy(update=moved)
    replace_round(draft, current.model_copy(update={"clock_started_at": began, "action": action}))


def recheck_now(draft: Draft, action: RecheckNow) -> Refused | None:
    """A person wants to see now. Such a look informs; only looks that are due lead on."""
    checked = (r for r in reversed(draft.incident.rounds) if r.clock_started_at is not None)
    if (current := next(checked, None)) is None:
        return Refused(
            "state",
            "Nothing has been done in production yet, so there is nothing to check. Decide first.",
        )
    draft.note("check", f"{mentioned(action.by)} asked for a check", by=action.by)
    draft.want(LookAgain(round=current.number, number=0))
    return None


def looked(draft: Draft, action: Looked) -> None:
    """Lead on from a look: users are fine, look again, decide again, or a person is asked."""
    clear_failures(draft, "look")
    look, current = action.look, draft.incident.round_of(action.round)
    asked = look.number == 0
    if current is None or not (asked or _verifying(draft.incident, action.round)):
        return
    if action.before is not None:
        current = current.model_copy(update={"before": action.before})
    if look.minute:
        _apply_glance(draft, current, look)
        return
    before = next((earlier for earlier in reversed(current.looks) if earlier.number > 0), None)
    current = current.model_copy(update={"looks": (*current.looks, look)[-LOOKS:], "glance": None})
    text = look_sentence(look)
    replace_round(draft, current).note("check", text)
    if asked:
        _answer_asker(draft, current, look)
        return
    match look.verdict:
        case LookVerdict.RECOVERED:
            mitigated(draft, current, "recovered", text, action.picture)
        case LookVerdict.UNREACHABLE:
            _out_of_reach(draft, current, look, before)
        case LookVerdict.NOT_RECOVERED | LookVerdict.TOO_FEW if not _is_last(draft, current, look):
            passed = (draft.now - _clock_of(current)).total_seconds()
            wait = max(draft.service.recheck_until_seconds - passed, 1)
            draft.timer(LOOK, wait, LookDue(round=current.number, number=2))
            tell(
                draft,
                Say(text=f"{text} The second check decides.", thread=True),
                strong="First check.",
            )
        case LookVerdict.NOT_RECOVERED:
            not_recovered(draft, current, text)
        case LookVerdict.TOO_FEW if look.again_at is not None:
            _wait_for_job(draft, current, text, look.again_at)
        case LookVerdict.TOO_FEW:
            _ask_people(draft, current, text)


def _wait_for_job(draft: Draft, current: Round, text: str, at: datetime) -> Draft:
    """Look again after the next run of the job whose errors these are: until then it is quiet."""
    wait = max((at - draft.now).total_seconds(), 1)
    draft.timer(LOOK, wait, LookDue(round=current.number, number=2))
    again = f"These errors come when a job runs. I check again at {stamp(at)}, after its next run."
    return tell(
        draft,
        Say(text=f"{text} {again}", thread=True),
        strong="Not known yet.",
        ticket=False,
    )


def _apply_glance(draft: Draft, current: Round, look: Look) -> None:
    """Show what is known so far. Only *not helping* leads on: recovery waits for the checks.

    Nothing of it goes into timeline or thread, minute by minute; the decision's message shows the
    newest.
    """
    newer = current.model_copy(update={"glance": look})
    if look.verdict is not LookVerdict.NOT_RECOVERED:
        if look.verdict is not LookVerdict.UNREACHABLE:
            replace_round(draft, newer)
        glance_on(draft, current.number, look.minute)
        return
    newer = newer.model_copy(update={"glance": None, "looks": (*current.looks, look)[-LOOKS:]})
    text = look_sentence(look)
    replace_round(draft, newer).note("check", text)
    not_recovered(draft, newer, text)


def confirm_recovery(draft: Draft, action: ConfirmRecovery) -> Refused | None:
    """A person's word counts by name, marked "not measured".

    Recovery may be said only where the bot could not tell; "not over" at any time.
    """
    current = _checked_round(draft.incident, action.round)
    if current is None:
        return Refused("stale", "That question is answered. Nothing was changed.")
    if action.recovered and current.verdict != "ask a person":
        return Refused(
            "state",
            "The check is not over yet; it will say by itself. `/incident recheck` looks now.",
        )
    who = mentioned(action.by)
    text = "users have it back" if action.recovered else "it is not over"
    draft.note("check", f"{who}: {text} (not measured)", by=action.by)
    if action.recovered:
        mitigated(draft, current, "confirmed by a person", f"{who} says so (not measured).")
    else:
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
    draft.set(
        status=Status.MITIGATED,
        recovered_at=draft.incident.recovered_at or draft.now,
        guard_until=draft.now + GUARD_LASTS,
        picture=picture,
        fired_at=None,
        alarm=None,
    )
    start_guard(draft).cancel(LOOK, GLANCE)
    resolve_page(draft)
    resolve_issues(draft, current)
    news = said.removeprefix("Recovered: ")
    return resolve_if_ready(draft, news, strong="Recovered.", picture=picture is not None)


def not_recovered(draft: Draft, current: Round, said: str) -> Draft:
    """Open a new round, page people, and rule out what was tried."""
    replace_round(draft, current.model_copy(update={"verdict": "not recovered"}))
    draft.cancel(LOOK, GLANCE)
    incident = draft.incident
    draft.set(
        hypotheses=rule_out_what_did_not_help(incident.hypotheses, incident),
        recovered_at=None,
        guard_until=None,
    ).dirty("tree")
    what = what_was_done(current.action) if current.action else "what was tried"
    text = f"{what} did not help. "
    look = said.removeprefix("Not recovered: ").rstrip(".")
    title = f"{incident.id} {incident.title}"
    page(draft, f"did not help: {current.number}", f"{title}: {text}{look}.")
    return next_round(draft, f"not recovered: {text}{capital(look)}")


def look_sentence(look: Look) -> str:
    """Return one look in short sentences: the rate before and after first, each reason apart."""
    endpoint = "" if look.endpoint is None else f"; endpoint {look.endpoint.said}"
    if look.verdict is LookVerdict.UNREACHABLE:
        return f"Sentry could not be queried ({'; '.join(look.reasons) or 'no answer'}){endpoint}."
    if look.reasons and look.reasons[0].endswith(NOT_MEASURED):
        return f"{capital(look.reasons[0])}{endpoint}."
    before, after = map(per_minute_text, (look.before_per_minute, look.after_per_minute))
    rates = f"{before} → {after} events a minute"
    span = lasting(timedelta(minutes=look.minutes))
    answered = look.endpoint is not None and look.endpoint.ok  # else a reason says it
    called = f" Endpoint: {look.endpoint.said}." if answered and look.endpoint else ""
    reasons = "".join(f" {capital(why)}." for why in look.reasons) + called
    return f"{capital(look.said)}: {rates} over {span}.{reasons}"


def look_unreachable(draft: Draft, number: int, look: int, reason: str) -> None:
    """A look that could not even be made counts as one without an answer."""
    without = Look(number=look, at=draft.now, verdict=LookVerdict.UNREACHABLE, reasons=(reason,))
    looked(draft, Looked(round=number, look=without))


def ask_again(draft: Draft) -> Draft:
    """Ask whether users have it back, where that could not be posted before."""
    current = draft.incident.round
    if current is None or current.verdict != "ask a person":
        return draft
    if draft.incident.status is not Status.VERIFYING:
        return draft
    measured = f"{look_sentence(current.looks[-1])} " if current.looks else ""
    return tell(
        draft, Say(text=f"{measured}Does it work for users again?", ask="recovered"), ticket=False
    )


def _checked_round(incident: Incident, number: int) -> Round | None:
    """Return the newest round, if it has this number and is being checked."""
    current = incident.round
    if current is None or current.number != number or incident.status is not Status.VERIFYING:
        return None
    return current


def _verifying(incident: Incident, number: int) -> Round | None:
    current = _checked_round(incident, number)
    return None if current is None or current.verdict else current


def _clock_of(current: Round) -> datetime:
    assert current.clock_started_at is not None  # a round is looked at after its action only
    return current.clock_started_at


def _is_last(draft: Draft, current: Round, look: Look) -> bool:
    """True for the second look, and for a first one that was made so late that it says as much."""
    passed = (look.at - _clock_of(current)).total_seconds()
    return look.number > 1 or passed >= draft.service.recheck_until_seconds


def _answer_asker(draft: Draft, current: Round, look: Look) -> Draft:
    """Answer the person who asked for a look; with buttons where it may lead on."""
    verifying = _checked_round(draft.incident, current.number) is not None
    ask: Literal["recovered", "not over", ""] = ""
    if verifying and current.verdict == "ask a person":
        ask = "recovered"
    elif verifying and look.verdict is LookVerdict.NOT_RECOVERED:
        ask = "not over"
    return tell(draft, Say(text=look_sentence(look), ask=ask), strong="Checked.", ticket=False)


def _out_of_reach(draft: Draft, current: Round, look: Look, before: Look | None) -> Draft:
    """Try every minute, then ask a person: no answer is never "recovered"."""
    passed = (draft.now - _clock_of(current)).total_seconds()
    if passed >= draft.service.recheck_until_seconds * GIVE_UP_FACTOR:
        return _ask_people(draft, current, f"{look_sentence(look)} I have stopped trying.")
    if before is None or before.verdict is not LookVerdict.UNREACHABLE:
        tell(draft, f"{look_sentence(look)} I retry every minute.", strong="Not checked yet.")
    wait = min(RETRY_SECONDS, draft.service.recheck_after_seconds)
    return draft.timer(LOOK, wait, LookDue(round=current.number, number=look.number))


def _ask_people(draft: Draft, current: Round, said: str) -> Draft:
    replace_round(draft, current.model_copy(update={"verdict": "ask a person"}))
    draft.cancel(LOOK, GLANCE)
    update_outside(draft, f"{said} A person is asked.")
    why, better = (f"{capital(words)}: " for words in (LookVerdict.TOO_FEW.value, BETTER))
    strong = "I cannot tell: too few events." if said.startswith(why) else "I cannot tell."
    if said.startswith(better):
        why, strong = better, "Better, but not over."
    asks = f"{said.removeprefix(why)} Does it work for users again?"
    return tell(draft, Say(text=asks, ask="recovered"), strong=strong, ticket=False)
