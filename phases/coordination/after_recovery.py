"""Phases 4 and 5, what a look at Sentry after recovery leads to: the incident opens again, or not.

Such a look is one of the bot's own (rules: Guard), or it answers an alarm. How it is judged:
`phases/verification/recurrence.py`. Trouble that is surely back opens the incident at once.
Stragglers are one line in the thread. While Sentry cannot be queried nobody is paged.
"""

from datetime import timedelta

from phases.coordination.evidence import reopen_on_recurrence
from phases.messages.actions import GuardDue
from phases.messages.effects import LookBack, Say
from phases.messages.results import GuardLooked
from phases.record.findings import Evidence
from phases.record.incident import Alarm, GuardLook, Incident, Status
from phases.shared.announce import tell
from phases.shared.change import Draft
from phases.shared.rounds import GUARD_TIMER
from phases.text.wording import counted, lasting, listed
from phases.verification.alarms import ALARM, report_fire_after_recovery
from phases.verification.recurrence import (
    LONG_LOOK_SPAN,
    LOOKS,
    look_due,
    look_interval,
    pace_of,
    recovery_of,
)

BLIND_LOOKS = (
    5  # looks in a row that Sentry did not answer: said once, as it tells of no return by itself
)
RETRY_AFTER = timedelta(minutes=5)  # where Sentry cannot be queried for longer than a look counts
GIVE_UP = timedelta(days=1)  # without an answer

_STRONG = "Alarm after recovery:"


def guard_due(draft: Draft, action: GuardDue) -> None:
    look = action.look
    if not _of_this_recovery(draft.incident, look):
        return
    if look.alarm is None:  # a bot that was away makes one look of those that it missed
        since = draft.now - recovery_of(look)
        late = sum(look_due(number, draft.service) <= since for number in range(1, len(LOOKS) + 1))
        if late >= look.number:
            look = look.model_copy(update={"number": late, "whole": True})
    if _may_look(draft.incident, look):
        draft.want(LookBack(look=look))
    else:
        _wait_for_fix(draft, look)


def guard_looked(draft: Draft, action: GuardLooked) -> None:
    """Says only trouble that is surely back, the way that Sentry's webhook says it."""
    look = action.look
    if not _of_this_recovery(draft.incident, look):
        return
    if not _may_look(draft.incident, look):
        _wait_for_fix(draft, look)
    elif look.alarm is not None:
        _alarm_looked(draft, look.alarm, action)
    elif action.outcome == "back":
        reopen_on_recurrence(draft, _recurrence_evidence(draft.incident, action))
    elif action.outcome == "not asked":
        _look_failed(draft, action)
    else:
        if action.outcome == "quiet" and look.whole and look.number == len(LOOKS):
            passed = lasting(action.at - recovery_of(look))
            draft.note("check", f"Still quiet {passed} after recovery: {_measured_text(action)}")
        _set_next_look(draft, look.model_copy(update={"missed": 0}))


def _of_this_recovery(incident: Incident, look: GuardLook) -> bool:
    """False if it opened again, goes on in another incident, or has recovered anew since."""
    return incident.duplicate_of is None and incident.guard_until == look.until


def _may_look(incident: Incident, look: GuardLook) -> bool:
    """True if nothing is under way; an alarm is answered also where the incident is closed."""
    return incident.status.fine and (look.alarm is not None or not incident.status.over)


def _wait_for_fix(draft: Draft, look: GuardLook) -> None:
    """While a fix forward is under way, its own re-checks are the looks.

    Where nothing was started after all, this look is made later.
    """
    if look.alarm is None:
        if not draft.incident.status.over:
            _set_next_look(draft, look)
    elif draft.incident.status in (Status.MITIGATING, Status.VERIFYING):
        _look_later(draft, look)


def _look_later(draft: Draft, look: GuardLook, *, slowly: bool = False) -> None:
    wait = look_interval(draft.service)
    if slowly:
        wait = max(RETRY_AFTER * pace_of(draft.service), wait)
    name = GUARD_TIMER if look.alarm is None else ALARM
    draft.timer(name, wait.total_seconds(), GuardDue(look=look))


# --- the bot's own looks ------------------------------------------------------------------------


def _look_failed(draft: Draft, action: GuardLooked) -> None:
    """Asks again with the next look; after the guard's end until there is an answer, for a day."""
    look = action.look.model_copy(update={"missed": action.look.missed + 1})
    if look.missed == BLIND_LOOKS:
        why = f" ({action.text})" if action.text else ""
        text = f"Sentry cannot be queried whether it stays quiet{why}. I keep asking."
        tell(draft, Say(text=text, thread=True), strong="Not looked at.", ticket=False)
    passed = draft.now - recovery_of(look)
    if not look.whole:
        _set_next_look(draft, look)
    elif passed <= GIVE_UP:
        last = look.number >= len(LOOKS) and passed >= look_due(len(LOOKS), draft.service)
        _look_later(draft, look, slowly=last)


def _set_next_look(draft: Draft, look: GuardLook) -> None:
    """Sets the next of the looks, counted from the one that was due.

    The clock may say that this one is not due yet.
    """
    passed = draft.now - recovery_of(look)
    number = look.number
    if look.whole:
        passed, number = max(passed, look_due(number, draft.service)), number + 1
    if number > len(LOOKS):
        return
    left, wait = look_due(number, draft.service) - passed, look_interval(draft.service)
    whole = left <= wait
    if whole:
        wait = max(left, timedelta(seconds=1))
    following = look.model_copy(update={"number": number, "whole": whole})
    draft.timer(GUARD_TIMER, wait.total_seconds(), GuardDue(look=following))


def _recurrence_evidence(incident: Incident, action: GuardLooked) -> Evidence:
    """Return what was seen; it began within the guard where any of it lies there.

    The look at the guard's end is a little late.
    """
    began = action.at - timedelta(minutes=action.minutes)
    at = min(action.at, action.look.until) if began < action.look.until else action.at
    loudest = incident.triage.issues[0].url if incident.triage and incident.triage.issues else None
    return Evidence(at=at, source="Sentry", text=_measured_text(action), url=loudest)


def _measured_text(action: GuardLooked) -> str:
    lately = lasting(timedelta(minutes=action.minutes))
    normal = f"where up to {action.allowed:,} are normal"
    return f"{counted(action.events, 'event')} in {lately}, {normal}"


# --- the look that answers an alarm -------------------------------------------------------------


def _alarm_looked(draft: Draft, heard: Evidence, action: GuardLooked) -> None:
    alarm = draft.incident.alarm
    if alarm is None:
        return
    text = f"{heard.source}: {heard.text}".rstrip(". ")
    match action.outcome:
        case "back":
            measured = f"{heard.text.rstrip('. ')}; {_measured_text(action)}"
            reopen_on_recurrence(draft, heard.model_copy(update={"text": measured}))
            return
        case "not set up":
            if not alarm.said:
                draft.set(alarm=alarm.model_copy(update={"said": "cannot tell"}))
                why = "Sentry's API is not set up, so I cannot check whether it is back"
                owners = draft.service.owners
                tell(
                    draft, Say(text=f"{text}. {why}: please look.", mention=owners), strong=_STRONG
                )
            return
        case "fires":
            report_fire_after_recovery(draft, action.text, heard.at)
        case "not asked":
            if not alarm.blind:
                why = action.text or "no answer"
                cannot = f"Sentry cannot be queried whether it is back ({why})"
                again = "I ask again; nobody is paged until it answers."
                tell(draft, f"{text}. {cannot}. {again}", strong=_STRONG)
            draft.set(alarm=alarm.model_copy(update={"blind": True}))
        case "quiet" | "cannot tell":
            _say_what_was_seen(draft, alarm, text, action)
    _look_again(draft, alarm, action)


def _say_what_was_seen(draft: Draft, alarm: Alarm, heard: str, action: GuardLooked) -> None:
    """Once an hour of alarms; again only where there is more than was said, or Sentry was away."""
    answer = "quiet" if action.outcome == "quiet" else "cannot tell"
    if alarm.said in (answer, "cannot tell") and not alarm.blind:
        return
    draft.set(alarm=alarm.model_copy(update={"said": answer, "blind": False}))
    if not action.minutes:
        why = action.text or "nothing can be counted since recovery"
        cannot = f"I cannot tell whether it is back: {why}. Please look"
        again = f"`/incident reopen {draft.incident.id}` if it is"
        tell(draft, f"{heard}. {cannot}: {again}.", strong=_STRONG, ticket=False)
        return
    measured = _measured_text(action)
    if action.stragglers:
        runs = "no longer runs" if len(action.gone) == 1 else "no longer run"
        of = f"{action.stragglers:,} of {listed(list(action.gone))}"
        measured = f"{measured}; {of}, which {runs}"
    if answer == "quiet":
        text = f"{heard}. {measured}: not a return."
        tell(draft, Say(text=text, thread=True), strong=_STRONG, ticket=False)
    else:
        why = action.text or "that is more than usual, but not certainly a return"
        tell(draft, f"{heard}. {measured}: {why}. I keep looking.", strong=_STRONG, ticket=False)
    draft.note("check", f"Looked at the alarm: {measured}")


def _look_again(draft: Draft, alarm: Alarm, action: GuardLooked) -> None:
    """Looks again until what a look counts lies behind the alarm; without an answer for a day."""
    passed = max(draft.now - alarm.at, timedelta())
    counted_through = passed >= LONG_LOOK_SPAN * pace_of(draft.service)
    if action.outcome != "not asked":
        if not counted_through:
            _look_later(draft, action.look)
    elif passed > GIVE_UP:
        tell(draft, "Sentry has not answered for a day. Please check.", strong=_STRONG)
    else:
        _look_later(draft, action.look, slowly=counted_through)
