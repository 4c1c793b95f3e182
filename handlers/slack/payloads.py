"""Slack's payloads, read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from handlers import deliveries
from handlers.dispatcher import Delivery
from handlers.slack.context import Context
from handlers.slack.interaction import Interaction


def from_command(ctx: Context, body: Mapping[str, Any]) -> Interaction:
    """https://docs.slack.dev/interactivity/implementing-slash-commands#app_command_handling"""
    return Interaction(
        ctx=ctx,
        user=str(body.get("user_id", "")),
        team=body.get("team_id") or None,
        enterprise=body.get("enterprise_id") or None,
        channel=str(body.get("channel_id", "")),
        trigger_id=str(body.get("trigger_id", "")),
        delivery=deliveries.interaction(body),
        response_url=str(body.get("response_url") or ""),
        place=_place(str(body.get("channel_id") or ""), str(body.get("channel_name") or "")),
        doing=str(body.get("command") or ""),
    )


def _place(channel: str, name: str) -> str:
    """Payloads name no private channel and no direct message; neither do we.

    https://docs.slack.dev/interactivity/implementing-slash-commands#app_command_handling
    """
    if not channel:
        return ""
    hidden = {"privategroup": "a private channel", "directmessage": "a direct message"}
    return hidden.get(name) or (f"<#{channel}|{name}>" if name else f"<#{channel}>")


def from_interaction(ctx: Context, body: Mapping[str, Any]) -> Interaction:
    """https://docs.slack.dev/reference/interaction-payloads: in shared channels `user.team_id` is the person's own."""
    user = body.get("user") or {}
    team = user.get("team_id") or (body.get("team") or {}).get("id")
    container = body.get("container") or {}
    actions = body.get("actions") or [{}]
    view = body.get("view") or {}
    channel = body.get("channel") or {}
    return Interaction(
        ctx=ctx,
        user=str(user.get("id", "")),
        team=team or None,
        enterprise=(body.get("enterprise") or {}).get("id"),
        channel=str(channel.get("id") or container.get("channel_id") or ""),
        trigger_id=str(body.get("trigger_id") or ""),
        delivery=deliveries.interaction(body),
        response_url=str(body.get("response_url") or ""),
        view="" if view.get("type") == "home" else str(view.get("id") or ""),
        block=str(actions[0].get("block_id") or ""),
        place=_place(str(channel.get("id") or ""), str(channel.get("name") or "")),
        more={"message": body.get("message") or {}, "view": view},
        doing=_doing(body),
    )


def _doing(body: Mapping[str, Any]) -> str:
    """The id of what was clicked or sent; it is ours, or nothing listens to it."""
    clicked = (body.get("actions") or [{}])[0].get("action_id")
    return str(
        clicked or body.get("callback_id") or (body.get("view") or {}).get("callback_id") or ""
    )[:80]


def from_closing(ctx: Context, body: Mapping[str, Any]) -> Interaction:
    """Of what changes no incident, so that it needs no claim: a closed form has no trigger id.

    https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload#view_closed
    """
    user = body.get("user") or {}
    return Interaction(
        ctx=ctx,
        user=str(user.get("id", "")),
        team=user.get("team_id") or (body.get("team") or {}).get("id") or None,
        enterprise=(body.get("enterprise") or {}).get("id"),
        channel="",
        trigger_id="",
        delivery=Delivery(()),
        view=str((body.get("view") or {}).get("id") or ""),
        doing=_doing(body),
    )


def values(raw: str | None) -> dict[str, Any]:
    """A button's value or a form's metadata; empty where it is not ours."""
    try:
        found = json.loads(raw or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def fields(view: Mapping[str, Any]) -> dict[str, str]:
    """What was entered, by block id (by action id where that is not `value`): a text, the chosen option's value, or values joined
    by a comma; a person's id; a day.

    https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload#view_submission
    """
    entered: dict[str, str] = {}
    for block, elements in ((view.get("state") or {}).get("values") or {}).items():
        for action, element in elements.items():
            chosen = element.get("selected_option") or {}
            several = element.get("selected_options") or []
            text = (
                element.get("value")
                or chosen.get("value")
                or ",".join(str(o.get("value", "")) for o in several)
            )
            text = text or element.get("selected_user") or element.get("selected_date")
            entered[block if action == "value" else action] = str(text or "")
    return entered
