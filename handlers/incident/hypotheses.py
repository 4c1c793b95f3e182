"""The hypothesis tree by hand: add one, rule one out, stop the bisect, prepare the culprit's revert. Confirming one is naming the cause."""

from __future__ import annotations

from typing import Any

from slack_bolt.app.async_app import AsyncApp

from handlers.slack import slack_text
from handlers.slack.context import Kit
from handlers.slack.interaction import Turn
from handlers.slack.listening import Errors, after, on_incident, on_submit
from handlers.views import forms
from handlers.views.blocks import Message, View
from phases.messages.commands import AddHypothesis, CancelBisect, JudgeHypothesis, PrepareRevert
from phases.record.findings import Verdict
from phases.record.incident import Incident


def register(app: AsyncApp, kit: Kit) -> None:
    async def rule_out(turn: Turn, incident: Incident, value: dict[str, Any]) -> Message | None:
        judged = JudgeHypothesis(by=turn.user, id=str(value.get("hypothesis", "")), verdict=Verdict.RULED_OUT)
        return await turn.told(judged, incident.id)

    async def add(turn: Turn, incident: Incident, value: dict[str, Any]) -> Message | None:
        del value
        turn.open(forms.hypothesis(incident))
        return None

    async def added(turn: Turn, meta: dict[str, Any], entered: dict[str, str]) -> View | Errors | None:
        action = AddHypothesis(by=turn.user, says=slack_text.typed(entered.get("says", "")))
        return after(await turn.say(action, str(meta.get("incident", ""))), "Add a hypothesis", "says")

    async def stop(turn: Turn, incident: Incident, value: dict[str, Any]) -> Message | None:
        del value
        return await turn.told(CancelBisect(by=turn.user), incident.id)

    async def revert(turn: Turn, incident: Incident, value: dict[str, Any]) -> Message | None:
        wanted = PrepareRevert(by=turn.user, pull_request=str(value.get("pull_request", "")))
        return await turn.told(wanted, incident.id, "The revert is on its way: its pull request is said here.")

    on_incident(app, kit, "incident.revert", revert)
    on_incident(app, kit, "incident.rule_out", rule_out)
    on_incident(app, kit, "incident.hypothesis", add)
    on_submit(app, kit, "incident.hypothesis", added)
    on_incident(app, kit, "incident.bisect_cancel", stop)
