"""Updates: to the channel, the ticket and Discord."""

from handlers.slack.interaction import Interaction
from handlers.slack.listening import Outcome, on_incident, on_submit
from handlers.slack.payloads import Form
from handlers.views import forms, notes
from handlers.views.blocks import Message
from phases.coordination.updates import SNOOZE, awaits_update, update_interval, update_template
from phases.messages.commands import PostUpdate, SnoozeUpdate
from phases.record.incident import Incident
from phases.shared.rounds import refuse_if_ended
from phases.text.wording import lasting


@on_incident("incident.update")
async def update(interaction: Interaction, incident: Incident, text: str = "") -> Message | None:
    if not text:
        if (refused := refuse_if_ended(incident)) is not None:
            return notes.note(refused.text)
        minutes = (
            round(update_interval(incident).total_seconds() / 60)
            if awaits_update(incident)
            else None
        )
        interaction.open(forms.update(incident, update_template(incident), minutes))
        return None
    done = interaction.unless_in_channel(incident, f"{incident.id}: your update is posted.")
    return await interaction.act(PostUpdate(by=interaction.user, text=text), incident.id, done)


@on_submit("incident.update", "text")
async def update_submitted(interaction: Interaction, form: Form) -> Outcome:
    minutes = form.entered.get("next", "")
    action = PostUpdate(
        by=interaction.user,
        text=form.text("text"),
        users=form.text("users"),
        doing=form.text("doing"),
        next_minutes=(int(minutes) if minutes.isdecimal() else 0) or None,
    )
    return await interaction.dispatch(action, form.incident)


@on_incident("incident.snooze")
async def snoozed(interaction: Interaction, incident: Incident) -> Message | None:
    done = f"{incident.id}: I ask again in {lasting(SNOOZE)}."
    return await interaction.act(SnoozeUpdate(by=interaction.user), incident.id, done)
