"""Phase 5, an alarm after recovery: it opens nothing by itself (rules: Guard).

It is recorded, and the bot looks whether it burns. What that look leads to:
`phases/coordination/after_recovery.py`.
"""

from datetime import UTC, datetime

from phases.messages.effects import LookBack, Say
from phases.record.findings import Evidence
from phases.record.incident import Alarm, GuardLook, Incident
from phases.shared.announce import page, tell
from phases.shared.change import Draft
from phases.text.wording import lasting, short
from phases.verification.recurrence import GUARD_LASTS, LOOKS, look_interval

ALARM = "alarm"  # timer: the look that answers an alarm is made again


def newest_recovery(incident: Incident) -> datetime:
    """Return the newest verified recovery; after a fix forward it is later than the first."""
    if incident.guard_until is not None:
        return incident.guard_until - GUARD_LASTS
    return incident.recovered_at or incident.detected_at


def look_at_alarm(draft: Draft, evidence: Evidence, issue: str | None) -> Draft:
    """Look at once whether it burns; of one storm of alarms no look is too close to another.

    The bot looks on after that, because the first event of a return looks like a straggler. `issue`
    is the incident's own, where the alarm names one.
    """
    before, now = draft.incident.alarm, draft.now
    recent = before is not None and before.at <= now < before.at + GUARD_LASTS
    if before is not None and recent:
        draft.set(alarm=before.model_copy(update={"at": now}))
    else:
        draft.set(alarm=Alarm(at=now))
    if before is not None and before.at <= now < before.at + look_interval(draft.service):
        return draft
    recovered = newest_recovery(draft.incident)
    if issue is not None and not recent:
        text = f"An alarm {lasting(evidence.at - recovered)} after recovery, looked at: "
        source = f"{evidence.source}: {evidence.text}"
        draft.note("evidence", f"{text}{source}", url=evidence.url)
    look = GuardLook(
        until=recovered + GUARD_LASTS,
        number=len(LOOKS) + 1,
        seeds=0,
        alarm=evidence.model_copy(update={"text": short(evidence.text, 300)}),
        issue=issue,
    )
    return draft.want(LookBack(look=look))


def date_of(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d}"


def report_fire_after_recovery(draft: Draft, text: str, at: datetime) -> Draft:
    """Say and page that something fires; of one storm the first alarm rings, and people decide.

    Users were fine and the incident still holds its service: nothing new may drown in its channel.
    """
    incident = draft.incident
    text = f"{short(text, 300)}, {lasting(at - newest_recovery(incident))} after recovery."
    if incident.fired_at is not None and incident.fired_at <= at < incident.fired_at + GUARD_LASTS:
        return tell(draft, Say(text=text, thread=True), strong="Fires again:", ticket=False)
    title = f"{incident.id} {incident.title}"
    page(draft.set(fired_at=at), page_key(incident, at), f"{title}, fires again: {text}")
    same = "The same trouble? `/incident rollback`, `hotfix` or `fixed` acts here."
    other = "Something else? `/incident declare <what>`."
    owners = draft.service.owners
    return tell(draft, Say(text=f"{text} {same} {other}", mention=owners), strong="Fires again:")


def page_key(incident: Incident, at: datetime) -> str:
    """Return the key of a page: once a day, as there may be many alarms before *resolved*."""
    return f"after recovery: {len(incident.rounds)}, {date_of(at)}"
