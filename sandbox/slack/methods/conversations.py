"""`conversations.*` that make, find and change channels."""

from __future__ import annotations

from sandbox.slack.channels import Channel
from sandbox.slack.errors import SlackError
from sandbox.slack.methods.call import Call, Method
from sandbox.wire import Json

TYPE_SCOPES = {
    "public_channel": "channels:read",
    "private_channel": "groups:read",
    "mpim": "mpim:read",
    "im": "im:read",
}


def create(call: Call) -> Json:
    is_private = call.flag("is_private")
    call.needs("groups:write" if is_private else "channels:manage")
    channel = call.workspace.create_channel(call.text("name"), call.caller, is_private=is_private)
    return {"channel": channel.shape(call.caller)}


def info(call: Call) -> Json:
    channel = call.channel()
    call.needs_for(channel, "read")
    shape = channel.shape(call.caller)
    if not call.flag("include_num_members"):
        shape.pop("num_members", None)
    return {"channel": shape}


def list_all(call: Call) -> Json:
    return _listing(
        call,
        [c for c in call.workspace.channels.values() if call.workspace.may_see(c, call.caller)],
    )


def of_user(call: Call) -> Json:
    """`users.conversations`: the channels that a user, by default the bot itself, is in."""
    user = call.text("user") or call.caller
    call.workspace.user(user)
    channels = [
        c
        for c in call.workspace.channels.values()
        if user in c.members and call.workspace.may_see(c, call.caller)
    ]
    return _listing(call, channels)


def _listing(call: Call, channels: list[Channel]) -> Json:
    types = call.listed("types") or ["public_channel"]
    for kind in types:
        if kind not in TYPE_SCOPES:
            raise SlackError("invalid_types")
        call.needs(TYPE_SCOPES[kind])
    # A page may hold fewer than were asked for: rows are left out of the page, not of the list.
    # https://docs.slack.dev/reference/methods/conversations.list#arguments
    page, cursor = call.page(channels, default=100, most=1000)
    wanted = [
        channel
        for channel in page
        if (
            "im" if channel.is_im else "private_channel" if channel.is_private else "public_channel"
        )
        in types
        and not (channel.is_archived and call.flag("exclude_archived"))
    ]
    return {
        "channels": [c.shape(call.caller) for c in wanted],
        "response_metadata": {"next_cursor": cursor},
    }


def open_direct(call: Call) -> Json:
    call.needs("im:write")
    if call.text("channel"):
        channel = call.channel()
        return {"no_op": True, "already_open": True, "channel": _opened(call, channel)}
    users = call.listed("users")
    if not users:
        raise SlackError("users_list_not_supplied")
    if len(users) > 1:
        call.needs("mpim:write")
    known = any(channel.im_user == users[0] for channel in call.workspace.channels.values())
    if users[0] == call.caller:
        raise SlackError("cannot_dm_bot")
    channel = call.workspace.direct(users[0])
    return {"no_op": known, "already_open": known, "channel": _opened(call, channel)}


def _opened(call: Call, channel: Channel) -> Json:
    return channel.shape(call.caller) if call.flag("return_im") else {"id": channel.id}


def set_topic(call: Call) -> Json:
    return _describe(call, "topic")


def set_purpose(call: Call) -> Json:
    return _describe(call, "purpose")


def _describe(call: Call, what: str) -> Json:
    channel = call.channel(member=True)
    call.needs_for(channel, "manage")
    call.workspace.describe(channel, call.caller, what, call.text(what))
    return {"channel": channel.shape(call.caller)}


def archive(call: Call) -> Json:
    channel = call.channel(member=True)
    call.needs_for(channel, "manage")
    if channel.name == "general":
        raise SlackError("cant_archive_general")
    call.workspace.archive(channel, call.caller)
    return {}


METHODS: dict[str, Method] = {
    "conversations.create": create,
    "conversations.info": info,
    "conversations.list": list_all,
    "users.conversations": of_user,
    "conversations.open": open_direct,
    "conversations.setTopic": set_topic,
    "conversations.setPurpose": set_purpose,
    "conversations.archive": archive,
}
