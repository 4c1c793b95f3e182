"""What the bot's own looks after recovery do to the record: it opens again where trouble is back, else nothing. Judged in `guard.py`."""

from __future__ import annotations

from datetime import datetime, timedelta

from phases.actions import GuardDue, GuardLooked, SeenAgain
from phases.change import Change, Draft
from phases.coordination import seen_again
from phases.effects import LookBack
from phases.guard import LOOKS, due, issues, pace, recovery
from phases.incident import GuardLook, Incident, Status
from phases.report import Evidence
from phases.rounds import GUARD_TIMER
from phases.service import Service
from phases.wording import counted, lasting

RETRY = timedelta(minutes=5)  # Sentry could not be asked: once more, and before the next look is due


def guard_due(incident: Incident, action: GuardDue, service: Service, now: datetime) -> Change:
    draft = Draft(incident, now)
    if not _guarded(incident, action.look):
        return draft.done()
    look = action.look
    if not look.again:  # a bot that was away makes one look of those that it missed
        late = sum(due(number, service) <= now - recovery(look) for number in range(1, len(LOOKS) + 1))
        look = look.model_copy(update={"number": max(look.number, late)})
    if not _fine(incident):  # a fix forward is under way, and has looks of its own
        return _next(draft, look, service).done()
    return draft.want(LookBack(look=look)).done()


def guard_looked(incident: Incident, action: GuardLooked, service: Service, now: datetime) -> Change:
    """Only trouble that is surely back is said, the way that Sentry's webhook says it. All else is nobody's news."""
    draft = Draft(incident, now)
    look = action.look
    if not _guarded(incident, look):
        return draft.done()
    if not _fine(incident):
        return _next(draft, look, service).done()
    match action.found:
        case "back":
            return seen_again(incident, _back(incident, action), service, now)
        case "not asked" if not look.again:
            again = look.model_copy(update={"again": True})
            return draft.timer(GUARD_TIMER, RETRY.total_seconds() * pace(service), GuardDue(look=again)).done()
        case "quiet" if look.number == len(LOOKS):
            normal = f"{_counted(action)}, where up to {action.allowed:,} are normal"
            draft.note("check", f"Still quiet {lasting(action.at - recovery(look))} after recovery: {normal}")
        case _:
            pass
    return _next(draft, look, service).done()


def _guarded(incident: Incident, look: GuardLook) -> bool:
    """Not opened again, not over for good, not a part of another incident; and no newer recovery has its own looks."""
    over = incident.status in (Status.CLOSED, Status.CANCELLED) or incident.duplicate_of is not None
    return not over and incident.guard_until == look.until


def _fine(incident: Incident) -> bool:
    return incident.status in (Status.MITIGATED, Status.RESOLVED)


def _next(draft: Draft, look: GuardLook, service: Service) -> Draft:
    """What is left of the looks; measured from the one that was due, where the clock says that it is not due yet."""
    number = look.number + 1
    if number > len(LOOKS):
        return draft
    passed = max(draft.now - recovery(look), due(look.number, service))
    wait = max((due(number, service) - passed).total_seconds(), 1.0)
    return draft.timer(GUARD_TIMER, wait, GuardDue(look=look.model_copy(update={"number": number, "again": False})))


def _back(incident: Incident, action: GuardLooked) -> SeenAgain:
    """What was counted began within the guard where any of it lies there: the look at its end is a little late."""
    began = action.at - timedelta(minutes=action.minutes)
    at = min(action.at, action.look.until) if began < action.look.until else action.at
    loudest = incident.triage.issues[0].url if incident.triage and incident.triage.issues else None
    text = f"{_counted(action)}, where up to {action.allowed:,} are normal"
    seen = Evidence(at=at, source="Sentry", text=text, url=loudest)
    return SeenAgain(issue=issues(incident, action.look)[0], evidence=seen)


def _counted(action: GuardLooked) -> str:
    return f"{counted(action.events, 'event')} in {lasting(timedelta(minutes=action.minutes))}"
