"""The hypothesis tree by hand: add one, rule one out, stop the bisect, prepare the culprit's revert. Confirming one is naming the cause."""

from __future__ import annotations

from typing import Any

from slack_bolt.app.async_app import AsyncApp

from handlers.slack import slack_text
from handlers.slack.context import Context
from handlers.slack.interaction import Interaction
from handlers.slack.listening import Errors, after, on_incident, on_submit
from handlers.views import forms
from handlers.views.blocks import Message, View
from phases.messages.commands import AddHypothesis, CancelBisect, JudgeHypothesis, PrepareRevert
from phases.record.findings import Verdict
from phases.record.incident import Incident


def register(app: AsyncApp, ctx: Context) -> None:
    async def rule_out(
        interaction: Interaction, incident: Incident, value: dict[str, Any]
    ) -> Message | None:
        judged = JudgeHypothesis(
            by=interaction.user, id=str(value.get("hypothesis", "")), verdict=Verdict.RULED_OUT
        )
        return await interaction.told(judged, incident.id)

    async def add(
        interaction: Interaction, incident: Incident, value: dict[str, Any]
    ) -> Message | None:
        del value
        interaction.open(forms.hypothesis(incident))
        return None

    async def added(
        interaction: Interaction, meta: dict[str, Any], entered: dict[str, str]
    ) -> View | Errors | None:
        action = AddHypothesis(by=interaction.user, says=slack_text.typed(entered.get("says", "")))
        return after(
            await interaction.dispatch(action, str(meta.get("incident", ""))),
            "Add a hypothesis",
            "says",
        )

    async def stop(
        interaction: Interaction, incident: Incident, value: dict[str, Any]
    ) -> Message | None:
        del value
        return await interaction.told(CancelBisect(by=interaction.user), incident.id)

    async def revert(
        interaction: Interaction, incident: Incident, value: dict[str, Any]
    ) -> Message | None:
        wanted = PrepareRevert(by=interaction.user, pull_request=str(value.get("pull_request", "")))
        return await interaction.told(
            wanted, incident.id, "The revert is on its way: its pull request is said here."
        )

    on_incident(app, ctx, "incident.revert", revert)
    on_incident(app, ctx, "incident.rule_out", rule_out)
    on_incident(app, ctx, "incident.hypothesis", add)
    on_submit(app, ctx, "incident.hypothesis", added)
    on_incident(app, ctx, "incident.bisect_cancel", stop)
