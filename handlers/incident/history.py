"""Looking back: `/incident history [service]` and `/incident trends`.

Private incidents are for their members.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from handlers.slack.interaction import Interaction
from handlers.slack.listening import on_click
from handlers.views import history as views
from handlers.views import notes
from handlers.views.blocks import Message
from phases.memory.trends import MONTHS_SHOWN, trends, visible_memories
from phases.ports.ports import PortError
from phases.record.incident import Incident
from phases.record.memories import Counted, PastIncident

MEMORIES_READ = 200
"""The number of memories that are looked through; `firebreak export` has the older ones."""


async def history(interaction: Interaction, service: str, start: int = 0) -> Message:
    try:
        memories = await interaction.ctx.memory.newest(service or None, MEMORIES_READ)
    except PortError as error:
        return notes.note(f"{error.text}. Try again in a moment.")
    private = await _visible_private(interaction, memories)
    titles = {id: incident.title for id, incident in private.items()}
    shown, more = visible_memories(memories, private), len(memories) == MEMORIES_READ
    return views.history(shown, service, titles, start=start, more=more)


async def show_trends(interaction: Interaction) -> Message | None:
    """Answer beside the ack: an ack cannot carry charts."""
    now = interaction.ctx.now()
    try:
        # This begins before the first of the months that are shown.
        memories = await interaction.ctx.memory.since(now - timedelta(days=31 * MONTHS_SHOWN))
    except PortError as error:
        return notes.note(f"{error.text}. Try again in a moment.")
    shown = visible_memories(memories, await _visible_private(interaction, memories))
    interaction.tell(views.trends(trends(shown, now)))
    return None


async def _visible_private(
    interaction: Interaction, memories: Sequence[PastIncident | Counted]
) -> dict[str, Incident]:
    """Return the private incidents among them that this person may see, by id."""
    ids = [memory.id for memory in memories if memory.private]
    loaded = await asyncio.gather(*(interaction.ctx.dispatcher.load(id) for id in ids))
    incidents = [incident for incident in loaded if incident is not None]
    return {incident.id: incident for incident in await interaction.visible(incidents)}


@on_click("incident.history", "incident.history_newer", replace=True)
async def page_clicked(interaction: Interaction) -> Message | None:
    start = max(0, int(interaction.clicked("start") or 0))
    return await history(interaction, interaction.clicked("service"), start)
