"""Events: the changes that the app hears of, and their shapes.

https://docs.slack.dev/reference/events: `message`, `member_joined_channel`, `channel_archive`,
`channel_deleted`, `channel_rename`, their like for private channels, `app_home_opened`,
`reaction_added`, `reaction_removed`.
"""

from __future__ import annotations

from sandbox.slack.changes import Change
from sandbox.slack.channels import BOT_USER, TEAM, Channel
from sandbox.slack.workspace import Workspace
from sandbox.wire import Json, copied

BOT_EVENTS = (
    "message.channels",
    "message.groups",
    "app_home_opened",
    "member_joined_channel",
    "channel_archive",
    "channel_deleted",
    "group_archive",
    "group_deleted",
    "reaction_added",
    "reaction_removed",
)
"""The subscriptions of the app's manifest."""


def event_of(workspace: Workspace, change: Change, subscribed: set[str]) -> Json | None:
    """Return the event that `change` makes, or None.

    An app hears only of conversations that its bot is in.
    """
    if change.channel is None:
        return None
    channel = workspace.channels[change.channel]
    if BOT_USER not in channel.members:
        return None
    if change.kind in ("message", "message_changed", "message_deleted"):
        surface = {"channel": "message.channels", "group": "message.groups", "im": "message.im"}[
            channel.type
        ]
        return _message_event(workspace, channel, change) if surface in subscribed else None
    if change.kind == "reaction":
        return _reaction_event(workspace, channel, change.data, subscribed)
    if change.kind == "channel":
        return _channel_event(workspace, channel, change.data, subscribed)
    return None


def app_home_opened(workspace: Workspace, user: str) -> Json:
    event: Json = {
        "type": "app_home_opened",
        "user": user,
        "channel": workspace.direct(user).id,
        "tab": "home",
        "event_ts": workspace.timestamp(),
    }
    if view := workspace.modals.homes.get(user):
        event["view"] = copied(view)
    return event


def _message_event(workspace: Workspace, channel: Channel, change: Change) -> Json:
    place = {"channel": channel.id, "channel_type": channel.type}
    if change.kind == "message":
        event = {**_without_metadata(change.data), **place, "event_ts": change.data["ts"]}
        root = channel.message(change.data.get("thread_ts", ""))
        if change.data.get("subtype") == "thread_broadcast" and root is not None:
            # https://docs.slack.dev/reference/events/message/thread_broadcast
            event["root"] = _without_metadata(root)
        return event
    now = workspace.timestamp()
    event = {
        "type": "message",
        "subtype": change.kind,
        "hidden": True,
        "ts": now,
        "event_ts": now,
        **place,
    }
    for key, value in change.data.items():
        event[key] = _without_metadata(value) if isinstance(value, dict) else value
    return event


def _reaction_event(
    workspace: Workspace, channel: Channel, data: Json, subscribed: set[str]
) -> Json | None:
    """It has no `item_user` where a bot wrote the message.

    https://docs.slack.dev/reference/events/reaction_added
    """
    name = f"reaction_{data['what']}"
    if name not in subscribed or "reactions:read" not in workspace.scopes:
        return None
    message = data["message"]
    event: Json = {
        "type": name,
        "user": data["by"],
        "reaction": data["reaction"],
        "item": {"type": "message", "channel": channel.id, "ts": message["ts"]},
        "event_ts": workspace.timestamp(),
    }
    return event if message.get("bot_id") else {**event, "item_user": message.get("user", "")}


def _channel_event(
    workspace: Workspace, channel: Channel, data: Json, subscribed: set[str]
) -> Json | None:
    now = workspace.timestamp()
    family = "group" if channel.is_private else "channel"
    match data["what"]:
        case "member_joined":
            event: Json = {
                "type": "member_joined_channel",
                "user": data["user"],
                "channel": channel.id,
                "channel_type": "G" if channel.is_private else "C",
                "team": TEAM,
            }
            if data.get("inviter"):
                event["inviter"] = data["inviter"]
        case "archived":
            event = {"type": f"{family}_archive", "channel": channel.id, "user": data["user"]}
        case "deleted":
            # https://docs.slack.dev/tools/node-slack-sdk/reference/types/interfaces/GroupDeletedEvent
            event = {
                "type": f"{family}_deleted",
                "channel": channel.id,
                "date_deleted": int(workspace.now()),
                "actor_id": data["user"],
            }
        case "renamed":
            about = {
                "id": channel.id,
                "name": channel.name,
                "name_normalized": channel.name,
                "created": channel.created,
            }
            event = {
                "type": f"{family}_rename",
                "channel": {**about, "is_channel": not channel.is_private},
            }
        case _:
            return None
    return {**event, "event_ts": now} if event["type"] in subscribed else None


def _without_metadata(message: Json) -> Json:
    """Message events carry no metadata; those who want it ask for it in the history."""
    return {key: copied(value) for key, value in message.items() if key != "metadata"}
