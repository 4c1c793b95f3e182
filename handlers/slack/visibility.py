"""Private incidents: the members of their channel see them (rules: Private incidents)."""

from __future__ import annotations

from collections.abc import Iterable

from handlers.ports import Members
from phases.record.incident import Incident


async def may_see(members: Members | None, user: str, incident: Incident) -> bool:
    """Return whether this person may know of the incident.

    A private one is for the members of its channel; in a direct message, for whoever declared it.
    """
    if not incident.private:
        return True
    channel = incident.channel
    if channel is None or channel.thread_ts is not None or members is None:
        return user == incident.declared_by
    return user in await members.of(channel.id)


async def visible_to(
    members: Members | None, user: str, incidents: Iterable[Incident]
) -> list[Incident]:
    """Return those that this person may see, in their order."""
    return [incident for incident in incidents if await may_see(members, user, incident)]
