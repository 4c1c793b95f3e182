"""Looking: how one incident stands, which are open, what happened, what can be typed. Nothing is changed."""

from __future__ import annotations

from typing import Any

from slack_bolt.app.async_app import AsyncApp

from handlers import views
from handlers.slack.context import Kit
from handlers.slack.interaction import Turn
from handlers.slack.listening import on_click
from handlers.views import notes
from handlers.views.blocks import Message
from handlers.views.timeline import timeline as show_timeline
from phases.postmortem.proofs import proofs
from phases.record.incident import Incident


async def status(turn: Turn, incident: Incident) -> Message:
    """The pinned message, with the six proofs under it."""
    shown = views.status(incident, turn.kit.now(), turn.kit.service(incident))
    return notes.with_proofs(shown, proofs(incident))


async def listing(turn: Turn) -> Message:
    return views.listing(await turn.seen(await turn.kit.door.find()))


async def timeline(turn: Turn, incident: Incident, until: int | None = None) -> Message:
    return show_timeline(incident, await turn.kit.door.timeline(incident.id), until=until)


def register(app: AsyncApp, kit: Kit) -> None:
    async def another_page(turn: Turn, value: dict[str, Any]) -> Message | None:
        incident = await turn.find(str(value.get("incident", "")))
        if incident is None:
            return notes.note("That incident is not there any more.")
        return await timeline(turn, incident, int(value.get("until") or 0))

    for action_id in ("incident.timeline", "incident.timeline_newer"):
        on_click(app, kit, action_id, another_page, replace=True)
