"""Phase 4, the people: who leads, how bad it is by a person's word, and what is told to those who wait."""

from __future__ import annotations

from datetime import datetime, timedelta

from phases.coordination.updates import (
    CHANNEL_AFTER,
    NEXT_MINUTES,
    SNOOZE,
    UPDATE,
    every,
    told,
    waits,
)
from phases.messages.actions import UpdateDue
from phases.messages.commands import PostUpdate, SetSeverity, SnoozeUpdate, TakeLead
from phases.messages.effects import Invite, Remind, Say
from phases.record.incident import Incident
from phases.record.service import Service
from phases.record.tokens import mentioned
from phases.record.wording import lasting
from phases.steps.announce import answered, keep_true, tell, urgent
from phases.steps.change import Change, Draft, Refused
from phases.steps.rounds import ended

TEXT, PART = 1500, 500
LATEST = 300


def post_update(
    incident: Incident, action: PostUpdate, service: Service, now: datetime
) -> Change | Refused:
    """To the channel, under the announcement, on the ticket and on Discord; the clock starts anew."""
    del service
    if (refused := ended(incident)) is not None:
        return refused
    cut = {
        "text": action.text.strip()[:TEXT],
        "users": action.users.strip()[:PART],
        "doing": action.doing.strip()[:PART],
    }
    update = action.model_copy(update=cut)
    if not update.text:
        return Refused(
            "input", "Say what is new, e.g. `/incident update card payments work again in eu-west`."
        )
    draft = Draft(incident, now).set(latest_update=update.text[:LATEST], updated_at=now)
    draft.note("update", told(update), by=action.by)
    _due_again(draft, action.next_minutes)
    due, strong = draft.incident.update_due, f"Update by {mentioned(action.by)}:"
    if incident.channel is not None:
        draft.want(Say(text=f"*{strong}* {told(update, bold=True)}", due=due))
        announced = incident.messages.get("announcement")
        if (
            announced is not None
            and announced.ts != incident.channel.thread_ts
            and not incident.private
        ):
            draft.want(
                Say(text=told(update, bold=True), due=due, thread=True, goes_to="announcement")
            )
    return keep_true(draft, f"{strong} {told(update)}").done()


def snooze_update(
    incident: Incident, action: SnoozeUpdate, service: Service, now: datetime
) -> Change | Refused:
    del service
    if not waits(incident) or incident.update_due is None:
        return Refused("stale", f"No update of {incident.id} is due.")
    if not incident.reminded and incident.update_due > now + SNOOZE:
        left = lasting(incident.update_due - now)
        return Refused(
            "stale", f"The next update of {incident.id} is due in {left}. Nothing was changed."
        )
    draft = Draft(incident, now).note(
        "comms", f"The update can wait for {lasting(SNOOZE)}", by=action.by
    )
    return _clock(draft, SNOOZE).dirty("status").done()


def update_due(incident: Incident, action: UpdateDue, service: Service, now: datetime) -> Change:
    """The lead alone first; the channel, where there is none or nothing came of it. Then a whole turn of quiet again."""
    del action
    draft = Draft(incident, now)
    if not waits(incident) or incident.update_due is None:
        return draft.done()
    quiet = f"nothing was said for {lasting(now - (incident.updated_at or incident.declared_at))}"
    if incident.lead is not None and incident.reminded != "lead":
        draft.want(Remind(who=incident.lead, text=f"{incident.title}: {quiet}. How does it stand?"))
        draft.set(reminded="lead").dirty("status")  # and whoever looks at App Home
        return draft.timer(UPDATE, CHANNEL_AFTER.total_seconds(), UpdateDue()).done()
    who = (incident.lead,) if incident.lead else service.owners
    nobody = "" if incident.lead else " Nobody leads."
    draft.want(Say(text=f"An update is due: {quiet}.{nobody}", mention=who, ask="update"))
    draft.set(reminded="channel")
    return draft.timer(UPDATE, every(incident).total_seconds(), UpdateDue()).done()


def _due_again(draft: Draft, next_minutes: int | None) -> Draft:
    """After an update: as it was promised, else as the severity says."""
    promised = next_minutes if next_minutes in NEXT_MINUTES else None
    draft.set(update_promised=promised is not None)
    if not waits(draft.incident):
        return draft.set(update_promised=False)
    return _clock(draft, timedelta(minutes=promised) if promised else every(draft.incident))


def _clock(draft: Draft, wait: timedelta) -> Draft:
    draft.set(update_due=draft.now + wait, reminded="")
    return draft.timer(UPDATE, wait.total_seconds(), UpdateDue())


def set_severity(
    incident: Incident, action: SetSeverity, service: Service, now: datetime
) -> Change | Refused:
    """A person's word wins and stays (rules: Severity)."""
    del service
    if (refused := ended(incident)) is not None:
        return refused
    draft = Draft(incident, now).set(severity=action.severity, severity_by=action.by)
    said = f"SEV{action.severity.value}, says {mentioned(action.by)}"
    if incident.severity is not None and incident.severity is not action.severity:
        said = f"SEV{incident.severity.value} → {said}"
    draft.note("severity", said, by=action.by)
    urgent(draft, f"{incident.id} {incident.title}: {said}")
    if incident.severity is action.severity:
        return keep_true(draft, said).done()
    return tell(draft, f"{said}.").done()


def take_lead(
    incident: Incident, action: TakeLead, service: Service, now: datetime
) -> Change | Refused:
    """Taken, or handed over: the new lead is mentioned and comes into the channel, the old one is named."""
    del service
    if (refused := ended(incident)) is not None:
        return refused
    if incident.lead == action.lead:
        return Refused("stale", f"{mentioned(action.lead)} leads {incident.id} already.")
    over = f", in place of {mentioned(incident.lead)}" if incident.lead else ""
    by = (
        f" ({mentioned(action.by)} handed over)"
        if action.by not in (action.lead, incident.lead)
        else ""
    )
    said = f"{mentioned(action.lead)} leads{over}{by}"
    draft = answered(Draft(incident, now).set(lead=action.lead).note("lead", said, by=action.by))
    if incident.channel is not None and action.lead not in incident.invited:
        draft.want(Invite(people=(action.lead,), owners=False))
    return tell(draft, f"{said}.", ticket=False).dirty("status").done()
