"""Phase 6, the reminder of the post-mortem, on every working day (rules: Post-mortem).

It is one timer in Redis, which survives restarts. It begins with recovery and ends with the file.
It is due at nine where the lead is. Slack is asked for their time zone with each reminder, so that
a change of the clock costs at most one.
"""

from datetime import datetime, timedelta

from phases.messages.actions import PostmortemDue
from phases.messages.effects import AskZone, Say
from phases.postmortem.working_hours import MORNING, in_the_day, local_time, next_morning, offset_of
from phases.record.incident import Incident, Status
from phases.shared.change import Draft
from phases.shared.people_left import person_in_charge
from phases.text.wording import counted

POSTMORTEM_TIMER = "postmortem"
"""The timer's name."""
REMINDER_LEAST = timedelta(hours=4)
"""A recovery of the night is not asked about in the morning that follows at once."""
OWNERS_AFTER = 3
"""The lead alone is reminded so often; then the owners are, too."""


def postmortem_owed(incident: Incident) -> bool:
    """True if users are fine and the post-mortem is not written."""
    return incident.status is Status.MITIGATED and not incident.drill and incident.adr is None


def postmortem_sent(incident: Incident) -> bool:
    """True if its parts are handed in; where it went on since, they are asked for once more."""
    return incident.postmortem is not None and not incident.rewriting


def follow_reminder(draft: Draft) -> None:
    """Begin the reminder with recovery, move it with the lead, end it with the file."""
    incident = draft.incident
    if not postmortem_owed(incident):
        if incident.postmortem_due is not None:
            draft.set(postmortem_due=None).cancel(POSTMORTEM_TIMER)
    elif incident.postmortem_due is None:
        _remind_next(draft)
        _ask_zone(draft)
    elif draft.before.lead != incident.lead:
        _ask_zone(draft)


def move_to_morning(draft: Draft) -> None:
    """Moves the reminder to the lead's morning, as soon as their time zone is known."""
    incident = draft.incident
    due, offset = incident.postmortem_due, offset_of(incident, incident.lead)
    if due is None or local_time(due, offset).time() != MORNING:
        _remind_next(draft)


def postmortem_due(draft: Draft, action: PostmortemDue) -> None:
    """Reminds in the channel, with the form's button; after some days the owners as well."""
    incident = draft.incident
    if not postmortem_owed(incident):
        return
    if not in_the_day(draft.now, offset_of(incident, incident.lead)):
        _remind_next(draft, timedelta())
        return
    times = incident.postmortem_reminded + 1
    lead = person_in_charge(incident)
    owners = () if incident.apart or (lead and times <= OWNERS_AFTER) else draft.service.owners
    mention = tuple(dict.fromkeys((*((lead,) if lead else ()), *owners)))
    draft.set(postmortem_reminded=times)
    draft.want(Say(text=_reminder_text(incident, draft.now), mention=mention, ask="postmortem"))
    _ask_zone(draft)
    _remind_next(draft)


def _reminder_text(incident: Incident, now: datetime) -> str:
    if postmortem_sent(incident):
        hinders = "see the pinned status"
        return f"The post-mortem was submitted but is not written yet: {hinders}."
    days = (now - incident.recovered_at).days if incident.recovered_at else 0
    since = f"have been fine for {counted(days, 'day')}" if days else "are fine"
    return f"Users {since}. The post-mortem is still to be written."


def _ask_zone(draft: Draft) -> None:
    if (lead := person_in_charge(draft.incident)) is not None:
        draft.want(AskZone(people=(lead,)))


def _remind_next(draft: Draft, least: timedelta = REMINDER_LEAST) -> None:
    due = next_morning(draft.now + least, offset_of(draft.incident, draft.incident.lead))
    draft.set(postmortem_due=due).timer_at(POSTMORTEM_TIMER, due, PostmortemDue())
