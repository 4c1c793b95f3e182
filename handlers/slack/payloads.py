"""Payloads of Slack → `Interaction` and `Form`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from handlers import deliveries
from handlers.dispatcher import Delivery
from handlers.slack import slack_text
from handlers.slack.context import Context
from handlers.slack.interaction import Interaction
from handlers.views.inputs import VALUE


@dataclass(frozen=True, slots=True)
class Form:
    """A form with what stands in it."""

    title: str
    metadata: dict[str, Any]
    entered: dict[str, str]
    """Values by block id, or by action id where that is not `value`."""

    @property
    def incident(self) -> str:
        """The id of the incident that the form is about; empty for a declaration."""
        return str(self.metadata.get("incident") or "")

    def text(self, name: str) -> str:
        """Return what was typed into a field, without what a record cannot hold."""
        return slack_text.typed(self.entered.get(name, ""))

    def number(self, name: str) -> int:
        """Return a number of the metadata; 1 where there is none."""
        value = self.metadata.get(name)
        return value if isinstance(value, int) else 1


def read_form(view: Mapping[str, Any]) -> Form:
    title = str((view.get("title") or {}).get("text") or "Firebreak")
    return Form(title, json_object(view.get("private_metadata")), _entered(view))


def from_command(ctx: Context, body: Mapping[str, Any]) -> Interaction:
    """https://docs.slack.dev/interactivity/implementing-slash-commands#app_command_handling"""
    channel = str(body.get("channel_id") or "")
    return Interaction(
        ctx=ctx,
        user=str(body.get("user_id", "")),
        team=body.get("team_id") or None,
        enterprise=body.get("enterprise_id") or None,
        channel=channel,
        trigger_id=str(body.get("trigger_id", "")),
        delivery=deliveries.interaction(body),
        response_url=str(body.get("response_url") or ""),
        place=_named_channel(channel, str(body.get("channel_name") or "")),
        doing=str(body.get("command") or ""),
    )


def from_interaction(ctx: Context, body: Mapping[str, Any]) -> Interaction:
    """https://docs.slack.dev/reference/interaction-payloads

    In shared channels `user.team_id` is the person's own workspace.
    """
    channel = body.get("channel") or {}
    container = body.get("container") or {}
    view = body.get("view") or {}
    return Interaction(
        ctx=ctx,
        **_person(body),
        channel=str(channel.get("id") or container.get("channel_id") or ""),
        trigger_id=str(body.get("trigger_id") or ""),
        delivery=deliveries.interaction(body),
        response_url=str(body.get("response_url") or ""),
        view_id="" if view.get("type") == "home" else str(view.get("id") or ""),
        block_id=str(_clicked(body).get("block_id") or ""),
        value=_button_value(body),
        place=_named_channel(str(channel.get("id") or ""), str(channel.get("name") or "")),
        message=body.get("message") or {},
        view=view,
        doing=_action_id(body),
    )


def from_view(ctx: Context, body: Mapping[str, Any]) -> Interaction:
    """Return the interaction of a form that changes no incident, and so needs no claim.

    A closed form has no trigger id.
    https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload#view_closed
    """
    return Interaction(
        ctx=ctx,
        **_person(body),
        channel="",
        trigger_id="",
        delivery=Delivery(()),
        view_id=str((body.get("view") or {}).get("id") or ""),
        doing=_action_id(body),
    )


def _button_value(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value of the button or menu option that was clicked."""
    clicked = _clicked(body)
    return json_object(clicked.get("value") or (clicked.get("selected_option") or {}).get("value"))


def json_object(raw: str | None) -> dict[str, Any]:
    """Return a button's value or a form's metadata; empty where it is not ours."""
    try:
        value = json.loads(raw or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _person(body: Mapping[str, Any]) -> dict[str, Any]:
    user = body.get("user") or {}
    return {
        "user": str(user.get("id", "")),
        "team": user.get("team_id") or (body.get("team") or {}).get("id") or None,
        "enterprise": (body.get("enterprise") or {}).get("id"),
    }


def _clicked(body: Mapping[str, Any]) -> Mapping[str, Any]:
    return (body.get("actions") or [{}])[0]


def _named_channel(channel: str, name: str) -> str:
    """Payloads name no private channel and no direct message; neither do we.

    https://docs.slack.dev/interactivity/implementing-slash-commands#app_command_handling
    """
    if not channel:
        return ""
    hidden = {"privategroup": "a private channel", "directmessage": "a direct message"}
    return hidden.get(name) or (f"<#{channel}|{name}>" if name else f"<#{channel}>")


def _action_id(body: Mapping[str, Any]) -> str:
    """Return the id of what was clicked or submitted; it is ours, or nothing listens to it."""
    view = body.get("view") or {}
    id = _clicked(body).get("action_id") or body.get("callback_id") or view.get("callback_id")
    return str(id or "")[:80]


def _entered(view: Mapping[str, Any]) -> dict[str, str]:
    """Return the values as text: an option's value, values joined by a comma, a person's id, a day,
    a moment in seconds since 1970.

    https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload#view_submission
    """
    entered: dict[str, str] = {}
    for block_id, elements in ((view.get("state") or {}).get("values") or {}).items():
        for action_id, element in elements.items():
            options = element.get("selected_options") or []
            text = (
                element.get("value")
                or (element.get("selected_option") or {}).get("value")
                or ",".join(str(option.get("value", "")) for option in options)
                or element.get("selected_user")
                or element.get("selected_date")
                or element.get("selected_date_time")
            )
            entered[block_id if action_id == VALUE else action_id] = str(text or "")
    return entered
