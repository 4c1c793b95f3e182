"""The manual form: what people report, where Sentry cannot be asked (workflow, failure conditions)."""

from __future__ import annotations

from typing import Any

from slack_bolt.app.async_app import AsyncApp

from handlers.slack import slack_text
from handlers.slack.context import Context
from handlers.slack.interaction import Interaction
from handlers.slack.listening import Errors, after, on_incident, on_submit
from handlers.views import forms
from handlers.views.blocks import Message, View
from phases.messages.commands import ManualTriage
from phases.record.findings import Word
from phases.record.incident import Incident


def register(app: AsyncApp, ctx: Context) -> None:
    async def clicked(
        interaction: Interaction, incident: Incident, value: dict[str, Any]
    ) -> Message | None:
        interaction.open(forms.triage(incident, int(value.get("round") or 1)))
        return None

    async def submitted(
        interaction: Interaction, meta: dict[str, Any], entered: dict[str, str]
    ) -> View | Errors | None:
        report = slack_text.cut(slack_text.typed(entered.get("report", "")), 1500)
        if not report:
            return {"report": "Say what people report."}
        names = [n.strip() for n in slack_text.typed(entered.get("names", "")).split(",")]
        action = ManualTriage(
            by=interaction.user,
            users=Word(entered.get("users") or Word.MANY),
            features=Word(entered.get("features") or Word.ONE),
            feature_names=tuple(slack_text.cut(n, 80) for n in names if n)[:10],
            report=report,
        )
        return after(
            await interaction.dispatch(action, str(meta.get("incident", ""))),
            "What people report",
            "report",
        )

    on_incident(app, ctx, "incident.triage", clicked)
    on_submit(app, ctx, "incident.triage", submitted)
