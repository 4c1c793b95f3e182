"""Slack's checks of block elements and composition objects.

https://docs.slack.dev/reference/block-kit/block-elements and
https://docs.slack.dev/reference/block-kit/composition-objects
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from sandbox.slack.block_kit.blocks import CHOICES, PICKERS, SELECTS, TEXT_INPUTS
from sandbox.slack.block_kit.checker import Checker
from sandbox.wire import Json

ANY_TEXT = ("plain_text", "mrkdwn")
PLAIN = ("plain_text",)

_IN_SECTIONS = (
    SELECTS
    | CHOICES
    | {"button", "image", "overflow", "datepicker", "timepicker", "workflow_button"}
)
_IN_ACTIONS = SELECTS | CHOICES | PICKERS | {"button", "overflow", "workflow_button"}
ALLOWED = {
    "section": _IN_SECTIONS,
    "actions": _IN_ACTIONS,
    "input": TEXT_INPUTS | SELECTS | CHOICES | PICKERS,
    "context": frozenset({"image"}),
}
COMMON = {"type", "action_id"}
ASKING = COMMON | {"placeholder", "focus_on_load", "confirm"}


def check_text(
    checker: Checker, text: Any, at: str, most: int, *, kinds: tuple[str, ...] = ANY_TEXT
) -> None:
    """A text object of one of `kinds`, of 1 to `most` characters."""
    if not isinstance(text, dict):
        checker.fault("missing required text object", at)
        return
    if text.get("type") not in kinds:
        checker.fault(
            f"unsupported type: {text.get('type')} (must be {' or '.join(kinds)})", f"{at}/type"
        )
    checker.only(
        text,
        at,
        {"type", "text", "emoji"}
        if text.get("type") == "plain_text"
        else {"type", "text", "verbatim"},
    )
    checker.string(text, "text", at, most, required=True)


def check_element(checker: Checker, element: Any, at: str, block: str) -> None:
    """An element inside a block of type `block`."""
    kind = element.get("type") if isinstance(element, dict) else None
    if not isinstance(element, dict) or kind not in ALLOWED[block]:
        checker.fault(f"unsupported type: {kind}", f"{at}/type")
        return
    checker.string(element, "action_id", at, 255)
    if "placeholder" in element:
        check_text(checker, element["placeholder"], f"{at}/placeholder", 150, kinds=PLAIN)
    if "confirm" in element:
        _confirm(checker, element["confirm"], f"{at}/confirm")
    _check_for(str(kind))(checker, element, at)


def _check_for(kind: str) -> Callable[[Checker, Json, str], None]:
    if kind in TEXT_INPUTS:
        return _text_input
    if kind.removeprefix("multi_") == "static_select":
        return _static_select
    if kind in SELECTS:
        return _other_select
    if kind in PICKERS:
        return _picker
    return {"button": _button, "image": _image, "overflow": _overflow}.get(
        kind, _choices if kind in CHOICES else _anything
    )


def _button(checker: Checker, element: Json, at: str) -> None:
    checker.only(
        element, at, COMMON | {"text", "url", "value", "style", "confirm", "accessibility_label"}
    )
    check_text(checker, element.get("text"), f"{at}/text", 75, kinds=PLAIN)
    checker.string(element, "value", at, 2000, least=0)
    checker.string(element, "url", at, 3000)
    checker.string(element, "accessibility_label", at, 75)
    checker.one_of(element, "style", at, ("primary", "danger"))


def _image(checker: Checker, element: Json, at: str) -> None:
    checker.only(element, at, {"type", "image_url", "slack_file", "alt_text"})
    checker.string(element, "image_url", at, 3000)
    checker.string(element, "alt_text", at, 2000, required=True)


def _overflow(checker: Checker, element: Json, at: str) -> None:
    checker.only(element, at, COMMON | {"options", "confirm"})
    _options(checker, element, at, 5)


def _choices(checker: Checker, element: Json, at: str) -> None:
    several = element["type"] == "checkboxes"
    initial = "initial_options" if several else "initial_option"
    checker.only(element, at, COMMON | {"options", initial, "confirm", "focus_on_load"})
    _options(checker, element, at, 10, kinds=ANY_TEXT)
    _check_initial(checker, element, at, element.get("options") or [])


def _static_select(checker: Checker, element: Json, at: str) -> None:
    more = {"options", "option_groups"}
    multi = element["type"].startswith("multi_")
    more |= {"initial_options", "max_selected_items"} if multi else {"initial_option"}
    checker.only(element, at, ASKING | more)
    if ("options" in element) == ("option_groups" in element):
        checker.fault("must define either `options` or `option_groups`", at)
    offered: list[Any] = []
    if "options" in element:
        _options(checker, element, at, 100)
        offered = element["options"] if isinstance(element["options"], list) else []
    if "option_groups" in element:
        for index, group in enumerate(checker.items(element, "option_groups", at, 100)):
            here = f"{at}/option_groups/{index}"
            check_text(checker, group.get("label"), f"{here}/label", 75, kinds=PLAIN)
            _options(checker, group, here, 100)
            offered.extend(group.get("options") or [])
    _check_initial(checker, element, at, offered)


def _other_select(checker: Checker, element: Json, at: str) -> None:
    kind = element["type"]
    multi = kind.startswith("multi_")
    what = kind.removeprefix("multi_").removesuffix("s_select").removesuffix("_select")
    if what == "external":
        more = {"min_query_length", "initial_options" if multi else "initial_option"}
    else:
        more = {f"initial_{what}s" if multi else f"initial_{what}", "response_url_enabled"}
        more |= {"default_to_current_conversation", "filter"} if what == "conversation" else set()
    checker.only(element, at, ASKING | more | ({"max_selected_items"} if multi else set()))


def _picker(checker: Checker, element: Json, at: str) -> None:
    key = {"datepicker": "date", "timepicker": "time", "datetimepicker": "date_time"}[
        element["type"]
    ]
    checker.only(element, at, ASKING | {f"initial_{key}", "timezone"})
    initial = element.get(f"initial_{key}")
    pattern = {"date": r"\d{4}-\d{2}-\d{2}", "time": r"\d{2}:\d{2}", "date_time": r"\d{10}"}[key]
    if initial is not None and not re.fullmatch(pattern, str(initial)):
        checker.fault(f"must match pattern {pattern}", f"{at}/initial_{key}")


def _text_input(checker: Checker, element: Json, at: str) -> None:
    kind = element["type"]
    more = {"initial_value", "dispatch_action_config"}
    if kind == "plain_text_input":
        more |= {"multiline", "min_length", "max_length"}
    elif kind == "number_input":
        more |= {"is_decimal_allowed", "min_value", "max_value"}
        if "is_decimal_allowed" not in element:
            checker.fault("missing required field: is_decimal_allowed", at)
    checker.only(element, at, ASKING - {"confirm"} | more)
    for key, least in (("min_length", 0), ("max_length", 1)):
        if key in element and not (isinstance(element[key], int) and least <= element[key] <= 3000):
            checker.fault(f"must be from {least} to 3000", f"{at}/{key}")
    if kind != "rich_text_input":
        most = element["max_length"] if isinstance(element.get("max_length"), int) else 3000
        checker.string(element, "initial_value", at, most, least=0)


def _anything(_checker: Checker, _element: Json, _at: str) -> None:
    """Elements such as workflow buttons are not looked into: nothing here makes them."""


def _options(
    checker: Checker, owner: Json, at: str, most: int, *, kinds: tuple[str, ...] = PLAIN
) -> None:
    for index, option in enumerate(checker.items(owner, "options", at, most)):
        here = f"{at}/options/{index}"
        if not isinstance(option, dict):
            checker.fault("must be an object", here)
            continue
        checker.only(option, here, {"text", "value", "description", "url"})
        check_text(checker, option.get("text"), f"{here}/text", 75, kinds=kinds)
        checker.string(option, "value", here, 150, required=True)
        if option.get("description") is not None:
            check_text(checker, option["description"], f"{here}/description", 75, kinds=kinds)


def _check_initial(checker: Checker, element: Json, at: str, offered: list[Any]) -> None:
    """An initial option must be one of those offered, in every detail."""
    if "initial_option" in element and element["initial_option"] not in offered:
        checker.fault("initial_option must be one of the options", f"{at}/initial_option")
    if "initial_options" in element:
        for index, option in enumerate(checker.items(element, "initial_options", at, 100)):
            if option not in offered:
                checker.fault(
                    "initial_options must be some of the options", f"{at}/initial_options/{index}"
                )


def _confirm(checker: Checker, confirm: Any, at: str) -> None:
    if not isinstance(confirm, dict):
        checker.fault("must be an object", at)
        return
    checker.only(confirm, at, {"title", "text", "confirm", "deny", "style"})
    check_text(checker, confirm.get("title"), f"{at}/title", 100, kinds=PLAIN)
    check_text(checker, confirm.get("text"), f"{at}/text", 300)
    check_text(checker, confirm.get("confirm"), f"{at}/confirm", 30, kinds=PLAIN)
    check_text(checker, confirm.get("deny"), f"{at}/deny", 30, kinds=PLAIN)
    checker.one_of(confirm, "style", at, ("primary", "danger"))
