"""The announcement of an incident where all incidents are announced."""

from handlers.views import phrasing
from handlers.views.blocks import Message, button, message, section
from handlers.views.text import link, person, when, words
from phases.record.incident import Incident, Status
from phases.text.wording import lasting


def announcement(incident: Incident) -> Message:
    """Return two lines for the channel in which incidents are announced; edited in place."""
    if incident.private:
        return _announced_in_private(incident)
    nowhere = "its channel is being opened" if incident.channel is None else "in this thread"
    where = phrasing.room(incident) or nowhere
    severity = f" {phrasing.severity(incident)} ·" if incident.severity or incident.open else ""
    first = f"*{incident.id}*{severity} {words(incident.title, 200)} · {where}"
    second = (
        f"{phrasing.status(incident)} · {words(incident.service, 60)} · {_newest_fact(incident)}"
    )
    join = button("Join", "incident.join", {"incident": incident.id})
    joined = incident.open and incident.own_channel is not None
    block = section(f"{first}\n{second}", accessory=join if joined else None)
    text = f"{incident.id} {words(incident.title, 200)}: {phrasing.status(incident)}"
    return message(text, [block])


def _announced_in_private(incident: Incident) -> Message:
    """Announce that there is one, and whom to ask: not what, not where, not how bad."""
    over = "" if incident.open else f" · {phrasing.status(incident)}"
    ask = (
        f" Can you help? Ask {person(incident.declared_by)}."
        if incident.open and incident.declared_by
        else ""
    )
    text = f"*{incident.id}* · a private incident{over}.{ask}"
    return message(f"{incident.id}: a private incident", [section(text)])


def _newest_fact(incident: Incident) -> str:
    """Return the newest fact for somebody outside the incident."""
    current = incident.round
    if incident.status is Status.CANCELLED:
        return words(incident.cancel_reason or "", 200) or "no reason given"
    if (
        incident.status in (Status.RESOLVED, Status.CLOSED, Status.MITIGATED)
        and incident.recovered_at
    ):
        took = lasting(incident.recovered_at - incident.detected_at)
        adr = f", {link(incident.adr.url, incident.adr.name)}" if incident.adr else ""
        return f"recovered {when(incident.recovered_at)} after {took}{adr}"
    if current is not None and current.action is not None:
        return f"{phrasing.done(current.action)}: {phrasing.outcome(current.action)}"
    return (
        phrasing.hit(incident.triage)
        if incident.triage
        else f"detected {when(incident.detected_at)}"
    )
