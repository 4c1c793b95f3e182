"""Fields of forms, within Slack's limits.

https://docs.slack.dev/reference/block-kit/block-elements
"""

from collections.abc import Sequence
from datetime import date

from handlers.views.blocks import OPTIONS, Block, Element, plain_text
from handlers.views.text import clean, cut_plain

INPUT_TEXT = 3000
VALUE = "value"
"""The action id of most fields: what is entered there is found by its block's id."""


def select(
    options: Sequence[Element],
    *,
    action_id: str = VALUE,
    initial: Element | None = None,
    placeholder: str = "Choose one",
) -> Element:
    element: Element = {
        "type": "static_select",
        "action_id": action_id,
        "placeholder": plain_text(placeholder, 150),
        "options": list(options[:OPTIONS]),
    }
    if initial is not None and initial in element["options"]:
        element["initial_option"] = initial
    return element


def radio(options: Sequence[Element]) -> Element:
    return {"type": "radio_buttons", "action_id": VALUE, "options": list(options[:10])}


def person_select(action_id: str, placeholder: str, initial: str) -> Element:
    """`initial`: a Slack user id, or nothing."""
    element: Element = {
        "type": "users_select",
        "action_id": action_id,
        "placeholder": plain_text(placeholder, 150),
    }
    if initial:
        element["initial_user"] = initial
    return element


def date_picker(action_id: str, placeholder: str, initial: date | None) -> Element:
    element: Element = {
        "type": "datepicker",
        "action_id": action_id,
        "placeholder": plain_text(placeholder, 150),
    }
    if initial is not None:
        element["initial_date"] = initial.isoformat()
    return element


def text_input(
    *,
    initial: str = "",
    multiline: bool = False,
    placeholder: str = "",
    longest: int = INPUT_TEXT,
) -> Element:
    element: Element = {
        "type": "plain_text_input",
        "action_id": VALUE,
        "multiline": multiline,
        "max_length": longest,
    }
    prefilled = cut_plain(clean(initial, lines=multiline), min(longest, INPUT_TEXT))
    if prefilled:
        element["initial_value"] = prefilled
    if placeholder:
        element["placeholder"] = plain_text(placeholder, 150)
    return element


def field_input(
    block_id: str, label: str, element: Element, *, hint: str = "", optional: bool = False
) -> Block:
    block: Block = {
        "type": "input",
        "block_id": block_id,
        "label": plain_text(label, 200),
        "element": element,
    }
    if hint:
        block["hint"] = plain_text(hint, 500)
    if optional:
        block["optional"] = True
    return block
