"""Reads that change nothing: how an incident stands, the open ones, the timeline."""

from handlers import views
from handlers.slack.interaction import Interaction
from handlers.slack.listening import on_click
from handlers.views import notes
from handlers.views.blocks import Message
from handlers.views.notes import LISTED
from handlers.views.timeline import timeline as timeline_page
from phases.postmortem.proofs import proofs
from phases.record.incident import Incident


async def status(interaction: Interaction, incident: Incident) -> Message:
    """Return the pinned message with the six proofs under it."""
    ctx = interaction.ctx
    pinned = views.status(incident, ctx.now(), ctx.service(incident))
    return notes.with_proofs(pinned, proofs(incident))


async def listing(interaction: Interaction) -> Message:
    every = await interaction.open_incidents()
    return views.listing(await interaction.first_records(every, LISTED), len(every))


async def timeline(
    interaction: Interaction, incident: Incident, until: int | None = None
) -> Message:
    entries = await interaction.ctx.dispatcher.timeline(incident.id)
    return timeline_page(incident, entries, until=until)


@on_click("incident.timeline", "incident.timeline_newer", replace=True)
async def page_clicked(interaction: Interaction) -> Message | None:
    incident = await interaction.find(interaction.clicked("incident"))
    if incident is None:
        return notes.note("That incident no longer exists.")
    return await timeline(interaction, incident, int(interaction.clicked("until") or 0))
