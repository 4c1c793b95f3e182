"""What the bot's own looks after recovery do to the record: it opens again where trouble is back, else nothing. Judged in `guard.py`."""

from __future__ import annotations

from datetime import timedelta

from phases.coordination.alarm_checks import GIVE_UP, RETRY, alarm_due, alarm_looked
from phases.coordination.evidence import it_is_back
from phases.messages.actions import GuardDue
from phases.messages.effects import LookBack
from phases.messages.results import GuardLooked
from phases.record.findings import Evidence
from phases.record.incident import GuardLook, Incident, Status
from phases.record.wording import counted, lasting
from phases.steps.announce import tell
from phases.steps.change import Draft
from phases.steps.rounds import GUARD_TIMER
from phases.verification.recurrence import LOOKS, due, every, pace, recovery

BLIND = 5  # looks in a row that Sentry did not answer: said once, because it tells of no return by itself


def guard_due(draft: Draft, action: GuardDue) -> None:
    incident = draft.incident
    if action.look.alarm is not None:
        alarm_due(draft, action)
        return
    if not _guarded(incident, action.look):
        return
    look = action.look  # a bot that was away makes one look of those that it missed
    late = sum(
        due(number, draft.service) <= draft.now - recovery(look)
        for number in range(1, len(LOOKS) + 1)
    )
    if late >= look.number:
        look = look.model_copy(update={"number": late, "whole": True})
    if not _fine(incident):  # a fix forward is under way, and has looks of its own
        _next(draft, look)
        return
    draft.want(LookBack(look=look))


def guard_looked(draft: Draft, action: GuardLooked) -> None:
    """Only trouble that is surely back is said, the way that Sentry's webhook says it. All else is nobody's news."""
    incident = draft.incident
    look = action.look
    if look.alarm is not None:
        alarm_looked(draft, action)
        return
    if not _guarded(incident, look):
        return
    if not _fine(incident):
        _next(draft, look)
        return
    match action.found:
        case "back":
            it_is_back(draft, _back(incident, action))
            return
        case "not asked":
            _not_asked(draft, action)
            return
        case "quiet" if look.whole and look.number == len(LOOKS):
            normal = f"{_counted(action)}, where up to {action.allowed:,} are normal"
            draft.note(
                "check",
                f"Still quiet {lasting(action.at - recovery(look))} after recovery: {normal}",
            )
        case _:
            pass
    _next(draft, look.model_copy(update={"missed": 0}))


def _not_asked(draft: Draft, action: GuardLooked) -> Draft:
    """Asked again with the next look; after the guard's end until there is an answer, for a day."""
    look = action.look.model_copy(update={"missed": action.look.missed + 1})
    if look.missed == BLIND:
        why = f"Sentry cannot be asked whether it stays quiet{f' ({action.text})' if action.text else ''}"
        tell(draft, f"{why}. I keep asking.", strong="Not looked at.", thread=True, ticket=False)
    if not look.whole:
        return _next(draft, look)
    passed = draft.now - recovery(look)
    if passed > GIVE_UP:
        return draft
    last = look.number >= len(LOOKS) and passed >= due(len(LOOKS), draft.service)
    wait = max(RETRY * pace(draft.service), every(draft.service)) if last else every(draft.service)
    return draft.timer(GUARD_TIMER, wait.total_seconds(), GuardDue(look=look))


def _guarded(incident: Incident, look: GuardLook) -> bool:
    """Not opened again, not over for good, not a part of another incident; and no newer recovery has its own looks."""
    over = incident.status.over or incident.duplicate_of is not None
    return not over and incident.guard_until == look.until


def _fine(incident: Incident) -> bool:
    return incident.status in (Status.MITIGATED, Status.RESOLVED)


def _next(draft: Draft, look: GuardLook) -> Draft:
    """What is left of the looks; measured from the one that was due, where the clock says that it is not due yet."""
    passed = draft.now - recovery(look)
    number = look.number
    if look.whole:
        passed, number = max(passed, due(number, draft.service)), number + 1
    if number > len(LOOKS):
        return draft
    left, wait = due(number, draft.service) - passed, every(draft.service)
    whole = left <= wait
    if whole:
        wait = max(left, timedelta(seconds=1))
    following = {"number": number, "whole": whole}
    return draft.timer(
        GUARD_TIMER, wait.total_seconds(), GuardDue(look=look.model_copy(update=following))
    )


def _back(incident: Incident, action: GuardLooked) -> Evidence:
    """What was counted began within the guard where any of it lies there: the look at its end is a little late."""
    began = action.at - timedelta(minutes=action.minutes)
    at = min(action.at, action.look.until) if began < action.look.until else action.at
    loudest = incident.triage.issues[0].url if incident.triage and incident.triage.issues else None
    text = f"{_counted(action)}, where up to {action.allowed:,} are normal"
    return Evidence(at=at, source="Sentry", text=text, url=loudest)


def _counted(action: GuardLooked) -> str:
    return f"{counted(action.events, 'event')} in {lasting(timedelta(minutes=action.minutes))}"
