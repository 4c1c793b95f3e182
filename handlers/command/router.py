"""The slash command: what was meant by grammar.py, for which incident, and who does it. The answer rides on the ack."""

from __future__ import annotations

import re
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck

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
from handlers.slack.listening import on_click
from handlers.slack.payloads import from_command
from handlers.views import notes
from handlers.views.blocks import Message
from handlers.views.help import help_text
from handlers.views.text import cut_plain
from phases.record.incident import Incident, Severity

_CHANNEL = re.compile(
    r"(?:#|https?://[^\s/]+/(?:archives|client/\w+)/)([CG][A-Z0-9]{4,20})\b(?:/[^\s>|]*)?"
)
ANYWHERE = frozenset({"list", "help"})


async def act(interaction: Interaction, said: Subcommand) -> Message | None:
    """Does what a subcommand means; the answer is for the person who typed it."""
    if said.name == "help":
        return help_text()
    if said.name == "list":
        return await status.listing(interaction)
    if said.name == "history":
        return await history.history(interaction, said.text)
    if said.name == "trends":
        return await history.show_trends(interaction)
    if said.name == "drill":
        return await declare.declare_text(interaction, said.text, drill=True)
    found = await which(interaction, said)
    return found if isinstance(found, Message) else await _about(interaction, found, said)


async def _about(interaction: Interaction, incident: Incident, said: Subcommand) -> Message | None:
    match said.name:
        case "status":
            return await status.status(interaction, incident)
        case "timeline":
            return await status.timeline(interaction, incident)
        case "update":
            return await update.update(interaction, incident, said.text)
        case "rollback":
            return await decide.rollback(interaction, incident)
        case "hotfix":
            return await decide.hotfix(interaction, incident)
        case "investigate":
            return await decide.investigate(interaction, incident)
        case "fixed":
            return await decide.fixed(interaction, incident, said.text)
        case "recheck":
            return await recheck.recheck(interaction, incident)
        case "cause":
            return await cause.cause(interaction, incident, said.text)
        case "postmortem":
            return await postmortem.postmortem(interaction, incident)
        case "resolve":
            return await resolve.resolve(interaction, incident)
        case "cancel":
            return await cancel.cancel(interaction, incident, said.text)
        case "merge":
            return await merge_and_reopen.merge(interaction, incident, said.text)
        case "reopen":
            return await merge_and_reopen.reopen(interaction, incident)
        case "lead":
            return await lead_and_severity.lead(interaction, incident, said.person)
        case "severity":
            if said.severity is None:
                return notes.note(
                    f"How severe is {incident.id}? Say `/incident severity 1` (worst) to `4`."
                )
            return await lead_and_severity.severity(interaction, incident, said.severity)
        case name:
            return notes.note(f"`/incident {name}` is not known. `/incident help` shows what is.")


async def which(interaction: Interaction, said: Subcommand) -> Incident | Message:
    """The incident that is meant: named, of this channel, or the only open one, which the answer then names."""
    if said.incident is not None:
        return await interaction.find(said.incident) or notes.note(GONE.format(id=said.incident))
    if (here := await in_channel(interaction)) is not None:
        return here
    seen = await interaction.seen(await interaction.ctx.dispatcher.find())
    if len(seen) == 1:
        return seen[0]
    if not seen:
        return notes.note(
            f"No incident is open. With its id, `/incident {said.name} INC-0042` works for past ones, too."
        )
    return notes.which(said.name, seen, _as_value(said))


async def in_channel(interaction: Interaction, channel: str = "") -> Incident | None:
    """The incident whose own channel this is; the newest one that is open, else the newest."""
    found = await interaction.ctx.dispatcher.find(
        channel=channel or interaction.channel, open_only=False
    )
    own = await interaction.seen(
        [i for i in found if i.channel is not None and i.channel.thread_ts is None]
    )
    return next((i for i in own if i.open), own[0] if own else None)


async def named_by_channel(interaction: Interaction, text: str) -> str:
    """Return the words after a subcommand with an incident's id in the place of its channel.

    Slack tells no name of a private channel that is mentioned, and a copied link has none.
    """
    if text.partition(" ")[0].strip(MARKS + STOPS).lower() not in NAMES:
        return text
    for found in list(_CHANNEL.finditer(text))[:2]:
        if (incident := await in_channel(interaction, found.group(1))) is not None:
            text = text.replace(found.group(), incident.id)
    return text


async def heard_text(interaction: Interaction, text: str) -> Message | None:
    here = await in_channel(interaction) is not None
    names = [s.name for s in interaction.ctx.catalogue.all()]
    text = await named_by_channel(interaction, text)
    reading = parse(text, here=here, one_open=True, services=names)
    # All open ones are only looked at where it matters: whoever declares does not wait for them.
    if (
        isinstance(reading, Ambiguous)
        and not here
        and len(await interaction.seen(await interaction.ctx.dispatcher.find())) != 1
    ):
        reading = parse(text, here=here, services=names)
    match reading:
        case Declare(text=what):
            return await declare.declare_text(interaction, what)
        case Subcommand() as said:
            return await act(interaction, said)
        case Near(word=word, name=name, declare=read):
            return _either(
                f"Did you mean `/incident {name}`, or is “{word}” what is wrong?",
                Subcommand(name),
                read,
            )
        case Ambiguous(subcommand=said, declare=read):
            question = f"“{read.text}”: is that about the open incident, or a new one?"
            return _either(question, said, read)


_LABELS = {
    "cancel": "Cancel the incident",
    "fixed": "It is fixed",
    "update": "Post an update",
    "cause": "Name the cause",
}


def _either(question: str, said: Subcommand, read: Declare) -> Message:
    label = _LABELS.get(said.name, f"/incident {said.name}")
    meant = _as_value(said)
    new = {"text": cut_plain(read.text, 600)}
    return notes.either(question, (label, meant), ("Declare a new incident", new))


def _as_value(said: Subcommand) -> dict[str, str]:
    """A subcommand in a button, as `_meant` reads it."""
    value = {"name": said.name, "text": cut_plain(said.text, 600)}
    value |= {"incident": said.incident} if said.incident else {}
    value |= {"person": said.person} if said.person else {}
    return value | ({"severity": str(said.severity.value)} if said.severity else {})


def _from_value(value: dict[str, Any]) -> Subcommand:
    severity = str(value.get("severity") or "")
    return Subcommand(
        str(value.get("name", "")),
        incident=str(value.get("incident") or "") or None,
        text=str(value.get("text", "")),
        person=str(value.get("person") or "") or None,
        severity=Severity(int(severity)) if severity in ("1", "2", "3", "4") else None,
    )


async def _meant(interaction: Interaction, value: dict[str, Any]) -> Message | None:
    """The subcommand it was. What ends an incident or uses up a round is asked once more, in its form."""
    said = _from_value(value)
    if said.name not in ("cancel", "fixed"):
        return await act(interaction, said)
    found = await which(interaction, said)
    if isinstance(found, Message):
        return found
    form = cancel.ask if said.name == "cancel" else decide.ask_fixed
    return form(interaction, found, said.text)


async def _meant_new(interaction: Interaction, value: dict[str, Any]) -> Message | None:
    return await declare.declare_text(interaction, str(value.get("text", "")))


def register(app: AsyncApp, ctx: Context) -> None:
    @app.command("/incident")
    async def incident(ack: AsyncAck, body: dict[str, Any]) -> None:
        """https://docs.slack.dev/interactivity/implementing-slash-commands#responding_immediate_response"""
        interaction = from_command(ctx, body)
        refused = await interaction.stranger()
        text = slack_text.plain(str(body.get("text") or ""))
        message = notes.note(refused) if refused else await heard_text(interaction, text)
        if message is None:
            await ack()
            return
        await ack(response_type="ephemeral", **message.payload())

    on_click(app, ctx, "incident.meant", _meant, replace=True)
    on_click(app, ctx, "incident.meant_new", _meant_new, replace=True)
