"""What Slack sends to an app: slash commands, interaction payloads, event callbacks.

Shapes: https://docs.slack.dev/interactivity/implementing-slash-commands, https://docs.slack.dev/reference/interaction-payloads,
https://docs.slack.dev/apis/events-api, and the recorded ones in slackapi/bolt-python `tests/scenario_tests_async/` and
slackapi/java-slack-sdk `json-logs/samples/app-backend/`.
"""

from __future__ import annotations

import re
import secrets
from copy import deepcopy
from typing import Any

from sandbox.slack.changes import Json
from sandbox.slack.channels import APP, BOT_USER, TEAM, Channel
from sandbox.slack.workspace import Workspace

VERIFICATION_TOKEN = "sandbox-verification-token"


def team_of(workspace: Workspace, user: str) -> Json:
    """`team` is that of the person who acts, also when they are of another workspace (Slack Connect)."""
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
    workspace: Workspace, user: str, channel: Channel, line: str, response_url: str, trigger_id: str
) -> dict[str, str]:
    """Form fields of a slash command. `line` is what was typed, command first."""
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
        "trigger_id": trigger_id,
    }


def interaction(workspace: Workspace, kind: str, user: str, **more: Any) -> Json:
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


def message_click(
    workspace: Workspace,
    user: str,
    channel: Channel,
    message: Json,
    action: Json,
    state: Json,
    response_url: str,
    trigger_id: str,
) -> Json:
    """https://docs.slack.dev/reference/interaction-payloads/block_actions-payload"""
    ephemeral = bool(message.get("is_ephemeral"))
    container = {
        "type": "message",
        "message_ts": message["ts"],
        "channel_id": channel.id,
        "is_ephemeral": ephemeral,
    }
    if "thread_ts" in message:
        container["thread_ts"] = message["thread_ts"]
    payload = interaction(
        workspace,
        "block_actions",
        user,
        container=container,
        trigger_id=trigger_id,
        channel=channel_of(channel),
        state={"values": state},
        response_url=response_url,
        actions=[action],
    )
    if not ephemeral:
        # An ephemeral message is kept nowhere, so Slack cannot send it along.
        payload["message"] = {
            k: v for k, v in deepcopy(message).items() if k not in ("channel", "metadata")
        }
    return payload


def view_click(workspace: Workspace, user: str, view: Json, action: Json, trigger_id: str) -> Json:
    return interaction(
        workspace,
        "block_actions",
        user,
        container={"type": "view", "view_id": view["id"]},
        trigger_id=trigger_id,
        view=view,
        actions=[action],
    )


def submission(workspace: Workspace, user: str, view: Json, trigger_id: str) -> Json:
    """https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload"""
    return interaction(
        workspace, "view_submission", user, trigger_id=trigger_id, view=view, response_urls=[]
    )


def closing(workspace: Workspace, user: str, view: Json, *, is_cleared: bool) -> Json:
    return interaction(workspace, "view_closed", user, view=view, is_cleared=is_cleared)


def shortcut(workspace: Workspace, user: str, callback_id: str, trigger_id: str) -> Json:
    """https://docs.slack.dev/reference/interaction-payloads/shortcuts-interaction-payload"""
    return interaction(
        workspace,
        "shortcut",
        user,
        callback_id=callback_id,
        trigger_id=trigger_id,
        action_ts=workspace.timestamp(),
    )


def message_shortcut(
    workspace: Workspace,
    user: str,
    callback_id: str,
    channel: Channel,
    message: Json,
    response_url: str,
    trigger_id: str,
) -> Json:
    return interaction(
        workspace,
        "message_action",
        user,
        callback_id=callback_id,
        trigger_id=trigger_id,
        action_ts=workspace.timestamp(),
        channel=channel_of(channel),
        message_ts=message["ts"],
        message={k: v for k, v in deepcopy(message).items() if k not in ("channel", "metadata")},
        response_url=response_url,
    )


def event_callback(workspace: Workspace, event: Json, event_id: str | None = None) -> Json:
    """https://docs.slack.dev/apis/events-api/#callback-field"""
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
        "is_ext_shared_channel": False,
        "event_context": f"4-{secrets.token_urlsafe(24)}",
    }


def new_event_id() -> str:
    return f"Ev0{secrets.token_hex(5).upper()}"


_TOKENS = re.compile(
    r"(?P<url>https?://[^\s<>|]+)|(?<!\w)@(?P<user>[\w.-]+)|(?<![\w&])#(?P<channel>[\w-]+)"
)


def escaped(workspace: Workspace, typed: str, *, with_names: bool = False) -> str:
    """What a person typed, as apps get it: `&<>` escaped; mentions, channels and links in angle brackets.

    Names stay beside ids in slash commands with `should_escape` (`<@U0ALICE|alice>`), not in messages.
    https://docs.slack.dev/messaging/formatting-message-text#escaping, https://docs.slack.dev/interactivity/implementing-slash-commands
    """
    text = typed.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    by_name = {user["name"].lower(): user for user in workspace.users.values()}
    by_first_name = {
        user["real_name"].split()[0].lower(): user for user in workspace.users.values()
    }
    groups = {group["handle"]: group for group in workspace.usergroups.values()}

    def one(match: re.Match[str]) -> str:
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

    return _TOKENS.sub(one, text)
