"""Naming the root cause: proposed by the evidence, confirmed under a person's name."""

from dataclasses import dataclass

from handlers.dispatcher import Recorded
from handlers.slack.interaction import Interaction
from handlers.slack.listening import Outcome, on_incident, on_submit
from handlers.slack.payloads import Form
from handlers.views import forms
from handlers.views.blocks import Message
from phases.messages.commands import JudgeHypothesis, NameCause
from phases.record.findings import Hypothesis, HypothesisKind, Verdict
from phases.record.incident import Incident
from phases.root_cause.leading_cause import LeadingCause, leading_cause
from phases.text.wording import short


@dataclass(frozen=True, slots=True)
class Proposal:
    text: str
    commit: str | None = None
    release: str | None = None
    hypothesis: str | None = None


def proposal(incident: Incident, hypothesis: str | None = None) -> Proposal:
    """Return the hypothesis that was clicked, else the leading cause."""
    lead = leading_cause(incident)
    clicked = next((h for h in incident.hypotheses if h.id == hypothesis), None)
    if clicked is None and lead.named is not None:
        return Proposal(lead.named.text, lead.named.commit, lead.named.release)
    if clicked is None and lead.bisected is not None:
        culprit = lead.bisected
        by = f" by {culprit.author}" if culprit.author else ""
        text = f"{culprit.sha[:9]} “{culprit.subject}”{by}"
        return Proposal(text, culprit.sha, lead.release)
    chosen = clicked or lead.hypothesis
    return _from_hypothesis(lead, chosen) if chosen is not None else Proposal("")


def _from_hypothesis(lead: LeadingCause, hypothesis: Hypothesis) -> Proposal:
    """Return the hypothesis with the commit or release that it speaks of."""
    of_commit = hypothesis.kind is HypothesisKind.COMMIT
    of_release = of_commit or hypothesis.kind is HypothesisKind.RELEASE
    text = hypothesis.says
    if hypothesis.found:
        text = f"{text.rstrip('.')}. {hypothesis.found}"
    return Proposal(
        text=short(text, 2000),
        commit=lead.bisected.sha if lead.bisected is not None and of_commit else None,
        release=lead.release if of_release else None,
        hypothesis=hypothesis.id,
    )


def _open_form(interaction: Interaction, incident: Incident) -> None:
    proposed = proposal(incident, interaction.clicked("hypothesis") or None)
    metadata = {
        "commit": proposed.commit or "",
        "release": proposed.release or "",
        "hypothesis": proposed.hypothesis or "",
    }
    interaction.open(forms.cause(incident, text=proposed.text, metadata=metadata))


@on_incident("incident.cause")
async def cause(interaction: Interaction, incident: Incident, text: str = "") -> Message | None:
    if not text:
        _open_form(interaction, incident)
        return None
    done = f"{incident.id}: the cause is recorded under your name."
    return await interaction.act(NameCause(by=interaction.user, text=text), incident.id, done)


@on_submit("incident.cause", "text")
async def cause_submitted(interaction: Interaction, form: Form) -> Outcome:
    action = NameCause(
        by=interaction.user,
        text=form.text("text"),
        commit=str(form.metadata.get("commit") or "") or None,
        release=str(form.metadata.get("release") or "") or None,
    )
    answer = await interaction.dispatch(action, form.incident)
    hypothesis = str(form.metadata.get("hypothesis") or "")
    if isinstance(answer, Recorded) and hypothesis:
        judged = JudgeHypothesis(by=interaction.user, id=hypothesis, verdict=Verdict.SUPPORTED)
        await interaction.dispatch(judged, form.incident, part="hypothesis")
    return answer
