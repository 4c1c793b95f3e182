"""The manual form: the reports of people, where Sentry cannot be queried (failure conditions)."""

from handlers.slack.interaction import Interaction
from handlers.slack.listening import Outcome, on_incident, on_submit
from handlers.slack.payloads import Form
from handlers.views import forms
from handlers.views.blocks import Message
from phases.messages.commands import ManualTriage
from phases.record.findings import Word
from phases.record.incident import Incident
from phases.text.wording import short


@on_incident("incident.triage")
async def triage_clicked(interaction: Interaction, incident: Incident) -> Message | None:
    interaction.open(forms.triage(incident, interaction.round or 1))
    return None


@on_submit("incident.triage", "report")
async def triage_submitted(interaction: Interaction, form: Form) -> Outcome:
    report = short(form.text("report"), 1500)
    if not report:
        return {"report": "Say what people report."}
    names = [name.strip() for name in form.text("names").split(",")]
    action = ManualTriage(
        by=interaction.user,
        users=Word(form.entered.get("users") or Word.MANY),
        features=Word(form.entered.get("features") or Word.ONE),
        feature_names=tuple(short(name, 80) for name in names if name)[:10],
        report=report,
    )
    return await interaction.dispatch(action, form.incident)
