"""Values of form elements, checked as a person's Slack client checks them.

State shapes: https://docs.slack.dev/reference/block-kit/block-elements and `state.values` in
https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload
"""

from __future__ import annotations

from typing import Any

from sandbox.slack.block_kit.blocks import STATEFUL, TEXT_INPUTS, elements
from sandbox.slack.errors import ClientRefused
from sandbox.slack.workspace import Workspace
from sandbox.wire import Json

Typed = dict[tuple[str, str], Json]


def initial(element: Json) -> Json:
    """Return the value of an element that nobody has touched, as in `state.values`."""
    kind = element["type"]
    if kind in TEXT_INPUTS:
        return {"type": kind, "value": element.get("initial_value")}
    if kind == "checkboxes" or kind in ("multi_static_select", "multi_external_select"):
        return {
            "type": kind,
            "selected_options": [_plain_option(o) for o in element.get("initial_options", [])],
        }
    if kind in ("radio_buttons", "static_select", "external_select"):
        option = element.get("initial_option")
        return {"type": kind, "selected_option": _plain_option(option) if option else None}
    for what in ("user", "conversation", "channel"):
        if kind == f"{what}s_select":
            return {"type": kind, f"selected_{what}": element.get(f"initial_{what}")}
        if kind == f"multi_{what}s_select":
            return {"type": kind, f"selected_{what}s": list(element.get(f"initial_{what}s", []))}
    key = {"datepicker": "date", "timepicker": "time", "datetimepicker": "date_time"}[kind]
    return {"type": kind, f"selected_{key}": element.get(f"initial_{key}")}


def chosen(workspace: Workspace, element: Json, value: Any) -> Json:
    """Return the value of `element` after a person entered `value`; None empties it.

    `value` is a text, an option's value or text, a name, or a list of these.
    Raises `ClientRefused` where the client does not let them enter it.
    """
    kind = element["type"]
    if kind in TEXT_INPUTS:
        return {"type": kind, "value": _text(element, value)}
    if kind in ("radio_buttons", "static_select"):
        return {"type": kind, "selected_option": None if value is None else _option(element, value)}
    if kind in ("checkboxes", "multi_static_select"):
        return {
            "type": kind,
            "selected_options": [_option(element, wanted) for wanted in _list(element, value)],
        }
    if kind == "external_select":
        return {"type": kind, "selected_option": value}
    if kind == "multi_external_select":
        return {"type": kind, "selected_options": _list(element, value)}
    for what in ("user", "conversation", "channel"):
        if kind == f"{what}s_select":
            return {
                "type": kind,
                f"selected_{what}": None if value is None else _reference(workspace, what, value),
            }
        if kind == f"multi_{what}s_select":
            ids = [_reference(workspace, what, name) for name in _list(element, value)]
            return {"type": kind, f"selected_{what}s": ids}
    key = {"datepicker": "date", "timepicker": "time", "datetimepicker": "date_time"}.get(kind)
    if key is None:
        raise ClientRefused(f"nothing can be entered in a {kind}")
    return {"type": kind, f"selected_{key}": value}


def is_empty(value: Json) -> bool:
    return all(content in (None, "", []) for key, content in value.items() if key != "type")


def state_values(blocks: list[Json], typed: Typed) -> dict[str, dict[str, Json]]:
    """Return `state.values`: typed values over initial ones, of every element that has a value."""
    values: dict[str, dict[str, Json]] = {}
    for block, element in elements(blocks):
        if element["type"] in STATEFUL:
            place = (block["block_id"], element["action_id"])
            values.setdefault(place[0], {})[place[1]] = typed.get(place) or initial(element)
    return values


def missing(blocks: list[Json], typed: Typed) -> list[str]:
    """Return labels of required inputs that are empty: the client does not send such a form."""
    labels: list[str] = []
    for block, element in elements(blocks):
        if block["type"] != "input" or block.get("optional"):
            continue
        if is_empty(typed.get((block["block_id"], element["action_id"])) or initial(element)):
            labels.append(block["label"]["text"])
    return labels


def options_of(element: Json) -> list[Json]:
    grouped = [option for group in element.get("option_groups", []) for option in group["options"]]
    return [*element.get("options", []), *grouped]


def _option(element: Json, wanted: str) -> Json:
    for option in options_of(element):
        if wanted in (option.get("value"), option["text"]["text"]):
            return _plain_option(option)
    offered = [option["text"]["text"] for option in options_of(element)]
    raise ClientRefused(f"{element['action_id']} has no option {wanted!r}; it offers {offered}")


def _plain_option(option: Json) -> Json:
    return {"text": option["text"], "value": option.get("value")}


def _text(element: Json, value: Any) -> str | None:
    if value is None or value == "":
        return None
    text = str(value)
    if len(text) < element.get("min_length", 0):
        raise ClientRefused(
            f"{element['action_id']} needs at least {element['min_length']} characters"
        )
    if len(text) > element.get("max_length", 3000):
        raise ClientRefused(
            f"{element['action_id']} takes at most {element.get('max_length', 3000)} characters"
        )
    if element["type"] == "number_input":
        _check_number(element, text)
    if element["type"] == "plain_text_input" and not element.get("multiline") and "\n" in text:
        raise ClientRefused(f"{element['action_id']} takes one line")
    return text


def _check_number(element: Json, text: str) -> None:
    try:
        number = float(text) if element.get("is_decimal_allowed") else int(text)
    except ValueError as error:
        raise ClientRefused(f"{element['action_id']} takes a number, not {text!r}") from error
    low, high = element.get("min_value"), element.get("max_value")
    if (low is not None and number < float(low)) or (high is not None and number > float(high)):
        raise ClientRefused(f"{element['action_id']} takes a number from {low} to {high}")


def _list(element: Json, value: Any) -> list[Any]:
    many = (
        [] if value is None else list(value) if isinstance(value, (list, tuple, set)) else [value]
    )
    if len(many) > element.get("max_selected_items", len(many)):
        raise ClientRefused(f"{element['action_id']} takes at most {element['max_selected_items']}")
    return many


def _reference(workspace: Workspace, what: str, value: str) -> str:
    """Return the id of a user or channel, given by id or name."""
    name = value.lstrip("@#")
    if what == "user":
        for user in workspace.users.values():
            if name in (user["id"], user["name"], user["real_name"]):
                return user["id"]
    else:
        for channel in workspace.channels.values():
            if name in (channel.id, channel.name):
                return channel.id
    raise ClientRefused(f"there is no {what} {value!r}")
