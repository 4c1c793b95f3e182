"""Declaring an incident: by command, form, shortcut, or the button under a phrase."""

from dataclasses import dataclass
from typing import Any

from handlers import deliveries
from handlers.dispatcher import Recorded, Unknown
from handlers.incident.issue_links import Adopted, adopt, service_named
from handlers.incident.prefill import linked_message, only_links, prefilled
from handlers.slack import message_text, slack_text
from handlers.slack.context import Context
from handlers.slack.interaction import Answer, Interaction
from handlers.slack.listening import Ack, Outcome, listens, on_click, on_submit
from handlers.slack.payloads import Form, from_interaction
from handlers.views import forms, notes
from handlers.views.blocks import Message, View
from handlers.views.text import cut_plain
from phases.coordination.declare import ECHO_SECONDS
from phases.messages.actions import AddEvidence
from phases.messages.commands import Declare
from phases.record.findings import Evidence
from phases.record.incident import Incident, Severity, Source
from phases.record.service import Service
from phases.shared.change import Refused
from phases.text.wording import short

DRILL = "This is a drill: nobody is paged, and nothing is deployed."
WAY = {
    "command": "/incident by <@{user}>",
    "form": "the form, by <@{user}>",
    "shortcut": "a shortcut by <@{user}>",
    "message": "a message in {place}, declared by <@{user}>",
    "phrase": "a phrase in {place}, declared by <@{user}>",
}


@dataclass(frozen=True, slots=True)
class Report:
    """A person's words about an outage."""

    title: str
    description: str
    service: str
    way: str = "command"
    channel: str = ""
    place: str = ""
    """The channel of the message or phrase, as texts name it."""
    link: str = ""
    """The address of the message or phrase; none of a private channel's."""
    private: bool = False
    drill: bool = False
    severity: Severity | None = None
    else_of: str | None = None
    """The open incident that this one is said to have nothing to do with."""

    @property
    def text(self) -> str:
        return f"{self.title}\n{self.description}"


@dataclass(frozen=True, slots=True)
class Origin:
    """The way by which words came to the form, and the phrase's channel and address."""

    way: str
    channel: str = ""
    link: str = ""


async def declare_text(
    interaction: Interaction, text: str, *, drill: bool = False
) -> Message | None:
    """Declare with words alone, where the service is known; else open the form."""
    if (words := await linked_message(interaction.ctx, text)) is not None:
        await open_form(interaction, words, Origin("message"), drill=drill)
        return None
    service, adopted = await _service(interaction.ctx, text)
    bare = only_links(text) and not (adopted and adopted.title)
    if not text.strip() or service is None or bare:
        note = _which_service(interaction.ctx) if text.strip() and service is None else ""
        await open_form(
            interaction, text, Origin("command"), note=note, drill=drill, adopted=adopted
        )
        return None
    title = adopted.title if adopted and only_links(text) else slack_text.title(text)
    report = Report(
        title=title,
        description=_description(text) if " ".join(text.split()) != title else "",
        service=service.name,
        channel=interaction.channel,
        drill=drill,
    )
    return await answer(interaction, report, await declare(interaction, report, adopted))


async def open_form(
    interaction: Interaction,
    text: str,
    origin: Origin,
    *,
    note: str = "",
    drill: bool = False,
    adopted: Adopted | None = None,
) -> None:
    """Open the form with what the text says. `adopted`: what Sentry has told already."""
    known = await prefilled(interaction.ctx, text, adopted)
    metadata = {
        "way": origin.way,
        "channel": origin.channel or interaction.channel,
        "place": interaction.place,
        "link": _link(interaction, origin),
        "drill": drill,
    }
    note = f"{DRILL} {note}".strip() if drill else note
    services = interaction.ctx.catalogue.all()
    interaction.open(forms.declare(services, known, metadata=metadata, note=note))


def _link(interaction: Interaction, origin: Origin) -> str:
    """Return the address of the message for which the shortcut was chosen, or of the phrase.

    Of a private channel not even the name is told.
    """
    if not interaction.place.startswith("<#"):
        return ""
    link = interaction.ctx.me.link(interaction.channel, interaction.message)
    return origin.link or link


def _description(text: str) -> str:
    return short(text, slack_text.DESCRIPTION)


async def _service(ctx: Context, text: str) -> tuple[Service | None, Adopted | None]:
    """Return the service, and what Sentry told of the issues that the text names.

    Sentry is only asked where the words alone do not name the service, or are a link alone.
    """
    service, link = service_named(text, ctx.catalogue), only_links(text)
    if service is not None and not link:
        return service, None
    adopted = await adopt(text, ctx.catalogue, ctx.tracker, titles=link)
    return service_named(text, ctx.catalogue, adopted), adopted


def _which_service(ctx: Context) -> str:
    names = ", ".join(service.name for service in ctx.catalogue.all()[:20])
    return f"I cannot tell which service you mean. I know: {names}."


async def declare(
    interaction: Interaction, report: Report, adopted: Adopted | None = None
) -> Answer:
    """Declare the incident. `adopted`: what Sentry has told already; it is asked once a command."""
    ctx = interaction.ctx
    service = ctx.catalogue.get(report.service)
    adopted = adopted or await adopt(report.text, ctx.catalogue, ctx.tracker)
    description = short(report.description, slack_text.DESCRIPTION - 200)
    action = Declare(
        ulid=ctx.ulid(),
        title=report.title,
        description="\n".join(part for part in (description, adopted.note) if part),
        service=service.name if service else report.service,
        environment=service.environment if service else "production",
        source=_source(interaction, report),
        by=interaction.user,
        private=report.private,
        drill=report.drill,
        severity=report.severity,
        seeds=adopted.seeds,
        unseen=adopted.unseen,
        parent=adopted.parent,
        else_of=report.else_of,
        echo=_same_words_claim(interaction, report) if report.else_of is None else None,
    )
    return await interaction.dispatch(action, None)


def _source(interaction: Interaction, report: Report) -> Source:
    way = report.way if report.way in WAY else "command"
    if way in ("message", "phrase") and not report.place:
        way = "form"
    text = WAY[way].format(user=interaction.user, place=report.place)
    kind = "phrase" if report.way == "phrase" else "person"
    return Source(kind=kind, text=text, url=report.link or None)


def _same_words_claim(interaction: Interaction, report: Report) -> str:
    """Return the claim of the same words. As a drill, or in private, they are another incident."""
    kind = f"{'drill ' if report.drill else ''}{'private ' if report.private else ''}"
    return deliveries.echo(interaction.user, report.channel, f"{kind}{report.text}")


async def answer(interaction: Interaction, report: Report, answered: Answer) -> Message:
    """Tell who declared: the incident, the one that is open already, or why there is none."""
    match answered:
        case Recorded(incident=incident):
            return notes.declared(incident)
        case Refused(code="taken", owner=str(id)) if (
            owner := await interaction.ctx.dispatcher.load(id)
        ) is not None and await interaction.may_see(owner):
            return _open_already(interaction, report, owner, answered.claim or "")
        case Refused(text=text) | Unknown(text=text):
            return notes.note(text)


def _open_already(interaction: Interaction, report: Report, owner: Incident, claim: str) -> Message:
    age = (interaction.ctx.now() - owner.declared_at).total_seconds()
    theirs = owner.declared_by == interaction.user and owner.title == report.title
    if claim.startswith("echo:") or (theirs and age <= ECHO_SECONDS):
        return notes.declared(owner)
    value = {
        "title": report.title,
        "more": cut_plain(report.description, 400),
        "service": report.service,
        "way": report.way,
        "channel": report.channel,
        "place": report.place,
        "link": report.link,
        "private": "1" if report.private else "",
    }
    here = owner.own_channel is not None and owner.own_channel.id == interaction.channel
    return notes.open_already(report.title, owner, value, here=here)


# --- listeners -----------------------------------------------------------------------------------


@listens("shortcut", "incident.declare")
async def shortcut(ctx: Context, body: dict[str, Any]) -> Ack | None:
    """Open the form: empty for the global shortcut, with the words of the message for the other."""
    interaction = from_interaction(ctx, body)
    refusal = await interaction.refusal()
    if refusal and interaction.channel:
        interaction.tell(notes.note(refusal))
    elif refusal:
        interaction.open(forms.refused("Firebreak", refusal))
    elif interaction.message:
        await open_form(
            interaction, message_text.message_text(interaction.message), Origin("message")
        )
    else:
        await open_form(interaction, "", Origin("shortcut"))
    return None


@on_click("incident.declare")
async def declare_clicked(interaction: Interaction) -> Message | None:
    """Open the form: with the words of a phrase, or from App Home."""
    text = interaction.clicked("text")
    channel, link = interaction.clicked("channel"), interaction.clicked("link")
    await open_form(interaction, text, Origin("phrase" if text else "form", channel, link))
    return None


@on_submit("incident.declare")
async def declare_submitted(interaction: Interaction, form: Form) -> Outcome:
    catalogue, metadata = interaction.ctx.catalogue, form.metadata
    title = slack_text.title(form.text("title"))
    if not title:
        return {"title": "Say in a few words what is wrong."}
    service = form.entered.get("service") or next((s.name for s in catalogue.all()), "")
    if catalogue.get(service) is None:
        return {"service": "This service is no longer in the catalogue. Choose another one."}
    report = Report(
        title=title,
        description=_description(form.text("description")),
        service=service,
        way=str(metadata.get("way") or "form"),
        channel=str(metadata.get("channel") or ""),
        place=str(metadata.get("place") or ""),
        link=str(metadata.get("link") or ""),
        private="private" in form.entered.get("private", ""),
        severity=_severity(form.entered.get("severity", "")),
        drill=bool(metadata.get("drill")),
    )
    answered = await declare(interaction, report)
    if isinstance(answered, Unknown):
        return {"title": answered.text}
    if isinstance(answered, Refused) and answered.code in ("input", "late"):
        return {"title": answered.text}
    message = await answer(interaction, report, answered)
    return View("incident.declared", "Declare an incident", message.blocks)


def _severity(entered: str) -> Severity | None:
    return Severity(int(entered)) if entered in {str(level.value) for level in Severity} else None


@on_click("incident.go_there", replace=True)
async def same_incident_clicked(interaction: Interaction) -> Message | None:
    """Add the words as evidence to the incident that is open."""
    id = interaction.clicked("incident")
    incident = await interaction.find(id)
    if incident is None:
        return notes.note(f"There is no incident {id} any more.")
    text = interaction.clicked("title")
    noted = False
    if text:
        source = f"<@{interaction.user}> reports"
        link = interaction.clicked("link") or None
        evidence = Evidence(at=interaction.ctx.now(), source=source, text=text, url=link)
        action = AddEvidence(evidence=evidence, key=f"{source}: {text}")  # not by its link
        noted = isinstance(await interaction.dispatch(action, id), Recorded)
    return notes.goes_on_there(incident, noted=noted)


@on_click("incident.something_else", replace=True)
async def something_else_clicked(interaction: Interaction) -> Message | None:
    other, clicked = await interaction.find(interaction.clicked("of")), interaction.clicked
    report = Report(
        title=clicked("title"),
        description=clicked("more"),
        service=clicked("service"),
        way=clicked("way") or "command",
        channel=clicked("channel"),
        place=clicked("place"),
        link=clicked("link"),
        private=bool(clicked("private")),
        else_of=other.id if other else None,
    )
    return await answer(interaction, report, await declare(interaction, report))
