"""The effect of an app's ack in front of the person who acted.

https://docs.slack.dev/interactivity/handling-user-interaction#acknowledgment_response and
https://docs.slack.dev/surfaces/modals#response_actions
"""

from __future__ import annotations

from sandbox.slack.block_kit.limits import check_message_blocks, check_view
from sandbox.slack.channels import Channel
from sandbox.slack.errors import SlackError
from sandbox.slack.to_app.delivery import Ack
from sandbox.slack.to_app.response_urls import answer
from sandbox.slack.workspace import Workspace
from sandbox.wire import Json

TROUBLE = "We had some trouble connecting. Try again?"


def command_acked(workspace: Workspace, user: str, channel: Channel, name: str, ack: Ack) -> None:
    """The body of a command's ack is an answer to the person; without an ack they see a failure."""
    if not ack.ok:
        error = "operation_timeout" if ack.failure == "http_timeout" else "dispatch_failed"
        workspace.toast(user, f'{name} failed with the error "{error}"')
        return
    body = {"text": ack.body} if isinstance(ack.body, str) else ack.body
    if not body or not (body.get("text") or body.get("blocks")):
        return
    try:
        check_message_blocks(body.get("blocks") or [], rich=workspace.rich_blocks)
    except SlackError:
        workspace.toast(user, f'{name} failed with the error "dispatch_unknown_error"')
        return
    answer(workspace, user, channel, body)


def interaction_acked(workspace: Workspace, user: str, ack: Ack) -> None:
    """The body of a click's or shortcut's ack means nothing; a missing ack shows as a warning."""
    if not ack.ok:
        workspace.toast(user, TROUBLE)


def submission_acked(workspace: Workspace, user: str, view_id: str, ack: Ack) -> None:
    if not ack.ok:
        workspace.toast(user, TROUBLE)
        return
    modals = workspace.modals
    view = modals.views.get(view_id)
    if view is None:
        return
    modals.errors.pop(view_id, None)
    body: Json = ack.body if isinstance(ack.body, dict) else {}
    try:
        match body.get("response_action"):
            case None | "clear":
                if modals.shown.get(user) == view_id:
                    modals.close(user)
            case "errors":
                _check_errors(view, body["errors"])
                modals.show_errors(view_id, dict(body["errors"]))
            case "update":
                check_view(body["view"], rich=workspace.rich_blocks)
                modals.update(view, body["view"])
            case other:
                raise SlackError(f"unknown response_action {other}")
    except (SlackError, KeyError):
        # Slack shows a malformed answer as it shows a missing one.
        workspace.toast(user, TROUBLE)


def _check_errors(view: Json, errors: Json) -> None:
    """Raises `SlackError` where errors do not name input blocks of the view, by block id."""
    inputs = {block["block_id"] for block in view["blocks"] if block["type"] == "input"}
    if not errors or not set(errors) <= inputs:
        raise SlackError("invalid_errors")
