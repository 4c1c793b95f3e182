"""The table of listeners: plain functions, each decorated with the id that it listens to.

Bolt asks its listeners in turn, about 10 µs each, and we have some sixty: here each is found by its
id.
"""

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeVar

from slack_bolt.context.ack.async_ack import AsyncAck

from handlers import deliveries
from handlers.dispatcher import DELIVERY_SECONDS, Recorded, Unknown
from handlers.slack.bolt import App, BoundListener
from handlers.slack.context import Context
from handlers.slack.interaction import GONE, Answer, Interaction
from handlers.slack.payloads import Form, from_interaction, read_form
from handlers.views import forms, notes
from handlers.views.blocks import Message, View
from phases.record.incident import Incident
from phases.shared.change import Refused

log = logging.getLogger(__name__)

Kind = Literal["command", "click", "form", "closed form", "shortcut", "event"]
Ack = dict[str, Any]
Run = Callable[[Context, dict[str, Any]], Awaitable[Ack | None]]
"""Called with the payload; returns the arguments of the ack."""
R = TypeVar("R", bound=Run)

Errors = dict[str, str]
"""Sentences by field name."""
Outcome = Answer | View | Errors | None
Click = Callable[[Interaction], Awaitable[Message | None]]
IncidentClick = Callable[[Interaction, Incident], Awaitable[Message | None]]
Submit = Callable[[Interaction, Form], Awaitable[Outcome]]
AnyClick = TypeVar("AnyClick", bound=IncidentClick)

ANY_ID = re.compile("")
NUMBER = "0123456789"
EDITS = ("message_changed", "message_deleted")
"""Subtypes of messages that have a listener of their own."""
UNKNOWN_BUTTON = "That button no longer exists. Nothing was done."


@dataclass(frozen=True, slots=True)
class Listener:
    kind: Kind
    id: str
    """An id that ends in a dot stands for every number behind it."""
    run: Run


LISTENERS: list[Listener] = []


def listens(kind: Kind, *ids: str) -> Callable[[R], R]:
    """Add a function of context and payload. Raises ValueError where an id is taken."""

    def add(run: R) -> R:
        for id in ids:
            if any((listener.kind, listener.id) == (kind, id) for listener in LISTENERS):
                raise ValueError(f"two listen to the {kind} {id}")
            LISTENERS.append(Listener(kind, id, run))
        return run

    return add


def on_click(*action_ids: str, replace: bool = False) -> Callable[[Click], Click]:
    """Add the function of a button. It returns what the person is told, if anything.

    `replace`: the answer takes the place of the message with the button.
    """

    def add(click: Click) -> Click:
        async def run(ctx: Context, body: dict[str, Any]) -> None:
            interaction = from_interaction(ctx, body)
            refusal = await interaction.refusal()
            if refusal is not None:
                interaction.tell(notes.note(refusal))
            elif (message := await click(interaction)) is not None:
                interaction.tell(message, replace=replace)

        listens("click", *action_ids)(run)
        return click

    return add


def on_incident(*action_ids: str) -> Callable[[AnyClick], AnyClick]:
    """Add the function of a button that is about the incident in its value.

    It may be that of a subcommand: both are given a person and an incident.
    """

    def add(click: AnyClick) -> AnyClick:
        async def about(interaction: Interaction) -> Message | None:
            id = interaction.clicked("incident")
            incident = await interaction.find(id)
            if incident is None:
                return notes.note(GONE.format(id=id or "of that name"))
            return await click(interaction, incident)

        on_click(*action_ids)(about)
        return click

    return add


def on_submit(callback_id: str, field: str = "") -> Callable[[Submit], Submit]:
    """Add the function of a form. A refusal of what was entered is shown under `field`.

    It returns the dispatcher's answer, errors under fields, a view in the form's place, or None to
    close it.
    https://docs.slack.dev/surfaces/modals#response_actions
    """

    def add(submit: Submit) -> Submit:
        async def run(ctx: Context, body: dict[str, Any]) -> Ack | None:
            interaction, form = from_interaction(ctx, body), read_form(body.get("view") or {})
            refusal = await interaction.refusal() or await gone(interaction, form)
            if refusal is not None:
                return _replaced_by(forms.refused(form.title, refusal))
            match await submit(interaction, form):
                case None | Recorded():
                    return None
                case View() as view:
                    return _replaced_by(view)
                case Refused(code="input", text=text):
                    return {"response_action": "errors", "errors": {field: text[:1000]}}
                case Refused(text=text) | Unknown(text=text):
                    return _replaced_by(forms.refused(form.title, text))
                case errors:
                    return {"response_action": "errors", "errors": errors}

        listens("form", callback_id)(run)
        return submit

    return add


async def gone(interaction: Interaction, form: Form) -> str | None:
    """Refuse whoever left the channel of a private incident while its form was open."""
    lost = form.incident and await interaction.find(form.incident) is None
    return GONE.format(id=form.incident) if lost else None


async def first_delivery(ctx: Context, body: dict[str, Any]) -> bool:
    """Return whether this is the first delivery of an event that changes no incident."""
    for claim in deliveries.event(body):
        if not await ctx.once.first(claim, DELIVERY_SECONDS):
            return False
    return True


def _replaced_by(view: View) -> Ack:
    return {"response_action": "update", "view": view.payload()}


INTERACTIONS: Mapping[str, Kind] = {
    # https://docs.slack.dev/reference/interaction-payloads
    "block_actions": "click",
    "view_submission": "form",
    "view_closed": "closed form",
    "shortcut": "shortcut",
    "message_action": "shortcut",
}


def bind(app: App, ctx: Context) -> None:
    """Have the app find our listeners: events by one of Bolt's, all else directly."""
    table = {(listener.kind, listener.id): listener.run for listener in LISTENERS}

    def listening(kind: Kind, id: str) -> Run:
        return table.get((kind, id)) or table.get((kind, id.rstrip(NUMBER)), _answer_unknown_action)

    def find(body: dict[str, Any]) -> BoundListener | None:
        try:
            kind, id = _kind_and_id(body)
        except (KeyError, IndexError, TypeError):
            return None  # no shape that Slack sends
        return partial(listening(kind, id), ctx, body)

    async def event(ack: AsyncAck, body: dict[str, Any]) -> None:
        await ack(**(await listening("event", _event_id(body))(ctx, body) or {}))

    app.find = find
    app.event(ANY_ID)(event)


def _kind_and_id(body: Mapping[str, Any]) -> tuple[Kind, str]:
    """Raises where the payload is an event, or nothing of ours."""
    if "command" in body:
        return "command", str(body["command"])
    kind = INTERACTIONS[body["type"]]
    if kind == "click":
        return kind, str(body["actions"][0]["action_id"])
    return kind, str(body["callback_id"] if kind == "shortcut" else body["view"]["callback_id"])


def _event_id(body: dict[str, Any]) -> str:
    """`message`, or `message.message_changed`."""
    event = body["event"]
    subtype = event.get("subtype")
    return f"message.{subtype}" if subtype in EDITS else str(event["type"])


async def _answer_unknown_action(ctx: Context, body: dict[str, Any]) -> None:
    """Answer a button of an older version. The click on a link needs no answer."""
    clicked = (body.get("actions") or [{}])[0]
    if clicked.get("type") == "button" and not clicked.get("url"):
        from_interaction(ctx, body).tell(notes.note(UNKNOWN_BUTTON))
    elif not clicked:
        log.info("nothing listens to a %s from Slack", body.get("type") or "request")
