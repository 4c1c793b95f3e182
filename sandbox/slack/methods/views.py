"""`views.*`: https://docs.slack.dev/surfaces/modals and https://docs.slack.dev/surfaces/app-home"""

from __future__ import annotations

from sandbox.slack.block_kit.limits import check_view
from sandbox.slack.errors import SlackError
from sandbox.slack.methods.call import Call, Method
from sandbox.wire import Json, copied


def open_modal(call: Call) -> Json:
    view = _view(call)
    trigger = call.workspace.modals.exchange(_trigger_id(call))
    return {"view": copied(call.workspace.modals.open(trigger.user, view))}


def update(call: Call) -> Json:
    modals = call.workspace.modals
    if not call.text("view_id") and not call.text("external_id"):
        raise SlackError("invalid_arguments")
    old = modals.find(call.text("view_id") or None, call.text("external_id") or None)
    view = _view(call, home=old["type"] == "home")
    return {"view": copied(modals.update(old, view, call.text("hash") or None))}


def publish(call: Call) -> Json:
    user = call.workspace.user(call.required("user_id"))
    view = _view(call, home=True)
    return {
        "view": copied(call.workspace.modals.publish(user["id"], view, call.text("hash") or None))
    }


def _view(call: Call, *, home: bool = False) -> Json:
    view = call.structure("view")
    check_view(view, rich=call.workspace.rich_blocks, home=home)
    return view


def _trigger_id(call: Call) -> str:
    return call.text("trigger_id") or call.required("interactivity_pointer")


METHODS: dict[str, Method] = {
    "views.open": open_modal,
    "views.update": update,
    "views.publish": publish,
}
