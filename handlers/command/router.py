"""The slash command: the reading of its words, the incident that is meant, the verb.

The answer rides on the ack.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from handlers.command.grammar import (
    MARKS,
    NAMES,
    STOPS,
    Ambiguous,
    Declare,
    Near,
    Subcommand,
    parse,
)
from handlers.incident import (
    cancel,
    cause,
    decide,
    declare,
    history,
    lead_and_severity,
    merge_and_reopen,
    postmortem,
    recheck,
    resolve,
    status,
    update,
)
from handlers.slack import slack_text
from handlers.slack.context import Context
from handlers.slack.interaction import GONE, Interaction
from handlers.slack.listening import Ack, listens, on_click
from handlers.slack.payloads import from_command
from handlers.views import notes
from handlers.views.blocks import Message
from handlers.views.help import help_text
from handlers.views.text import cut_plain
from phases.record.incident import Incident, Severity

_CHANNEL = re.compile(
    r"(?:#|https?://[^\s/]+/(?:archives|client/\w+)/)([CG][A-Z0-9]{4,20})\b(?:/[^\s>|]*)?"
)
_LABELS = {
    "cancel": "Cancel the incident",
    "fixed": "It is fixed",
    "update": "Post an update",
    "cause": "Name the cause",
}
_TAKES = {
    "severity": "`/incident severity` takes 1 (worst) to 4.",
    "lead": "`/incident lead` takes a person of this workspace: `@name`.",
    "history": "`/incident history` takes a service by its name.",
}
_BARE: Mapping[str, Callable[[Interaction, Incident], Awaitable[Message | None]]] = {
    "status": status.status,
    "timeline": status.timeline,
    "rollback": decide.rollback,
    "hotfix": decide.hotfix,
    "investigate": decide.investigate,
    "recheck": recheck.recheck,
    "postmortem": postmortem.postmortem,
    "resolve": resolve.resolve,
    "reopen": merge_and_reopen.reopen,
}
_WITH_TEXT: Mapping[str, Callable[[Interaction, Incident, str], Awaitable[Message | None]]] = {
    "update": update.update,
    "fixed": decide.fixed,
    "cause": cause.cause,
    "cancel": cancel.cancel,
    "merge": merge_and_reopen.merge,
    "split": merge_and_reopen.split,
}


@listens("command", "/incident")
async def incident_command(ctx: Context, body: dict[str, Any]) -> Ack | None:
    """https://docs.slack.dev/interactivity/implementing-slash-commands"""
    interaction = from_command(ctx, body)
    text = slack_text.plain(str(body.get("text") or ""))
    refusal = await interaction.refusal()
    message = notes.note(refusal) if refusal else await _answer_words(interaction, text)
    return None if message is None else {"response_type": "ephemeral", **message.payload()}


async def _answer_words(interaction: Interaction, text: str) -> Message | None:
    """Do what the words mean, or ask what they mean."""
    here = await incident_of_channel(interaction) is not None
    every = interaction.ctx.catalogue.all()
    services = [name for service in every for name in (service.name, *service.aliases)]
    text = await _with_ids(interaction, text)
    reading = parse(text, here=here, some_open=True, services=services)
    # The open incidents are only read where it matters: whoever declares does not wait for them.
    if isinstance(reading, Ambiguous) and not here and not await interaction.open_incidents():
        reading = parse(text, here=here, services=services)
    match reading:
        case Declare(text=words):
            return await declare.declare_text(interaction, words)
        case Subcommand():
            return await _run_subcommand(interaction, reading)
        case Near(word=word, name=name):
            meant = _TAKES.get(name) if " " in word else None
            asked = meant or f"Did you mean `/incident {name}`?"
            question = f"{asked} Or is “{word}” what is wrong?"
            return _ask_which(question, Subcommand(name), reading.declare)
        case Ambiguous(subcommand=subcommand):
            text = reading.declare.text
            question = f"“{text}”: is that about the open incident, or a new one?"
            return _ask_which(question, subcommand, reading.declare)


async def _with_ids(interaction: Interaction, text: str) -> str:
    """Return the words after a subcommand with an incident's id in the place of its channel.

    Slack tells no name of a private channel that is mentioned, and a copied link has none.
    """
    if text.partition(" ")[0].strip(MARKS + STOPS).lower() not in NAMES:
        return text
    for link in list(_CHANNEL.finditer(text))[:2]:
        if (incident := await incident_of_channel(interaction, link.group(1))) is not None:
            text = text.replace(link.group(), incident.id)
    return text


async def _run_subcommand(interaction: Interaction, subcommand: Subcommand) -> Message | None:
    """Run a subcommand; the answer is for the person who typed it."""
    match subcommand.name:
        case "help":
            return help_text()
        case "list":
            return await status.listing(interaction)
        case "history":
            service = interaction.ctx.catalogue.get(subcommand.text)
            return await history.history(interaction, service.name if service else "")
        case "trends":
            return await history.show_trends(interaction)
        case "drill":
            return await declare.declare_text(interaction, subcommand.text, drill=True)
        case "merge" if not subcommand.text:
            return await merge_and_reopen.merge(
                interaction, await incident_of_channel(interaction), ""
            )
        case _:
            incident = await _incident_meant(interaction, subcommand)
    if isinstance(incident, Message):
        return incident
    return await _run_on(interaction, incident, subcommand)


async def _run_on(
    interaction: Interaction, incident: Incident, subcommand: Subcommand
) -> Message | None:
    if (bare := _BARE.get(subcommand.name)) is not None:
        return await bare(interaction, incident)
    if (with_text := _WITH_TEXT.get(subcommand.name)) is not None:
        return await with_text(interaction, incident, subcommand.text)
    match subcommand.name:
        case "lead":
            return await lead_and_severity.lead(interaction, incident, subcommand.person)
        case "severity" if subcommand.severity is not None:
            return await lead_and_severity.severity(interaction, incident, subcommand.severity)
        case "severity":
            return notes.note(
                f"How severe is {incident.id}? Say `/incident severity 1` (worst) to `4`."
            )
        case name:
            return notes.note(f"`/incident {name}` is not known. `/incident help` shows what is.")


async def _incident_meant(interaction: Interaction, subcommand: Subcommand) -> Incident | Message:
    """Return the incident that is named, that of this channel, or the only open one; else ask."""
    if (id := subcommand.incident) is not None:
        return await interaction.find(id) or notes.note(GONE.format(id=id))
    name = subcommand.name
    service = interaction.ctx.catalogue.get(subcommand.text) if name in _BARE else None
    incident = await incident_of_channel(interaction)
    if incident is not None and service in (None, interaction.ctx.service(incident)):
        return incident
    every = await interaction.open_incidents()
    if service is not None:
        every = [short_record for short_record in every if short_record.service == service.name]
        if not every:
            return notes.note(f"No incident of {service.name} is open.")
    incidents = await interaction.first_records(every, notes.LISTED)
    if len(every) == 1 and incidents:
        return incidents[0]
    if not incidents:
        return notes.note(
            "No incident is open. "
            f"With its id, `/incident {name} INC-0042` works for past ones, too."
        )
    return notes.which_incident(name, incidents, len(every), _as_value(subcommand))


async def incident_of_channel(interaction: Interaction, channel: str = "") -> Incident | None:
    """Return the incident whose own channel this is: the newest that is open, else the newest."""
    incidents = await interaction.ctx.dispatcher.find(
        channel=channel or interaction.channel, open_only=False
    )
    own = await interaction.visible(
        [incident for incident in incidents if incident.own_channel is not None]
    )
    return next((incident for incident in own if incident.open), own[0] if own else None)


# --- two readings --------------------------------------------------------------------------------


def _ask_which(question: str, subcommand: Subcommand, new: Declare) -> Message:
    takes_lead = subcommand.name == "lead" and subcommand.person is None
    typed = _LABELS.get(subcommand.name, f"/incident {subcommand.name}")
    label = "Take the lead" if takes_lead else typed
    declared = {"text": cut_plain(new.text, 600)}
    first, second = (label, _as_value(subcommand)), ("Declare a new incident", declared)
    return notes.either(question, first, second)


def _as_value(subcommand: Subcommand) -> dict[str, str]:
    """Return a subcommand as the value of a button."""
    value = {"name": subcommand.name, "text": cut_plain(subcommand.text, 600)}
    value |= {"incident": subcommand.incident} if subcommand.incident else {}
    value |= {"person": subcommand.person} if subcommand.person else {}
    return value | ({"severity": str(subcommand.severity.value)} if subcommand.severity else {})


def _clicked(interaction: Interaction) -> Subcommand:
    """Return the subcommand of a button."""
    severity = interaction.clicked("severity")
    return Subcommand(
        interaction.clicked("name"),
        incident=interaction.clicked("incident") or None,
        text=interaction.clicked("text"),
        person=interaction.clicked("person") or None,
        severity=Severity(int(severity)) if severity in ("1", "2", "3", "4") else None,
    )


@on_click("incident.meant", replace=True)
async def subcommand_chosen(interaction: Interaction) -> Message | None:
    """Run the subcommand. One that ends an incident or uses up a round opens its form first."""
    subcommand = _clicked(interaction)
    if subcommand.name not in ("cancel", "fixed"):
        return await _run_subcommand(interaction, subcommand)
    incident = await _incident_meant(interaction, subcommand)
    if isinstance(incident, Message):
        return incident
    open_form = cancel.open_form if subcommand.name == "cancel" else decide.open_fixed_form
    return open_form(interaction, incident, subcommand.text)


@on_click("incident.meant_new", replace=True)
async def declaration_chosen(interaction: Interaction) -> Message | None:
    return await declare.declare_text(interaction, interaction.clicked("text"))
