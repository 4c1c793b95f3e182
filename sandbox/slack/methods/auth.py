"""`auth.test` and `apps.connections.open`."""

from __future__ import annotations

from sandbox.slack.channels import APP, BOT, BOT_USER, TEAM
from sandbox.slack.errors import SlackError
from sandbox.slack.methods.call import Call, Method
from sandbox.wire import Json


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


def apps_connections_open(call: Call) -> Json:
    """The address of the Socket Mode server, good for one connection.

    https://docs.slack.dev/reference/methods/apps.connections.open
    """
    if call.socket_url is None:
        raise SlackError("internal_error")
    return {"url": f"{call.socket_url()}&app_id={APP}"}


METHODS: dict[str, Method] = {
    "auth.test": auth_test,
    "apps.connections.open": apps_connections_open,
}
