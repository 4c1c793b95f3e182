"""Small typed builders for Block Kit that hold Slack's limits for every input, and the two things
people get: Message and View.

Limits: https://docs.slack.dev/reference/block-kit/blocks and …/block-kit/block-elements; about
13,000 characters over all
blocks of one message come back as `msg_blocks_too_long`. Text that goes into `section`, `context`
and `fields` is mrkdwn from `text.py`; everything else is plain text and cut here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal, cast

from handlers.views.text import clean, cut, cut_plain, plain, size

Block = dict[str, Any]
Element = dict[str, Any]

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
CHARTS = 2  # a message: https://docs.slack.dev/reference/block-kit/blocks/data-visualization-block
MESSAGE_CHARACTERS = 12_500
SECTION_TEXT = 3000
FIELD_TEXT = 2000
FIELDS = 10
CONTEXT_ELEMENTS = 10
ACTION_ELEMENTS = 25
HEADER_TEXT = 150
BUTTON_TEXT = 75
VALUE = 2000
OPTION_TEXT = 75
OPTION_VALUE = 150
OPTIONS = 100
INPUT_TEXT = 3000
METADATA = 3000
TITLE = 24
FALLBACK = 600  # our own: what a notification can show, and more
SHORTEST = 120  # a text is not shortened below this to make room


@dataclass(frozen=True, slots=True)
class Native:
    """A chart or table as Slack draws it, and the blocks with the same numbers where the workspace
    does not take it (`rich.py`).
    """

    block: Block
    plain: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Message:
    """What is posted or edited: `text` for notifications and screen readers, `blocks` for eyes."""

    text: str
    blocks: tuple[Block, ...] = ()
    """Complete, in blocks that every workspace takes."""
    rich: tuple[Block, ...] = ()
    """The same with charts and tables as Slack draws them; empty where there is none.

    Sent by `handlers/slack/rich_blocks.py`.
    """

    def payload(self) -> dict[str, Any]:
        """As `chat.postMessage`, `chat.update` and `response_url` take it, without charts and
        tables.
        """
        return {"text": self.text, "blocks": list(self.blocks)}


@dataclass(frozen=True, slots=True)
class View:
    """A modal, or the App Home (`kind="home"`)."""

    callback_id: str
    title: str
    blocks: tuple[Block, ...]
    submit: str | None = None
    close: str = "Close"
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    kind: Literal["modal", "home"] = "modal"
    tells: bool = False
    """Whether closing it is told (`view_closed`): for a form whose draft is kept."""

    def payload(self) -> dict[str, Any]:
        """As `views.open`, `views.update`, `views.publish` and `response_action` take it.

        Raises ValueError where the metadata is too big: cutting it would lose state.
        """
        kept = json.dumps(dict(self.metadata), separators=(",", ":"), ensure_ascii=False)
        if size(kept) > METADATA:
            raise ValueError(
                f"private_metadata of {self.callback_id} is {size(kept)} characters, over {METADATA}"
            )
        view: dict[str, Any] = {
            "type": self.kind,
            "callback_id": self.callback_id,
            "private_metadata": kept,
        }
        view["blocks"] = list(self.blocks[:VIEW_BLOCKS])
        if self.kind == "modal":
            view["title"] = _plain(self.title, TITLE)
            view["close"] = _plain(self.close, TITLE)
            if self.submit is not None:
                view["submit"] = _plain(self.submit, TITLE)
            if self.tells:
                view["notify_on_close"] = True
        return view


def message(text: str, blocks: Sequence[Block | Native | None]) -> Message:
    """A message within all limits: what is longest is shortened first, what can be clicked is kept."""
    given = [b for b in blocks if b is not None]
    return Message(
        text=cut(text, FALLBACK) or "Firebreak",
        blocks=_fitted(_plainly(given)),
        rich=_richly(given),
    )


def _plainly(given: Sequence[Block | Native]) -> list[Block]:
    return [block for one in given for block in (one.plain if isinstance(one, Native) else (one,))]


def _richly(given: Sequence[Block | Native]) -> tuple[Block, ...]:
    """Each chart and table as Slack draws it; of more charts than a message may hold the rest
    plainly.
    """
    if not any(isinstance(one, Native) for one in given):
        return ()
    blocks: list[Block] = []
    charts = 0
    for one in given:
        if not isinstance(one, Native):
            blocks.append(deepcopy(one))
            continue
        charts += one.block["type"] == "data_visualization"
        plainly = charts > CHARTS and one.block["type"] != "data_table"
        blocks.extend(deepcopy(one.plain) if plainly else (deepcopy(one.block),))
    return _fitted(blocks)


def _fitted(blocks: list[Block]) -> tuple[Block, ...]:
    if len(blocks) > MESSAGE_BLOCKS:
        spare = len(blocks) - MESSAGE_BLOCKS + 1
        quiet = [i for i, b in enumerate(blocks) if not _clickable(b)][-spare:]
        left = [b for i, b in enumerate(blocks) if i not in set(quiet)]
        blocks = [*left[: MESSAGE_BLOCKS - 1], context(f"… and {spare} more that did not fit")]
    _fewer_rows(blocks)
    weight = _weight(blocks)
    while weight > MESSAGE_CHARACTERS:
        longest = max(
            (t for block in blocks for t in _texts(block)),
            key=lambda t: size(t["text"]),
            default=None,
        )
        if longest is not None and size(longest["text"]) > SHORTEST:
            weight -= _weight(longest["text"])
            longest["text"] = _shorter(longest["text"])
            weight += _weight(longest["text"])
            continue
        droppable = [i for i, b in enumerate(blocks) if not _clickable(b)]
        if not droppable:
            break
        weight -= _weight(blocks.pop(droppable[-1])) + 2
    return tuple(blocks)


def _shorter(text: str) -> str:
    fence = text.endswith("\n```")
    kept = cut(text.removesuffix("\n```"), max(SHORTEST - 4, size(text) * 3 // 4 - 4))
    return kept + "\n```" if fence else kept


def _fewer_rows(blocks: list[Block]) -> None:
    """A long table is shortened before any sentence is: its last rows are the oldest."""
    over = _weight(blocks) - MESSAGE_CHARACTERS
    for block in blocks:
        if block["type"] != "data_table" or over <= 0:
            continue
        missing = _MISSING.search(block["caption"])
        left_out = int(missing.group(1)) if missing else 0
        room = over + len(" (1000 more not shown)")
        while room > 0 and len(block["rows"]) > 2:
            room -= _weight(_bare(block["rows"].pop())) + 2
            left_out += 1
        caption = _MISSING.sub("", block["caption"])
        block["caption"] = f"{caption} ({left_out} more not shown)"
        over = _weight(blocks) - MESSAGE_CHARACTERS


_MISSING = re.compile(r" \((\d+) more not shown\)$")


def _weight(thing: Any) -> int:
    """Counted generously: as JSON, with its brackets and keys; a table's cells by their words,
    which are what is counted of them.
    """
    return size(json.dumps(_bare(thing), ensure_ascii=False))


def _bare(thing: Any) -> Any:
    if isinstance(thing, list):
        return [_bare(one) for one in cast("list[Any]", thing)]
    if isinstance(thing, dict):
        block = cast("dict[str, Any]", thing)
        if block.get("type") == "data_table":
            return {**block, "rows": [_bare(row) for row in block["rows"]]}
        return block["text"] if block.get("type") in ("raw_text", "raw_number") else block
    return thing


def _clickable(block: Block) -> bool:
    return block["type"] == "actions" or "accessory" in block


def _texts(block: Block) -> list[dict[str, Any]]:
    """The mrkdwn objects of a block, which may be shortened."""
    found = [block["text"]] if block["type"] == "section" and "text" in block else []
    found += block.get("fields", [])
    if block["type"] == "context":
        found += block["elements"]
    return [t for t in found if t.get("type") == "mrkdwn"]


# --- blocks --------------------------------------------------------------------------------------


def header(text: str) -> Block:
    return {"type": "header", "text": _plain(text, HEADER_TEXT)}


def section(text: str, *, accessory: Element | None = None) -> Block:
    block: Block = {"type": "section", "text": _mrkdwn(text, SECTION_TEXT)}
    if accessory is not None:
        block["accessory"] = accessory
    return block


def facts(pairs: Sequence[tuple[str, str]]) -> Block | None:
    """One line each, as short on a phone as at a desk (Slack's own fields take two lines each
    there). Empty values are left out.
    """
    shown = [f"*{name}*: {cut(value, FIELD_TEXT)}" for name, value in pairs if value][:FIELDS]
    return section("\n".join(shown)) if shown else None


def context(*texts: str) -> Block:
    shown = [_mrkdwn(t, FIELD_TEXT) for t in texts if t][:CONTEXT_ELEMENTS]
    return {"type": "context", "elements": shown or [_mrkdwn("—", FIELD_TEXT)]}


def divider() -> Block:
    return {"type": "divider"}


def actions(elements: Sequence[Element], *, block_id: str | None = None) -> Block | None:
    """None where there is nothing to click: Slack refuses an empty row."""
    if not elements:
        return None
    block: Block = {"type": "actions", "elements": list(elements[:ACTION_ELEMENTS])}
    if block_id is not None:
        block["block_id"] = block_id[:255]
    return block


# --- elements ------------------------------------------------------------------------------------


def button(
    text: str,
    action_id: str,
    value: Mapping[str, Any],
    *,
    style: Literal["primary", "danger"] | None = None,
    confirm: Element | None = None,
) -> Element:
    """`value` is JSON of at most 2,000 characters: incident, round, and what else is meant.

    Raises ValueError beyond.
    """
    kept = json.dumps(dict(value), separators=(",", ":"), ensure_ascii=False)
    if size(kept) > VALUE:
        raise ValueError(f"value of {action_id} is {size(kept)} characters, over {VALUE}")
    element: Element = {
        "type": "button",
        "text": _plain(text, BUTTON_TEXT),
        "action_id": action_id,
        "value": kept,
    }
    if style is not None:
        element["style"] = style
    if confirm is not None:
        element["confirm"] = confirm
    return element


def link_button(
    text: str, action_id: str, url: str, *, style: Literal["primary", "danger"] | None = None
) -> Element:
    """Leads there; its click is told, too, and needs no answer."""
    element: Element = {
        "type": "button",
        "text": _plain(text, BUTTON_TEXT),
        "action_id": action_id,
        "url": url[:3000],
    }
    return element if style is None else {**element, "style": style}


def confirm(
    title: str, text: str, yes: str, *, no: str = "Not now", danger: bool = False
) -> Element:
    """Static text from when the message was made; so it names from → to, and the click is checked
    again.
    """
    dialog: Element = {
        "title": _plain(title, 100),
        "text": _plain(text, 300),
        "confirm": _plain(yes, 30),
        "deny": _plain(no, 30),
    }
    if danger:
        dialog["style"] = "danger"
    return dialog


def option(text: str, value: str, description: str = "") -> Element:
    chosen: Element = {"text": _plain(text, OPTION_TEXT), "value": value[:OPTION_VALUE]}
    if description:
        chosen["description"] = _plain(description, OPTION_TEXT)
    return chosen


def menu_option(text: str, value: Mapping[str, Any]) -> Element:
    """Of an overflow menu, which has two to five:
    https://docs.slack.dev/reference/block-kit/block-elements/overflow-menu-element
    """
    return option(text, json.dumps(dict(value), separators=(",", ":")))


def select(
    action_id: str,
    options: Sequence[Element],
    *,
    initial: Element | None = None,
    placeholder: str = "Choose one",
) -> Element:
    element: Element = {
        "type": "static_select",
        "action_id": action_id,
        "placeholder": _plain(placeholder, 150),
        "options": list(options[:OPTIONS]),
    }
    if initial is not None and initial in element["options"]:
        element["initial_option"] = initial
    return element


def radio(action_id: str, options: Sequence[Element], *, initial: Element | None = None) -> Element:
    element: Element = {
        "type": "radio_buttons",
        "action_id": action_id,
        "options": list(options[:10]),
    }
    if initial is not None and initial in element["options"]:
        element["initial_option"] = initial
    return element


def person_select(
    action_id: str, *, initial: str = "", placeholder: str = "Choose somebody"
) -> Element:
    """`initial`: a Slack user id, or nothing."""
    element: Element = {
        "type": "users_select",
        "action_id": action_id,
        "placeholder": _plain(placeholder, 150),
    }
    if initial:
        element["initial_user"] = initial
    return element


def date_picker(
    action_id: str, *, initial: date | None = None, placeholder: str = "Choose a day"
) -> Element:
    element: Element = {
        "type": "datepicker",
        "action_id": action_id,
        "placeholder": _plain(placeholder, 150),
    }
    if initial is not None:
        element["initial_date"] = initial.isoformat()
    return element


def text_input(
    action_id: str,
    *,
    initial: str = "",
    multiline: bool = False,
    placeholder: str = "",
    longest: int = INPUT_TEXT,
) -> Element:
    element: Element = {
        "type": "plain_text_input",
        "action_id": action_id,
        "multiline": multiline,
        "max_length": longest,
    }
    prefilled = cut_plain(clean(initial, lines=multiline), min(longest, INPUT_TEXT))
    if prefilled:
        element["initial_value"] = prefilled
    if placeholder:
        element["placeholder"] = _plain(placeholder, 150)
    return element


def field_input(
    block_id: str, label: str, element: Element, *, hint: str = "", optional: bool = False
) -> Block:
    block: Block = {
        "type": "input",
        "block_id": block_id,
        "label": _plain(label, 200),
        "element": element,
    }
    if hint:
        block["hint"] = _plain(hint, 500)
    if optional:
        block["optional"] = True
    return block


def _plain(text: str, limit: int) -> Element:
    return {"type": "plain_text", "text": plain(text, limit) or "—", "emoji": False}


def _mrkdwn(text: str, limit: int) -> Element:
    """`verbatim`: Slack links and mentions nothing on its own, only what `text.py` wrote as a link
    or a mention.
    """
    return {"type": "mrkdwn", "text": cut(text, limit) or "—", "verbatim": True}
