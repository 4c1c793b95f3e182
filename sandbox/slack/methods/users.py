"""`users.*` and `usergroups.*`."""

from __future__ import annotations

from sandbox.slack.channels import TEAM
from sandbox.slack.errors import SlackError
from sandbox.slack.methods.call import Call, Method
from sandbox.wire import Json, copied


def info(call: Call) -> Json:
    call.needs("users:read")
    return {"user": copied(call.user())}


def list_all(call: Call) -> Json:
    """Members of this workspace, guests and bots among them; no strangers of shared channels."""
    call.needs("users:read")
    members = [user for user in call.workspace.users.values() if user["team_id"] == TEAM]
    page, cursor = call.page(members, default=1000, most=1000)
    return {
        "members": copied(page),
        "cache_ts": int(call.workspace.now()),
        "response_metadata": {"next_cursor": cursor},
    }


def groups(call: Call) -> Json:
    call.needs("usergroups:read")
    listed = copied(list(call.workspace.usergroups.values()))
    if not call.flag("include_users"):
        for group in listed:
            group.pop("users")
    if not call.flag("include_count"):
        for group in listed:
            group.pop("user_count")
    return {"usergroups": listed}


def group_users(call: Call) -> Json:
    call.needs("usergroups:read")
    group = call.workspace.usergroups.get(call.required("usergroup"))
    if group is None:
        raise SlackError("no_such_subteam")
    return {"users": list(group["users"])}


METHODS: dict[str, Method] = {
    "users.info": info,
    "users.list": list_all,
    "usergroups.list": groups,
    "usergroups.users.list": group_users,
}
