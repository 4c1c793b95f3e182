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


@dataclass(frozen=True, slots=True)
class Proposal:
    text: str
    commit: str | None = None
    release: str | None = None
    hypothesis: str | None = None


def proposal(incident: Incident, hypothesis: str | None = None) -> Proposal:
    """The hypothesis that was clicked; else what is named already, what the bisect found, or the likeliest."""
    alive = [h for h in incident.hypotheses if h.verdict is not Verdict.RULED_OUT]
    best = max(alive, key=lambda h: (h.verdict is Verdict.SUPPORTED, h.confidence), default=None)
    clicked = next((h for h in incident.hypotheses if h.id == hypothesis), None)
    culprit = incident.bisect.culprit if incident.bisect else None
    if clicked is None and incident.cause is not None:
        return Proposal(incident.cause.text, incident.cause.commit, incident.cause.release)
    if clicked is None and culprit is not None:
        by = f" by {culprit.author}" if culprit.author else ""
        return Proposal(
            f"{culprit.sha[:9]} “{culprit.subject}”{by}", culprit.sha, _release(incident), None
        )
    chosen = clicked or best
    return _from(incident, chosen) if chosen is not None else Proposal("")


def _from(incident: Incident, one: Hypothesis) -> Proposal:
    """What a person confirms with this hypothesis: the commit or release that it speaks of, where it speaks of one."""
    culprit = incident.bisect.culprit if incident.bisect else None
    commit = culprit.sha if culprit is not None and one.kind is HypothesisKind.COMMIT else None
    released = one.kind in (HypothesisKind.RELEASE, HypothesisKind.COMMIT)
    said = f"{one.says.rstrip('.')}. {one.found}" if one.found else one.says
    return Proposal(
        slack_text.cut(said, 2000), commit, _release(incident) if released else None, one.id
    )


def _release(incident: Incident) -> str | None:
    suspect = incident.triage.suspect if incident.triage else None
    return suspect.version if suspect else None


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
