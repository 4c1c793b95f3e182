"""Action items: done, or not done after all, by a click."""

from functools import partial

from handlers.slack.interaction import Interaction
from handlers.slack.listening import on_incident
from handlers.views.blocks import Message
from phases.messages.commands import MarkItem
from phases.record.incident import Incident


async def mark_clicked(
    interaction: Interaction, incident: Incident, *, done: bool
) -> Message | None:
    number = int(interaction.clicked("item") or 0)
    action = MarkItem(by=interaction.user, number=number, done=done)
    return await interaction.act(action, incident.id)


on_incident("incident.item_done")(partial(mark_clicked, done=True))
on_incident("incident.item_undone")(partial(mark_clicked, done=False))
