"""What an app's ack does in front of the person who acted.

https://docs.slack.dev/interactivity/handling-user-interaction#acknowledgment_response and
https://docs.slack.dev/surfaces/modals#response_actions
"""

from __future__ import annotations

from sandbox.slack.block_kit.limits import check_message_blocks, check_view
from sandbox.slack.changes import Json
from sandbox.slack.channels import Channel
from sandbox.slack.errors import SlackError
from sandbox.slack.to_app.delivery import Ack
from sandbox.slack.to_app.response_urls import answer
from sandbox.slack.workspace import Workspace

TROUBLE = "We had some trouble connecting. Try again?"


def command_acked(workspace: Workspace, user: str, channel: Channel, name: str, ack: Ack) -> None:
    """The body of a command's ack is an answer to the person; no ack is a failure that they are told."""
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
    """The body of a click's or shortcut's ack means nothing; a missing one shows as a warning sign at the button."""
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
            case None:
                modals.done(view_id)
            case "clear":
                modals.clear(user)
            case "errors":
                _check_errors(view, body["errors"])
                modals.show_errors(view_id, dict(body["errors"]))
            case "update":
                check_view(body["view"], rich=workspace.rich_blocks)
                modals.update(view, body["view"])
            case "push":
                check_view(body["view"], rich=workspace.rich_blocks)
                modals.push(user, body["view"])
            case other:
                raise SlackError(f"unknown response_action {other}")
    except (SlackError, KeyError):
        # A malformed answer is shown by Slack as if none had come.
        workspace.toast(user, TROUBLE)


def _check_errors(view: Json, errors: Json) -> None:
    """Errors may name only input blocks of the view, by block id; else Slack refuses the whole answer."""
    inputs = {block["block_id"] for block in view["blocks"] if block["type"] == "input"}
    if not errors or not set(errors) <= inputs:
        raise SlackError("invalid_errors")
