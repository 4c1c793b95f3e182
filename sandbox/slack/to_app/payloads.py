"""Payloads: slash commands, interactions, event callbacks.

Shapes: https://docs.slack.dev/interactivity/implementing-slash-commands,
https://docs.slack.dev/reference/interaction-payloads, https://docs.slack.dev/apis/events-api, and
the recorded ones in slackapi/bolt-python `tests/scenario_tests_async/` and
slackapi/java-slack-sdk `json-logs/samples/app-backend/`.
"""

from __future__ import annotations

import re
import secrets
from typing import Any

from sandbox.slack.channels import APP, BOT_USER, TEAM, Channel
from sandbox.slack.workspace import Workspace
from sandbox.wire import Json, copied

VERIFICATION_TOKEN = "sandbox-verification-token"


def team_of(workspace: Workspace, user: str) -> Json:
    """The team of the person who acts, also where that is another workspace (Slack Connect)."""
    team = workspace.user(user)["team_id"]
    return {"id": team, "domain": workspace.team["domain"] if team == TEAM else "other"}


def actor(workspace: Workspace, user: str) -> Json:
    shape = workspace.user(user)
    return {
        "id": user,
        "username": shape["name"],
        "name": shape["name"],
        "team_id": shape["team_id"],
    }


def channel_of(channel: Channel) -> Json:
    name = (
        "directmessage" if channel.is_im else "privategroup" if channel.is_private else channel.name
    )
    return {"id": channel.id, "name": name}


def command(
    workspace: Workspace, user: str, channel: Channel, line: str, response_url: str
) -> dict[str, str]:
    """Return the form fields of a slash command. `line` is the typed line, command first."""
    name, text, *_ = [*line.split(maxsplit=1), "", ""]
    shape = workspace.user(user)
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": shape["team_id"],
        "team_domain": team_of(workspace, user)["domain"],
        "channel_id": channel.id,
        "channel_name": channel_of(channel)["name"],
        "user_id": user,
        "user_name": shape["name"],
        "command": name,
        "text": escaped(workspace, text.strip(), with_names=True),
        "api_app_id": APP,
        "is_enterprise_install": "false",
        "response_url": response_url,
        "trigger_id": workspace.modals.trigger(user),
    }


def message_click(
    workspace: Workspace, user: str, message: Json, action: Json, state: Json, response_url: str
) -> Json:
    """https://docs.slack.dev/reference/interaction-payloads/block_actions-payload"""
    channel = workspace.channel(message["channel"])
    ephemeral = bool(message.get("is_ephemeral"))
    container = {
        "type": "message",
        "message_ts": message["ts"],
        "channel_id": channel.id,
        "is_ephemeral": ephemeral,
    }
    if "thread_ts" in message:
        container["thread_ts"] = message["thread_ts"]
    payload = _triggering(
        workspace,
        "block_actions",
        user,
        container=container,
        channel=channel_of(channel),
        state={"values": state},
        response_url=response_url,
        actions=[action],
    )
    if not ephemeral:
        # An ephemeral message is kept nowhere, so Slack cannot send it along.
        payload["message"] = _as_sent(message)
    return payload


def view_click(workspace: Workspace, user: str, view: Json, action: Json) -> Json:
    container = {"type": "view", "view_id": view["id"]}
    return _triggering(
        workspace, "block_actions", user, container=container, view=view, actions=[action]
    )


def submission(workspace: Workspace, user: str, view: Json) -> Json:
    """https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload"""
    return _triggering(workspace, "view_submission", user, view=view, response_urls=[])


def closing(workspace: Workspace, user: str, view: Json) -> Json:
    cleared = view["clear_on_close"]
    return _interaction(workspace, "view_closed", user, view=view, is_cleared=cleared)


def shortcut(workspace: Workspace, user: str, callback_id: str) -> Json:
    """https://docs.slack.dev/reference/interaction-payloads/shortcuts-interaction-payload"""
    now = workspace.timestamp()
    return _triggering(workspace, "shortcut", user, callback_id=callback_id, action_ts=now)


def message_shortcut(
    workspace: Workspace, user: str, callback_id: str, message: Json, response_url: str
) -> Json:
    return _triggering(
        workspace,
        "message_action",
        user,
        callback_id=callback_id,
        action_ts=workspace.timestamp(),
        channel=channel_of(workspace.channel(message["channel"])),
        message_ts=message["ts"],
        message=_as_sent(message),
        response_url=response_url,
    )


def _triggering(workspace: Workspace, kind: str, user: str, **more: Any) -> Json:
    """An interaction to which an app may answer with a view."""
    return _interaction(workspace, kind, user, trigger_id=workspace.modals.trigger(user), **more)


def _interaction(workspace: Workspace, kind: str, user: str, **more: Any) -> Json:
    """The part that every interaction payload has."""
    return {
        "type": kind,
        "user": actor(workspace, user),
        "api_app_id": APP,
        "token": VERIFICATION_TOKEN,
        "team": team_of(workspace, user),
        "enterprise": None,
        "is_enterprise_install": False,
        **more,
    }


def _as_sent(message: Json) -> Json:
    return {
        key: value for key, value in copied(message).items() if key not in ("channel", "metadata")
    }


def event_callback(workspace: Workspace, event: Json, event_id: str | None = None) -> Json:
    """https://docs.slack.dev/apis/events-api/#callback-field"""
    channel = workspace.channels.get(str(event.get("channel", "")))
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": TEAM,
        "context_team_id": TEAM,
        "context_enterprise_id": None,
        "api_app_id": APP,
        "event": event,
        "type": "event_callback",
        "event_id": event_id or new_event_id(),
        "event_time": int(workspace.now()),
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": TEAM,
                "user_id": BOT_USER,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": channel is not None and channel.is_ext_shared,
        "event_context": f"4-{secrets.token_urlsafe(24)}",
    }


def new_event_id() -> str:
    return f"Ev0{secrets.token_hex(5).upper()}"


_TOKENS = re.compile(
    r"(?P<url>https?://[^\s<>|]+)|(?<!\w)@(?P<user>[\w.-]+)|(?<![\w&])#(?P<channel>[\w-]+)"
)


def escaped(workspace: Workspace, typed: str, *, with_names: bool = False) -> str:
    """Return a typed text as apps get it: `&<>` escaped, mentions and links in angle brackets.

    Names stay beside ids in slash commands with `should_escape` (`<@U0ALICE|alice>`), not in
    messages. https://docs.slack.dev/messaging/formatting-message-text#escaping,
    https://docs.slack.dev/interactivity/implementing-slash-commands
    """
    text = typed.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    by_name = {user["name"].lower(): user for user in workspace.users.values()}
    by_first_name = {
        user["real_name"].split()[0].lower(): user for user in workspace.users.values()
    }
    groups = {group["handle"]: group for group in workspace.usergroups.values()}

    def rewritten(match: re.Match[str]) -> str:
        if match["url"]:
            return f"<{match['url']}>"
        if match["channel"]:
            channel = workspace.channel_named(match["channel"])
            return f"<#{channel.id}|{channel.name}>" if channel else match[0]
        name = match["user"].lower()
        if name in ("here", "channel", "everyone"):
            return f"<!{name}>"
        if group := groups.get(name):
            return (
                f"<!subteam^{group['id']}|@{group['handle']}>"
                if with_names
                else f"<!subteam^{group['id']}>"
            )
        user = by_name.get(name) or by_first_name.get(name)
        if user is None:
            return match[0]
        return f"<@{user['id']}|{user['name']}>" if with_names else f"<@{user['id']}>"

    return _TOKENS.sub(rewritten, text)
