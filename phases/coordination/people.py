"""Phase 4, the people: the lead, a person's word on severity, and updates to those who wait."""

from datetime import timedelta

from phases.coordination.updates import (
    CHANNEL_AFTER,
    NEXT_MINUTES,
    SNOOZE,
    UPDATE,
    awaits_update,
    start_update_clock,
    update_interval,
    update_text,
)
from phases.messages.actions import UpdateDue
from phases.messages.commands import PostUpdate, SetSeverity, SnoozeUpdate, TakeLead
from phases.messages.effects import Invite, Remind, Say
from phases.record.tokens import mentioned
from phases.shared.announce import acknowledge_page, page_if_urgent, tell, update_outside
from phases.shared.change import Draft, Refused
from phases.text.wording import lasting

UPDATE_TEXT, UPDATE_PART = 1500, 500
UPDATE_SHOWN = 300


def post_update(draft: Draft, action: PostUpdate) -> Refused | None:
    """Post an update to channel, announcement, ticket and Discord; the clock starts anew."""
    incident = draft.incident
    cut = {
        "text": action.text.strip()[:UPDATE_TEXT],
        "users": action.users.strip()[:UPDATE_PART],
        "doing": action.doing.strip()[:UPDATE_PART],
    }
    update = action.model_copy(update=cut)
    if not update.text:
        return Refused(
            "input", "Say what is new, e.g. `/incident update card payments work again in eu-west`."
        )
    draft.set(latest_update=update.text[:UPDATE_SHOWN], updated_at=draft.now)
    draft.note("update", update_text(update), by=action.by)
    _set_next_update(draft, action.next_minutes)
    due, strong = draft.incident.update_due, f"Update by {mentioned(action.by)}:"
    if incident.channel is not None:
        draft.want(Say(text=f"*{strong}* {update_text(update, bold=True)}", due=due))
        announced = incident.messages.get("announcement")
        if (
            announced is not None
            and announced.ts != incident.channel.thread_ts
            and not incident.private
        ):
            draft.want(
                Say(
                    text=update_text(update, bold=True),
                    due=due,
                    thread=True,
                    goes_to="announcement",
                )
            )
    update_outside(draft, f"{strong} {update_text(update)}")
    return None


def snooze_update(draft: Draft, action: SnoozeUpdate) -> Refused | None:
    incident = draft.incident
    if not awaits_update(incident) or incident.update_due is None:
        return Refused("stale", f"No update of {incident.id} is due.")
    if not incident.reminded and incident.update_due > draft.now + SNOOZE:
        left = lasting(incident.update_due - draft.now)
        return Refused(
            "stale", f"The next update of {incident.id} is due in {left}. Nothing was changed."
        )
    draft.note("comms", f"Update snoozed for {lasting(SNOOZE)}", by=action.by)
    start_update_clock(draft, SNOOZE).dirty("status")
    return None


def update_due(draft: Draft, action: UpdateDue) -> None:
    """Remind the lead alone; then the channel, where there is none or nothing came of it."""
    incident = draft.incident
    if not awaits_update(incident) or incident.update_due is None:
        return
    quiet = f"no update for {lasting(draft.now - (incident.updated_at or incident.declared_at))}"
    if incident.lead is not None and incident.reminded != "lead":
        draft.want(
            Remind(who=incident.lead, text=f"{incident.title}: {quiet}. What is the status?")
        )
        draft.set(reminded="lead").dirty("status")  # and whoever looks at App Home
        draft.timer(UPDATE, CHANNEL_AFTER.total_seconds(), UpdateDue())
        return
    who = (incident.lead,) if incident.lead else draft.service.owners
    nobody = "" if incident.lead else " Nobody leads."
    draft.want(Say(text=f"An update is due: {quiet}.{nobody}", mention=who, ask="update"))
    draft.set(reminded="channel")
    draft.timer(UPDATE, update_interval(incident).total_seconds(), UpdateDue())


def _set_next_update(draft: Draft, next_minutes: int | None) -> Draft:
    """Set the next update: as it was promised, else as the severity says."""
    promised = next_minutes if next_minutes in NEXT_MINUTES else None
    draft.set(update_promised=promised is not None)
    if not awaits_update(draft.incident):
        return draft.set(update_promised=False)
    return start_update_clock(
        draft, timedelta(minutes=promised) if promised else update_interval(draft.incident)
    )


def set_severity(draft: Draft, action: SetSeverity) -> None:
    """Set the severity by a person's word; it wins and stays (rules: Severity)."""
    incident = draft.incident
    draft.set(severity=action.severity, severity_by=action.by)
    text = f"SEV{action.severity.value}, says {mentioned(action.by)}"
    if incident.severity is not None and incident.severity is not action.severity:
        text = f"SEV{incident.severity.value} → {text}"
    draft.note("severity", text, by=action.by)
    page_if_urgent(draft, f"{incident.id} {incident.title}: {text}")
    if incident.severity is action.severity:
        update_outside(draft, text)
        return
    tell(draft, f"{text}.")


def take_lead(draft: Draft, action: TakeLead) -> Refused | None:
    """Take the lead, or hand it over.

    The new lead is mentioned and comes into the channel, the old one is named.
    """
    incident = draft.incident
    if incident.lead == action.lead:
        return Refused("stale", f"{mentioned(action.lead)} leads {incident.id} already.")
    over = f", in place of {mentioned(incident.lead)}" if incident.lead else ""
    by = (
        f" ({mentioned(action.by)} handed over)"
        if action.by not in (action.lead, incident.lead)
        else ""
    )
    text = f"{mentioned(action.lead)} leads{over}{by}"
    left = tuple(person for person in incident.left if person != action.lead)
    acknowledge_page(draft.set(lead=action.lead, left=left).note("lead", text, by=action.by))
    if incident.channel is not None and action.lead not in incident.invited:
        draft.want(Invite(people=(action.lead,), owners=False))
    tell(draft, f"{text}.", ticket=False).dirty("status")
    return None
