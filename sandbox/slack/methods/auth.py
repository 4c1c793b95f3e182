"""`api.test`, `auth.test`, `team.info`, `apps.connections.open`."""

from __future__ import annotations

from sandbox.slack.changes import Json
from sandbox.slack.channels import APP, BOT, BOT_USER, TEAM
from sandbox.slack.errors import SlackError
from sandbox.slack.methods.call import Call, Method


def api_test(call: Call) -> Json:
    args = {key: value for key, value in call.args.items() if key != "token"}
    if "error" in args:
        raise SlackError(str(args["error"]), args=args)
    return {"args": args}


def auth_test(call: Call) -> Json:
    return {
        "url": call.workspace.url,
        "team": call.workspace.team["name"],
        "user": call.workspace.user(BOT_USER)["name"],
        "team_id": TEAM,
        "user_id": BOT_USER,
        "bot_id": BOT,
        "is_enterprise_install": False,
    }


def team_info(call: Call) -> Json:
    call.needs("team:read")
    return {"team": dict(call.workspace.team)}


def apps_connections_open(call: Call) -> Json:
    """The address of the Socket Mode server, good for one connection: https://docs.slack.dev/reference/methods/apps.connections.open"""
    if call.socket_url is None:
        raise SlackError("internal_error")
    return {"url": f"{call.socket_url()}&app_id={APP}"}


METHODS: dict[str, Method] = {
    "api.test": api_test,
    "auth.test": auth_test,
    "team.info": team_info,
    "apps.connections.open": apps_connections_open,
}
