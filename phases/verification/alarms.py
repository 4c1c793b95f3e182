"""An alarm after recovery opens nothing by itself: it is recorded, and the bot looks whether it burns (rules: Guard).

What the look leads to: `alarm_steps.py`.
"""

from __future__ import annotations

from datetime import UTC, datetime

from phases.messages.effects import LookBack
from phases.record.findings import Evidence
from phases.record.incident import Alarm, GuardLook, Incident
from phases.record.wording import lasting, short
from phases.steps.announce import page, tell
from phases.steps.change import Draft
from phases.verification.recurrence import GUARD, LOOKS, every

ALARM = "alarm"  # timer: the look that answers an alarm is made again


def recovered_at(incident: Incident) -> datetime:
    """The newest verified recovery; after a fix forward it is later than the first."""
    if incident.guard_until is not None:
        return incident.guard_until - GUARD
    return incident.recovered_at or incident.detected_at


def ring(draft: Draft, evidence: Evidence, issue: str | None) -> Draft:
    """The bot looks at once, and then as often as after recovery: the first event of a return looks like a straggler.

    `issue`: the incident's own, where the alarm names one. Of one storm of alarms no look is closer to another than that.
    """
    before, now = draft.incident.alarm, draft.now
    recent = before is not None and before.at <= now < before.at + GUARD
    alarm = (
        before.model_copy(update={"at": now}) if before is not None and recent else Alarm(at=now)
    )
    draft.set(alarm=alarm)
    if before is not None and before.at <= now < before.at + every(draft.service):
        return draft
    if issue is not None and not recent:
        after = lasting(evidence.at - recovered_at(draft.incident))
        text = f"{evidence.source}: {evidence.text}"
        draft.note(
            "evidence", f"An alarm {after} after recovery, looked at: {text}", url=evidence.url
        )
    until = recovered_at(draft.incident) + GUARD
    heard = evidence.model_copy(update={"text": short(evidence.text, 300)})
    return draft.want(
        LookBack(
            look=GuardLook(until=until, number=len(LOOKS) + 1, seeds=0, alarm=heard, issue=issue)
        )
    )


def day(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d}"


def fires_after_recovery(draft: Draft, text: str, at: datetime) -> Draft:
    """Users were fine and the incident still holds its service: nothing new may drown in its channel. People decide."""
    incident = draft.incident
    said = f"{short(text, 300)}, {lasting(at - recovered_at(incident))} after recovery."
    if incident.fired_at is not None and incident.fired_at <= at < incident.fired_at + GUARD:
        return tell(
            draft, said, strong="Fires again:", thread=True, ticket=False
        )  # of one storm the first one rings
    page(
        draft.set(fired_at=at),
        after_recovery(incident, at),
        f"{incident.id} {incident.title}, fires again: {said}",
    )
    way = "The same trouble? `/incident rollback`, `hotfix` or `fixed` acts here. Something else? `/incident declare <what>`."
    return tell(draft, f"{said} {way}", strong="Fires again:", mention=draft.service.owners)


def after_recovery(incident: Incident, at: datetime) -> str:
    """Why people are paged: once a day, because between recovery and *resolved* there may be many."""
    return f"after recovery: {len(incident.rounds)}, {day(at)}"
