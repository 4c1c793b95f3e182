"""Reading Block Kit: texts, elements, and the form in which Slack stores blocks."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

from sandbox.wire import Json, copied

# Keys of words that a reader sees; `value`, `action_id`, `url` and the like are not shown.
_SHOWN = (
    "text",
    "title",
    "label",
    "hint",
    "placeholder",
    "description",
    "alt_text",
    "caption",
    "subtitle",
    "body",
)
_INSIDE = (
    *(
        "fields",
        "elements",
        "accessory",
        "element",
        "options",
        "blocks",
        "rows",
        "tasks",
        "details",
        "output",
        "columns",
        "attachments",
        "files",
    ),
    *(
        "chart",
        "series",
        "data",
        "segments",
        "axis_config",
        "categories",
        "sources",
        "submit",
        "close",
        "option_groups",
    ),
    *("initial_option", "initial_options", "confirm", "task", "cards"),
)


def plain(thing: Json) -> str:
    """Return every word that a person can read in a message, view or block, one text a line.

    The fall-back `text` of a message with blocks is included, because notifications show it.
    """
    return "\n".join(_texts(thing))


def _texts(thing: Any) -> Iterator[str]:
    if isinstance(thing, str):
        if thing:
            yield thing
    elif isinstance(thing, (int, float)) and not isinstance(thing, bool):
        yield str(thing)
    elif isinstance(thing, list):
        for part in thing:
            yield from _texts(part)
    elif isinstance(thing, dict):
        for key in _SHOWN:
            if key in thing:
                yield from _texts(thing[key])
        for key in _INSIDE:
            if isinstance(thing.get(key), (dict, list)):
                yield from _texts(thing[key])
        if thing.get("type") in ("raw_number", "raw_text") or {"label", "value"} <= thing.keys():
            yield from _texts(thing.get("value"))
        if "name" in thing and "data" in thing:
            yield from _texts(thing["name"])


def elements(blocks: list[Json]) -> Iterator[tuple[Json, Json]]:
    """(block, element) for every interactive element, in the order in which a person sees them."""
    for block in blocks:
        candidates = [*block.get("elements", []), block.get("accessory"), block.get("element")]
        for element in candidates:
            if isinstance(element, dict) and "action_id" in element:
                yield block, element


def action_ids(thing: Json) -> list[str]:
    """Return the ids of what can be pressed or chosen in a message or view."""
    return [element["action_id"] for _, element in elements(thing.get("blocks", []))]


def stored(blocks: list[Json]) -> list[Json]:
    """Return a copy as Slack stores it, with missing ids and the defaults of text objects."""
    complete = copied(blocks)
    for block in complete:
        block.setdefault("block_id", _short_id())
        _complete(block)
    return complete


def _complete(thing: Any) -> None:
    if isinstance(thing, list):
        for part in thing:
            _complete(part)
        return
    if not isinstance(thing, dict):
        return
    kind = thing.get("type")
    if kind == "plain_text":
        thing.setdefault("emoji", True)
    elif kind == "mrkdwn":
        thing.setdefault("verbatim", False)
    elif isinstance(kind, str) and kind in INTERACTIVE:
        thing.setdefault("action_id", _short_id())
    for value in thing.values():
        if isinstance(value, (dict, list)):
            _complete(value)


def _short_id() -> str:
    return secrets.token_urlsafe(4)[:5]


TEXT_INPUTS = frozenset(
    {"plain_text_input", "email_text_input", "url_text_input", "number_input", "rich_text_input"}
)
SELECTS = frozenset(
    f"{many}{kind}_select"
    for many in ("", "multi_")
    for kind in ("static", "external", "users", "conversations", "channels")
)
CHOICES = frozenset({"checkboxes", "radio_buttons"})
PICKERS = frozenset({"datepicker", "timepicker", "datetimepicker"})
STATEFUL = TEXT_INPUTS | SELECTS | CHOICES | PICKERS
"""Elements whose value is part of `state.values`."""
INTERACTIVE = STATEFUL | {
    "button",
    "overflow",
    "workflow_button",
    "feedback_buttons",
    "icon_button",
}
