"""A false alarm or a duplicate: the incident ends with a reason and a name."""

from handlers.slack.interaction import Interaction
from handlers.slack.listening import Outcome, on_incident, on_submit
from handlers.slack.payloads import Form
from handlers.views import forms, notes
from handlers.views.blocks import Message
from phases.messages.commands import Cancel
from phases.record.incident import Incident
from phases.shared.rounds import refuse_if_ended


def open_form(interaction: Interaction, incident: Incident, reason: str = "") -> Message | None:
    if (refused := refuse_if_ended(incident)) is not None:
        return notes.note(refused.text)
    interaction.open(forms.cancel(incident, reason))
    return None


@on_incident("incident.cancel")
async def cancel(interaction: Interaction, incident: Incident, reason: str = "") -> Message | None:
    if not reason:
        return open_form(interaction, incident)
    done = interaction.unless_in_channel(incident, f"{incident.id} is cancelled.")
    return await interaction.act(Cancel(by=interaction.user, reason=reason), incident.id, done)


@on_submit("incident.cancel", "reason")
async def cancel_submitted(interaction: Interaction, form: Form) -> Outcome:
    action = Cancel(by=interaction.user, reason=form.text("reason"))
    return await interaction.dispatch(action, form.incident)
