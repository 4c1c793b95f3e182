"""Naming the root cause: prefilled with what the evidence proposes, confirmed by a person's name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from slack_bolt.app.async_app import AsyncApp

from handlers.dispatcher import Recorded
from handlers.slack import slack_text
from handlers.slack.context import Context
from handlers.slack.interaction import Interaction
from handlers.slack.listening import Errors, after, on_incident, on_submit
from handlers.views import forms
from handlers.views.blocks import Message, View
from phases.messages.commands import JudgeHypothesis, NameCause
from phases.record.findings import Hypothesis, HypothesisKind, Verdict
from phases.record.incident import Incident
from phases.root_cause.leading_cause import Leading, leading


@dataclass(frozen=True, slots=True)
class Proposal:
    text: str
    commit: str | None = None
    release: str | None = None
    hypothesis: str | None = None


def proposal(incident: Incident, hypothesis: str | None = None) -> Proposal:
    """Return the hypothesis that was clicked, else the leading cause."""
    lead = leading(incident)
    clicked = next((h for h in incident.hypotheses if h.id == hypothesis), None)
    if clicked is None and lead.named is not None:
        return Proposal(lead.named.text, lead.named.commit, lead.named.release)
    if clicked is None and lead.bisected is not None:
        culprit = lead.bisected
        by = f" by {culprit.author}" if culprit.author else ""
        text = f"{culprit.sha[:9]} “{culprit.subject}”{by}"
        return Proposal(text, culprit.sha, lead.release)
    chosen = clicked or lead.hypothesis
    return _from(lead, chosen) if chosen is not None else Proposal("")


def _from(lead: Leading, chosen: Hypothesis) -> Proposal:
    """Return the hypothesis with the commit or release that it speaks of, if any."""
    of_commit = chosen.kind is HypothesisKind.COMMIT
    of_release = of_commit or chosen.kind is HypothesisKind.RELEASE
    text = f"{chosen.says.rstrip('.')}. {chosen.found}" if chosen.found else chosen.says
    return Proposal(
        text=slack_text.cut(text, 2000),
        commit=lead.bisected.sha if lead.bisected is not None and of_commit else None,
        release=lead.release if of_release else None,
        hypothesis=chosen.id,
    )


def ask(interaction: Interaction, incident: Incident, hypothesis: str | None = None) -> None:
    found = proposal(incident, hypothesis)
    meta = {
        "commit": found.commit or "",
        "release": found.release or "",
        "hypothesis": found.hypothesis or "",
    }
    interaction.open(forms.cause(incident, text=found.text, metadata=meta))


async def cause(interaction: Interaction, incident: Incident, text: str) -> Message | None:
    if not text:
        ask(interaction, incident)
        return None
    done = f"{incident.id}: the cause is noted under your name."
    return await interaction.told(NameCause(by=interaction.user, text=text), incident.id, done)


def register(app: AsyncApp, ctx: Context) -> None:
    async def clicked(
        interaction: Interaction, incident: Incident, value: dict[str, Any]
    ) -> Message | None:
        ask(interaction, incident, str(value.get("hypothesis") or "") or None)
        return None

    async def submitted(
        interaction: Interaction, meta: dict[str, Any], entered: dict[str, str]
    ) -> View | Errors | None:
        incident = str(meta.get("incident", ""))
        action = NameCause(
            by=interaction.user,
            text=slack_text.typed(entered.get("text", "")),
            commit=str(meta.get("commit") or "") or None,
            release=str(meta.get("release") or "") or None,
        )
        answer = await interaction.dispatch(action, incident)
        if isinstance(answer, Recorded) and meta.get("hypothesis"):
            judged = JudgeHypothesis(
                by=interaction.user, id=str(meta["hypothesis"]), verdict=Verdict.SUPPORTED
            )
            await interaction.dispatch(judged, incident, part="hypothesis")
        return after(answer, "Root cause", "text")

    on_incident(app, ctx, "incident.cause", clicked)
    on_submit(app, ctx, "incident.cause", submitted)
