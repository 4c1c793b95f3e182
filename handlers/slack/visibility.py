"""Who may see an incident: everybody, or the members of its private channel, as Slack has them now (rules: Private incidents)."""

from __future__ import annotations

from collections.abc import Iterable

from handlers.ports import Members
from phases.record.incident import Incident


async def may_see(members: Members | None, user: str, incident: Incident) -> bool:
    """Who leaves the channel sees it no more; who is invited does. Where it runs in a direct message: who declared it."""
    if not incident.private:
        return True
    channel = incident.channel
    if channel is None or channel.thread_ts is not None or members is None:
        return user == incident.declared_by
    return user in await members.of(channel.id)


async def seen_by(
    members: Members | None, user: str, incidents: Iterable[Incident]
) -> list[Incident]:
    """Those that this person may see, in their order."""
    return [one for one in incidents if await may_see(members, user, one)]
