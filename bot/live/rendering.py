"""A live message by its name, from the newest state: for its first posting and for every edit."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from handlers import views
from handlers.views.blocks import Message
from phases.ports.ports import Catalogue
from phases.record.incident import Incident
from phases.record.service import Service


def renderer(
    catalogue: Catalogue, *, reverts: bool = False
) -> Callable[[str, Incident, datetime], Awaitable[Message]]:
    async def render(name: str, incident: Incident, now: datetime) -> Message:
        """Raises ValueError for a name that is no live message's."""
        service = catalogue.get(incident.service) or Service(name=incident.service)
        kind, _, number = name.partition(":")
        match kind:
            case "status":
                return views.status(incident, now, service)
            case "decision":
                return views.decision(incident, now, service, int(number))
            case "progress":
                return views.progress(incident, int(number))
            case "announcement":
                return views.announcement(incident)
            case "tree":
                return views.tree(incident, reverts=reverts and service.repository is not None)
            case "items":
                return views.items(incident)
            case "contradictions":
                return views.contradictions(incident)
            case _:
                raise ValueError(f"{name} is no live message")

    return render
