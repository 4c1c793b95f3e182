"""How listeners are registered: a click, a form, and what both refuse."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck

from handlers.dispatcher import Recorded, Unknown
from handlers.slack.context import Context
from handlers.slack.interaction import GONE, Interaction, Value
from handlers.slack.payloads import fields, from_interaction, values
from handlers.views import forms, notes
from handlers.views.blocks import Message, View
from phases.record.incident import Incident
from phases.steps.change import Refused

Click = Callable[[Interaction, dict[str, Any]], Awaitable[Message | None]]
Errors = dict[str, str]
Submit = Callable[[Interaction, dict[str, Any], dict[str, str]], Awaitable[View | Errors | None]]
About = Callable[[Interaction, Incident, dict[str, Any]], Awaitable[Message | None]]


def on_click(
    app: AsyncApp, ctx: Context, action_id: str, do: Click, *, replace: bool = False
) -> None:
    """A button: `do` says it and returns what the person is told, if anything."""

    @app.action(action_id)
    async def clicked(ack: AsyncAck, body: dict[str, Any]) -> None:
        interaction = from_interaction(ctx, body)
        pressed = (body.get("actions") or [{}])[0]
        value = values(pressed.get("value") or (pressed.get("selected_option") or {}).get("value"))
        refused = await interaction.stranger()
        message = notes.note(refused) if refused else await do(interaction, value)
        if message is not None:
            interaction.tell(message, replace=replace and refused is None)
        await ack()


def on_incident(app: AsyncApp, ctx: Context, action_id: str, do: About) -> None:
    """A button that is about the incident in its value."""

    async def about(interaction: Interaction, value: dict[str, Any]) -> Message | None:
        incident = await interaction.find(str(value.get("incident", "")))
        if incident is None:
            return notes.note(GONE.format(id=value.get("incident", "of that name")))
        return await do(interaction, incident, value)

    on_click(app, ctx, action_id, about)


def on_submit(app: AsyncApp, ctx: Context, callback_id: str, do: Submit) -> None:
    """A form: `do` says it and returns errors under fields, a view in its place, or None to close it.

    https://docs.slack.dev/surfaces/modals#response_actions
    """

    @app.view(callback_id)
    async def submitted(ack: AsyncAck, body: dict[str, Any]) -> None:
        interaction = from_interaction(ctx, body)
        view = body.get("view") or {}
        title = str((view.get("title") or {}).get("text") or "Firebreak")
        meta = values(view.get("private_metadata"))
        refused = await interaction.stranger() or await unseen(interaction, meta)
        if refused:
            answer: View | Errors | None = forms.refused(title, refused)
        else:
            answer = await do(interaction, meta, fields(view))
        match answer:
            case None:
                await ack()
            case View():
                await ack(response_action="update", view=answer.payload())
            case errors:
                await ack(response_action="errors", errors=errors)


async def unseen(interaction: Interaction, meta: Value) -> str | None:
    """Who left a private incident's channel while its form was open is told what any stranger is."""
    id = str(meta.get("incident") or "")
    return GONE.format(id=id) if id and await interaction.find(id) is None else None


def after(
    answer: Recorded | Refused | Unknown, title: str, field_name: str
) -> View | Errors | None:
    """What a form becomes: closed when it is recorded, an error under its field for bad input, else the refusal."""
    match answer:
        case Recorded():
            return None
        case Refused(code="input", text=text):
            return {field_name: text[:1000]}
        case Refused(text=text) | Unknown(text=text):
            return forms.refused(title, text)
