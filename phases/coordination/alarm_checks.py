"""What the look that answers an alarm after recovery does to the record. Judged in `guard.py`, wanted in `alarms.py`.

A return opens the incident at once. Stragglers are one line in the thread. While Sentry cannot be asked nobody is paged.
"""

from __future__ import annotations

from datetime import timedelta

from phases.coordination.evidence import it_is_back
from phases.messages.actions import GuardDue
from phases.messages.effects import LookBack
from phases.messages.results import GuardLooked
from phases.record.findings import Evidence
from phases.record.incident import Alarm, GuardLook, Incident, Status
from phases.record.wording import counted, lasting, listed
from phases.steps.announce import tell
from phases.steps.change import Draft
from phases.verification.alarms import ALARM, fires_after_recovery
from phases.verification.recurrence import SPAN, every, pace

RETRY = timedelta(minutes=5)  # Sentry cannot be asked for longer than a look counts
GIVE_UP = timedelta(days=1)  # of asking what one alarm meant


def alarm_due(draft: Draft, action: GuardDue) -> None:
    incident = draft.incident
    if _answered_by(incident, action.look):
        draft.want(LookBack(look=action.look))
        return
    _later(draft, action.look)


def alarm_looked(draft: Draft, action: GuardLooked) -> None:
    incident = draft.incident
    look, alarm = action.look, incident.alarm
    if look.alarm is None or alarm is None or not _answered_by(incident, look):
        _later(draft, look)
        return
    heard = f"{look.alarm.source}: {look.alarm.text}".rstrip(". ")
    match action.found:
        case "back":
            seen = Evidence(
                at=look.alarm.at,
                source=look.alarm.source,
                text=_seen(look, action),
                url=look.alarm.url,
            )
            it_is_back(draft, seen)
            return
        case "fires":
            fires_after_recovery(draft, action.text, look.alarm.at)
        case "not set up":
            if alarm.said:
                return
            draft.set(alarm=alarm.model_copy(update={"said": "cannot tell"}))
            why = "Sentry's API is not set up, so I cannot look whether it burns"
            tell(
                draft,
                f"{heard}. {why}: please look.",
                strong="Alarm after recovery:",
                mention=draft.service.owners,
            )
            return
        case "not asked":
            if not alarm.blind:
                why = (
                    f"Sentry cannot be asked whether it burns again ({action.text or 'no answer'})"
                )
                tell(
                    draft,
                    f"{heard}. {why}. I ask again; nobody is paged until it answers.",
                    strong="Alarm after recovery:",
                )
            draft.set(alarm=alarm.model_copy(update={"blind": True}))
        case "quiet" | "cannot tell":
            _say(draft, alarm, heard, action)
    _go_on(draft, look, action)


def _answered_by(incident: Incident, look: GuardLook) -> bool:
    """It is still over, of the same recovery."""
    here = incident.guard_until is None or incident.guard_until == look.until
    return here and incident.status.fine and incident.duplicate_of is None


def _later(draft: Draft, look: GuardLook) -> Draft:
    """While a fix forward is under way its own re-checks are the looks; where nothing was started, this one is made after all."""
    under_way = draft.incident.status in (Status.MITIGATING, Status.VERIFYING)
    if not under_way or draft.incident.guard_until != look.until:
        return draft
    return draft.timer(ALARM, every(draft.service).total_seconds(), GuardDue(look=look))


def _seen(look: GuardLook, action: GuardLooked) -> str:
    what = look.alarm.text.rstrip(". ") if look.alarm is not None else ""
    return f"{what}; {_counted(action)}"


def _counted(action: GuardLooked) -> str:
    lately = lasting(timedelta(minutes=action.minutes))
    return (
        f"{counted(action.events, 'event')} in {lately}, where up to {action.allowed:,} are normal"
    )


def _say(draft: Draft, alarm: Alarm, heard: str, action: GuardLooked) -> None:
    """Once an hour of alarms, and again only where there is more of it than was said, or Sentry was away meanwhile."""
    found = "quiet" if action.found == "quiet" else "cannot tell"
    if alarm.said in (found, "cannot tell") and not alarm.blind:
        return
    draft.set(alarm=alarm.model_copy(update={"said": found, "blind": False}))
    what = _counted(action)
    if action.stragglers:
        runs = "no longer runs" if len(action.gone) == 1 else "no longer run"
        what = f"{what}; {action.stragglers:,} of {listed(list(action.gone))}, which {runs}"
    if found == "quiet":
        tell(
            draft,
            f"{heard}. {what}: not a return.",
            strong="Alarm after recovery:",
            thread=True,
            ticket=False,
        )
    else:
        why = action.text or "that is more than usual, and not surely a return"
        tell(
            draft,
            f"{heard}. {what}: {why}. I keep looking.",
            strong="Alarm after recovery:",
            ticket=False,
        )
    draft.note("check", f"Looked at the alarm: {what}")


def _go_on(draft: Draft, look: GuardLook, action: GuardLooked) -> Draft:
    """Until what a look counts lies behind the alarm as a whole; without an answer for a day."""
    alarm = draft.incident.alarm
    assert alarm is not None  # this look answers one
    passed = max(draft.now - alarm.at, timedelta())
    length = SPAN * pace(draft.service)
    wait = every(draft.service)
    if action.found == "not asked":
        if passed > GIVE_UP:
            return tell(
                draft,
                "Sentry could not be asked for a day. Please look.",
                strong="Alarm after recovery:",
            )
        wait = wait if passed < length else max(RETRY * pace(draft.service), wait)
    elif passed >= length:
        return draft
    return draft.timer(ALARM, wait.total_seconds(), GuardDue(look=look))
