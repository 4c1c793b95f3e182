"""Phase 6, the reminder: on every working day until the post-mortem is written, in the lead's morning (rules: Post-mortem).

One timer in Redis, begun with recovery and ended by the file, whoever brought either: it survives restarts. It is about nine where
the lead is; their offset is asked of Slack with each reminder, so that a change of the clock costs at most one.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta

from phases.messages.actions import PostmortemDue
from phases.messages.effects import AskZone, Say
from phases.messages.results import LeadZone
from phases.record.incident import Incident, Status
from phases.record.wording import counted
from phases.steps.announce import worked
from phases.steps.change import Draft

POSTMORTEM = "postmortem"
"""The timer's name."""
MORNING = time(9)  # issue C, Learn: every working day; when a day begins
LEAST = timedelta(hours=4)
"""A recovery of the night is not asked about in the morning that follows at once."""
OWNERS_AFTER = 3
"""So many reminders went to the lead alone; then the owners hear of it, too."""
SATURDAY = 5


def owed(incident: Incident) -> bool:
    """Whether somebody owes a post-mortem: users are fine, and it is not written."""
    return incident.status is Status.MITIGATED and not incident.drill and incident.adr is None


def next_morning(now: datetime, offset: int, least: timedelta = LEAST) -> datetime:
    """The next working morning at least four hours ahead, where the clock is `offset` seconds ahead of UTC."""
    there = timedelta(seconds=offset)
    local = now + there
    morning = local.replace(hour=MORNING.hour, minute=MORNING.minute, second=0, microsecond=0)
    while morning - local < least or morning.weekday() >= SATURDAY:
        morning += timedelta(days=1)
    return morning - there


def follow_reminder(draft: Draft) -> None:
    """Begins the reminder with recovery, moves it with the lead, ends it with the file or a new round."""
    after = draft.incident
    if not owed(after):
        if after.postmortem_due is not None:
            draft.set(postmortem_due=None).cancel(POSTMORTEM)
        return
    if after.postmortem_due is None or draft.before.lead != after.lead:
        due = after.postmortem_due or next_morning(draft.now, after.lead_offset)
        _remind_at(draft, due).want(AskZone())


def lead_zone(draft: Draft, action: LeadZone) -> None:
    """Where the lead is: the reminder moves there."""
    incident = draft.incident
    worked(draft, "zone")
    if not owed(incident) or action.offset == incident.lead_offset:
        return
    _remind_at(draft.set(lead_offset=action.offset), next_morning(draft.now, action.offset))


def postmortem_due(draft: Draft, action: PostmortemDue) -> None:
    """Said in the channel with the form's button; after some days to the owners as well."""
    incident = draft.incident
    if not owed(incident):
        return
    if not _in_the_day(draft.now, incident.lead_offset):
        _remind_at(draft, next_morning(draft.now, incident.lead_offset, timedelta()))
        return
    times = incident.postmortem_reminded + 1
    lead = incident.lead or incident.declared_by
    owners = () if incident.apart or (lead and times <= OWNERS_AFTER) else draft.service.owners
    mention = tuple(dict.fromkeys((*((lead,) if lead else ()), *owners)))
    draft.set(postmortem_reminded=times)
    draft.want(Say(text=_said(incident, draft.now), mention=mention, ask="postmortem"), AskZone())
    _remind_at(draft, next_morning(draft.now, incident.lead_offset))


def _in_the_day(now: datetime, offset: int) -> bool:
    """A bot that was down when it was due is back at any hour: not at the weekend, and not before nine."""
    local = now + timedelta(seconds=offset)
    return local.weekday() < SATURDAY and local.time() >= MORNING


def _said(incident: Incident, now: datetime) -> str:
    if incident.postmortem is not None and not incident.rewriting:
        return "The post-mortem was sent and is not written: what hinders it stands in the pinned status."
    days = (now - incident.recovered_at).days if incident.recovered_at else 0
    since = f"have been fine for {counted(days, 'day')}" if days else "are fine"
    return f"Users {since}. The post-mortem is still to be written."


def _remind_at(draft: Draft, due: datetime) -> Draft:
    return draft.set(postmortem_due=due).timer_at(POSTMORTEM, due, PostmortemDue())
