"""Members of channels: `conversations.join`, `.invite`, `.members`."""

from __future__ import annotations

from sandbox.slack.channels import TEAM, Channel
from sandbox.slack.errors import SlackError
from sandbox.slack.methods.call import Call, Method
from sandbox.wire import Json


def join(call: Call) -> Json:
    channel = call.channel()
    call.needs("channels:join")
    if channel.is_im or channel.is_private:
        raise SlackError("method_not_supported_for_channel_type")
    if not call.workspace.join(channel, call.caller):
        call.warnings.append("already_in_channel")
    return {"channel": channel.shape(call.caller)}


def invite(call: Call) -> Json:
    """Nobody is invited when one of several cannot be, unless `force`.

    https://docs.slack.dev/reference/methods/conversations.invite
    """
    channel = call.channel(member=True)
    call.needs_for(channel, "manage")
    users = call.listed("users")
    if not users:
        raise SlackError("no_user")
    if channel.is_archived:
        raise SlackError("is_archived")
    refused = {user: error for user in users if (error := _why_not(call, channel, user))}
    errors = [{"user": user, "ok": False, "error": error} for user, error in refused.items()]
    if errors and (len(errors) == len(users) or not call.flag("force")):
        raise SlackError(errors[0]["error"], errors=errors)
    for user in users:
        if user not in refused:
            call.workspace.join(channel, user, inviter=call.caller)
    return {"channel": channel.shape(call.caller), **({"errors": errors} if errors else {})}


def _why_not(call: Call, channel: Channel, user: str) -> str | None:
    if user == call.caller:
        return "cant_invite_self"
    if user not in call.workspace.users:
        return "user_not_found"
    if user in channel.members:
        return "already_in_channel"
    if call.workspace.user(user)["team_id"] != TEAM:
        return "cant_invite"
    return None


def members(call: Call) -> Json:
    channel = call.channel()
    call.needs_for(channel, "read")
    page, cursor = call.page(channel.members, default=100, most=1000)
    return {"members": page, "response_metadata": {"next_cursor": cursor}}


METHODS: dict[str, Method] = {
    "conversations.join": join,
    "conversations.invite": invite,
    "conversations.members": members,
}
