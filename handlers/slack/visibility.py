"""Private incidents: the members of their channel see them (rules: Private incidents)."""

from collections.abc import Iterable
from typing import TypeVar

from handlers.ports import Members
from phases.coordination.short_records import ShortRecord
from phases.record.incident import Incident

Seen = TypeVar("Seen", Incident, ShortRecord)


async def may_see(members: Members | None, user: str, incident: Incident | ShortRecord) -> bool:
    """Return whether this person may know of the incident.

    A private one is for the members of its channel; in a direct message, for whoever declared it.
    """
    if not incident.private:
        return True
    room = incident.room if isinstance(incident, ShortRecord) else _room(incident)
    if room is None or members is None:
        return user == incident.declared_by
    return user in await members.in_channel(room)


def _room(incident: Incident) -> str | None:
    return incident.own_channel.id if incident.own_channel is not None else None


async def visible_to(members: Members | None, user: str, incidents: Iterable[Seen]) -> list[Seen]:
    """Return those that this person may see, in their order."""
    return [
        incident
        for incident in incidents
        if not incident.private or await may_see(members, user, incident)
    ]
