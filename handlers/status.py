"""Looking: how one incident stands, which are open, what happened, what can be typed. Nothing is changed."""

from __future__ import annotations

from handlers import views
from handlers.turn import Turn
from handlers.views import says
from handlers.views.blocks import Message
from phases.incident import Incident
from phases.proofs import proofs


async def status(turn: Turn, incident: Incident) -> Message:
    """The pinned message, with the six proofs under it."""
    shown = views.status(incident, turn.kit.now(), turn.kit.service(incident))
    return says.with_proofs(shown, proofs(incident))


async def listing(turn: Turn) -> Message:
    return views.listing([i for i in await turn.kit.door.find() if may_see(turn, i)])


def may_see(turn: Turn, incident: Incident) -> bool:
    """A private incident is nobody's business who was not invited."""
    return not incident.private or turn.user in (incident.declared_by, incident.lead, *incident.invited)


async def timeline(turn: Turn, incident: Incident) -> Message:
    return says.timeline(incident, await turn.kit.door.timeline(incident.id))
