"""The click on *Turn off …* of a decision; its dialog is the confirmation."""

from handlers.dispatcher import Recorded
from handlers.incident.decide import Plan, carry_out, not_allowed, open_round, own_action
from handlers.slack.interaction import Interaction, reply
from handlers.slack.listening import on_incident
from handlers.views import notes
from handlers.views.blocks import Message
from handlers.views.decision import seal
from phases.mitigation.decision import cannot_turn_off
from phases.record.findings import ChangeSeen, Release
from phases.record.incident import ActionKind, Incident

DECISION_CHANGED = "The decision changed while you looked at it. Nothing was done; look again."


@on_incident("decision.turn_off")
async def turn_off_clicked(interaction: Interaction, incident: Incident) -> Message | None:
    acted = own_action(interaction, incident, ActionKind.TURN_OFF)
    if acted is not None and acted.change is not None:
        decided = _plan(incident, interaction.round, acted.change)
        if isinstance(await carry_out(interaction, decided), Recorded):
            return None  # the same click, delivered twice
    current = open_round(interaction, incident)
    if isinstance(current, str):
        return notes.note(current)
    change = current.recommendation.change if current.recommendation is not None else None
    if change is None or interaction.block_id != seal(incident, current):
        return notes.note(DECISION_CHANGED)
    service = interaction.ctx.service(incident)
    if missing := cannot_turn_off(service, change):
        return notes.note(missing)
    plan = _plan(incident, current.number, change)
    if (refused := await not_allowed(interaction, service, "turn it off")) is not None:
        return notes.break_glass(refused.text, plan.value())
    return reply(await carry_out(interaction, plan))


def _plan(incident: Incident, number: int, change: ChangeSeen) -> Plan:
    return Plan(incident.id, number, "turn off", Release(version=""), None, change=change.name)
