"""The hypothesis tree by hand: add or rule out one, stop the bisect, prepare the culprit's revert.

One is confirmed by naming it as the cause.
"""

from handlers import views
from handlers.slack.interaction import Interaction
from handlers.slack.listening import Outcome, on_incident, on_submit
from handlers.slack.payloads import Form
from handlers.views import forms
from handlers.views.blocks import Message
from phases.messages.commands import AddHypothesis, CancelBisect, JudgeHypothesis, PrepareRevert
from phases.record.findings import Verdict
from phases.record.incident import Incident


@on_incident("incident.rule_out")
async def ruled_out(interaction: Interaction, incident: Incident) -> Message | None:
    hypothesis = interaction.clicked("hypothesis")
    action = JudgeHypothesis(by=interaction.user, id=hypothesis, verdict=Verdict.RULED_OUT)
    return await interaction.act(action, incident.id)


@on_incident("incident.evidence")
async def evidence_clicked(interaction: Interaction, incident: Incident) -> Message | None:
    return views.evidence(incident)


@on_incident("incident.hypothesis")
async def add_clicked(interaction: Interaction, incident: Incident) -> Message | None:
    interaction.open(forms.hypothesis(incident))
    return None


@on_submit("incident.hypothesis", "says")
async def add_submitted(interaction: Interaction, form: Form) -> Outcome:
    action = AddHypothesis(by=interaction.user, says=form.text("says"))
    return await interaction.dispatch(action, form.incident)


@on_incident("incident.bisect_cancel")
async def bisect_stopped(interaction: Interaction, incident: Incident) -> Message | None:
    return await interaction.act(CancelBisect(by=interaction.user), incident.id)


@on_incident("incident.revert")
async def revert_clicked(interaction: Interaction, incident: Incident) -> Message | None:
    pull_request = interaction.clicked("pull_request")
    action = PrepareRevert(by=interaction.user, pull_request=pull_request)
    done = "The revert is on its way; its pull request will be posted here."
    return await interaction.act(action, incident.id, done)
