"""Declaring an incident: command, form, shortcuts, the button under a phrase; and what happens when one is open already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck

from handlers import deliveries
from handlers.dispatcher import Recorded, Unknown
from handlers.incident.issue_links import Adopted, adopt, service_named
from handlers.slack import message_text, slack_text
from handlers.slack.context import Context
from handlers.slack.interaction import Interaction
from handlers.slack.listening import Errors, on_click, on_submit
from handlers.slack.payloads import from_interaction
from handlers.views import forms, notes
from handlers.views.blocks import Message, View
from handlers.views.text import cut_plain
from phases.messages.actions import AddEvidence
from phases.messages.commands import Declare
from phases.record.findings import Evidence
from phases.record.incident import Incident, Source
from phases.record.service import Service
from phases.steps.change import Refused

ECHO_SECONDS = 60  # rules: same person, same text, same channel
DRILL = "This is a drill: nobody is paged, and nothing is deployed."
WAY = {
    "command": "/incident by <@{user}>",
    "form": "the form, by <@{user}>",
    "shortcut": "a shortcut by <@{user}>",
    "message": "a message in {place}, declared by <@{user}>",
    "phrase": "a phrase in {place}, declared by <@{user}>",
}


@dataclass(frozen=True, slots=True)
class Said:
    """What a person says is wrong."""

    title: str
    description: str
    service: str
    way: str = "command"
    channel: str = ""
    place: str = ""
    """The channel of the message or phrase, as it is written."""
    private: bool = False
    drill: bool = False
    else_of: str | None = None

    @classmethod
    def from_text(
        cls, text: str, service: str, way: str, channel: str, *, drill: bool = False
    ) -> Said:
        title = slack_text.title(text)
        more = (
            slack_text.cut(text, slack_text.DESCRIPTION) if " ".join(text.split()) != title else ""
        )
        return cls(
            title=title, description=more, service=service, way=way, channel=channel, drill=drill
        )


async def declare_text(
    interaction: Interaction, text: str, way: str = "command", *, drill: bool = False
) -> Message | None:
    """Words alone: declared where the service is known, else asked for in the form."""
    service, adopted = await _service(interaction.ctx, text)
    if not text.strip() or service is None:
        note = _which(interaction.ctx) if text.strip() else ""
        ask_form(
            interaction, text, way, note=f"{DRILL} {note}".strip() if drill else note, drill=drill
        )
        return None
    said = Said.from_text(text, service.name, way, interaction.channel, drill=drill)
    return await answer(interaction, said, await declare(interaction, said, adopted))


def ask_form(
    interaction: Interaction,
    text: str,
    way: str,
    *,
    note: str = "",
    channel: str = "",
    drill: bool = False,
) -> None:
    # An alert's headline names the service; what stands below it may name neighbours, too.
    service = service_named(slack_text.title(text), interaction.ctx.catalogue) or service_named(
        text, interaction.ctx.catalogue
    )
    view = forms.declare(
        interaction.ctx.catalogue.all(),
        title=slack_text.title(text),
        description=slack_text.cut(text, slack_text.DESCRIPTION)
        if len(text) > len(slack_text.title(text))
        else "",
        service=service.name if service else None,
        metadata={
            "way": way,
            "channel": channel or interaction.channel,
            "place": interaction.place,
            "drill": drill,
        },
        note=note,
    )
    interaction.open(view)


async def _service(ctx: Context, text: str) -> tuple[Service | None, Adopted | None]:
    """Return the service, and what Sentry told of the issues that the text names.

    Sentry is only asked where the words alone do not name the service.
    """
    if (service := service_named(text, ctx.catalogue)) is not None:
        return service, None
    adopted = await adopt(text, ctx.catalogue, ctx.tracker)
    return service_named(text, ctx.catalogue, adopted), adopted


def _which(ctx: Context) -> str:
    names = ", ".join(s.name for s in ctx.catalogue.all()[:20])
    return f"The words do not name one service. I know: {names}."


async def declare(
    interaction: Interaction, said: Said, adopted: Adopted | None = None
) -> Recorded | Refused | Unknown:
    """Declare the incident. `adopted`: what Sentry has told already; it is asked once a command."""
    ctx = interaction.ctx
    text = f"{said.title}\n{said.description}"
    kind = "phrase" if said.way == "phrase" else "person"
    way = said.way if said.way in WAY else "command"
    where = WAY["form" if way in ("message", "phrase") and not said.place else way]
    service = ctx.catalogue.get(said.service)
    adopted = adopted or await adopt(text, ctx.catalogue, ctx.tracker)
    description = "\n".join(
        one
        for one in (slack_text.cut(said.description, slack_text.DESCRIPTION - 200), adopted.note)
        if one
    )
    action = Declare(
        ulid=ctx.ulid(),
        title=said.title,
        description=description,
        service=service.name if service else said.service,
        environment=service.environment if service else "production",
        source=Source(kind=kind, text=where.format(user=interaction.user, place=said.place)),
        by=interaction.user,
        private=said.private,
        drill=said.drill,
        seeds=adopted.seeds,
        unseen=adopted.unseen,
        parent=adopted.parent,
        else_of=said.else_of,
        echo=deliveries.echo(interaction.user, said.channel, _heard_as(said, text))
        if said.else_of is None
        else None,
    )
    return await interaction.dispatch(action, None)


def _heard_as(said: Said, text: str) -> str:
    """The same words as a drill, or in private, are another incident."""
    return f"{'drill ' if said.drill else ''}{'private ' if said.private else ''}{text}"


async def answer(
    interaction: Interaction, said: Said, answered: Recorded | Refused | Unknown
) -> Message:
    """To the person who declared: the incident, the one that is open already, or why there is none."""
    match answered:
        case Recorded(incident=incident):
            return notes.declared(incident)
        case Refused(code="taken", owner=str(owner)) if (
            found := await interaction.ctx.dispatcher.load(owner)
        ) is not None and await interaction.sees(found):
            return _open_already(interaction, said, found, answered.claim or "")
        case Refused(text=text) | Unknown(text=text):
            return notes.note(text)


def _open_already(interaction: Interaction, said: Said, owner: Incident, claim: str) -> Message:
    age = (interaction.ctx.now() - owner.declared_at).total_seconds()
    same = (
        owner.declared_by == interaction.user and owner.title == said.title and age <= ECHO_SECONDS
    )
    if claim.startswith("echo:") or same:
        return notes.declared(owner)
    words = {
        "title": said.title,
        "more": cut_plain(said.description, 400),
        "service": said.service,
        "way": said.way,
        "channel": said.channel,
        "place": said.place,
        "private": "1" if said.private else "",
    }
    return notes.taken(said.title, owner, words)


# --- listeners -------------------------------------------------------------------------------------------------


def register(app: AsyncApp, ctx: Context) -> None:
    on_submit(app, ctx, "incident.declare", _submitted)
    on_click(app, ctx, "incident.declare", _button)
    on_click(app, ctx, "incident.go_there", _go_there, replace=True)
    on_click(app, ctx, "incident.something_else", _something_else, replace=True)

    @app.shortcut("incident.declare")
    async def shortcut(ack: AsyncAck, body: dict[str, Any]) -> None:
        """Global, or on a message: that message is what is wrong."""
        interaction = from_interaction(ctx, body)
        refused = await interaction.stranger()
        message: Mapping[str, Any] = interaction.more.get("message") or {}
        if refused and interaction.channel:
            interaction.tell(notes.note(refused))
        elif refused:
            interaction.open(forms.refused("Firebreak", refused))
        elif message:
            ask_form(interaction, message_text.message_text(message), "message")
        else:
            ask_form(interaction, "", "shortcut")
        await ack()


async def _button(interaction: Interaction, value: dict[str, Any]) -> Message | None:
    """Under a phrase, or on App Home."""
    way = "phrase" if value.get("text") else "form"
    ask_form(interaction, str(value.get("text", "")), way, channel=str(value.get("channel", "")))
    return None


async def _submitted(
    interaction: Interaction, meta: dict[str, Any], entered: dict[str, str]
) -> View | Errors | None:
    title = slack_text.title(slack_text.typed(entered.get("title", "")))
    if not title:
        return {"title": "Say in a few words what is wrong."}
    service = entered.get("service") or next((s.name for s in interaction.ctx.catalogue.all()), "")
    if interaction.ctx.catalogue.get(service) is None:
        return {"service": "This service is not in the catalogue any more. Choose another one."}
    said = Said(
        title=title,
        description=slack_text.cut(
            slack_text.typed(entered.get("description", "")), slack_text.DESCRIPTION
        ),
        service=service,
        way=str(meta.get("way") or "form"),
        channel=str(meta.get("channel") or ""),
        place=str(meta.get("place") or ""),
        private="private" in entered.get("private", ""),
        drill=bool(meta.get("drill")),
    )
    answered = await declare(interaction, said)
    if isinstance(answered, Unknown) or (
        isinstance(answered, Refused) and answered.code in ("input", "late")
    ):
        return {"title": answered.text}
    message = await answer(interaction, said, answered)
    return View("incident.declared", "Declare an incident", message.blocks)


async def _go_there(interaction: Interaction, value: dict[str, Any]) -> Message | None:
    """The same fire: what was said becomes evidence of the incident that is open."""
    owner = str(value.get("incident", ""))
    found = await interaction.find(owner)
    if found is None:
        return notes.note(f"There is no incident {owner} any more.")
    reported = str(value.get("title") or "")
    noted = False
    if reported:
        evidence = Evidence(
            at=interaction.ctx.now(), source=f"<@{interaction.user}> reports", text=reported
        )
        noted = isinstance(
            await interaction.dispatch(AddEvidence(evidence=evidence), owner), Recorded
        )
    return notes.there(found, noted=noted)


async def _something_else(interaction: Interaction, value: dict[str, Any]) -> Message | None:
    of = await interaction.find(str(value.get("of", "")))
    said = Said(
        title=str(value.get("title", "")),
        description=str(value.get("more", "")),
        service=str(value.get("service", "")),
        way=str(value.get("way") or "command"),
        channel=str(value.get("channel", "")),
        place=str(value.get("place", "")),
        private=bool(value.get("private")),
        else_of=of.id if of else None,
    )
    return await answer(interaction, said, await declare(interaction, said))
