"""Small typed builders for Block Kit that hold Slack's limits for every input.

Message and View are the two things that people get.
Limits: https://docs.slack.dev/reference/block-kit/blocks and …/block-kit/block-elements; about
13,000 characters over all blocks of one message come back as `msg_blocks_too_long`.
Text that goes into `section`, `context` and `fields` is mrkdwn from `text.py`; everything else is
plain text and cut here.
"""

import json
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from handlers.views.text import cut, plain, size

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
METADATA = 3000
TITLE = 24
FALLBACK = 600  # our own: what a notification can show, and more
SHORTEST = 120  # a text is not shortened below this to make room


@dataclass(frozen=True, slots=True)
class Native:
    """A chart or table as Slack draws it.

    `plain`: blocks with the same numbers for workspaces that do not take it.
    """

    block: Block
    plain: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Message:
    """A message: `text` for notifications and screen readers, `blocks` for eyes."""

    text: str
    blocks: tuple[Block, ...] = ()
    """Complete, in blocks that every workspace takes."""
    rich: tuple[Block, ...] = ()
    """The same with charts and tables as Slack draws them; empty where there is none.

    Sent by `handlers/slack/rich_blocks.py`.
    """

    def payload(self) -> dict[str, Any]:
        """Return the message without charts and tables, as `chat.postMessage` takes it."""
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
    """Slack tells when it is closed (`view_closed`): for a form whose draft is kept."""

    def payload(self) -> dict[str, Any]:
        """Return the view as `views.open`, `views.update`, `views.publish` take it.

        Raises ValueError where the metadata is too big: cutting it would lose state.
        """
        metadata = _json(self.metadata, METADATA, f"private_metadata of {self.callback_id}")
        view: dict[str, Any] = {
            "type": self.kind,
            "callback_id": self.callback_id,
            "private_metadata": metadata,
        }
        view["blocks"] = list(self.blocks[:VIEW_BLOCKS])
        if self.kind == "modal":
            view["title"] = plain_text(self.title, TITLE)
            view["close"] = plain_text(self.close, TITLE)
            if self.submit is not None:
                view["submit"] = plain_text(self.submit, TITLE)
            if self.tells:
                view["notify_on_close"] = True
        return view


def message(text: str, blocks: Sequence[Block | Native | None]) -> Message:
    """Return a message within all limits.

    The longest texts are shortened first; whatever can be clicked is kept.
    """
    given = [b for b in blocks if b is not None]
    return Message(
        text=cut(text, FALLBACK) or "Firebreak",
        blocks=_fitted(_plainly(given)),
        rich=_richly(given),
    )


def _plainly(given: Sequence[Block | Native]) -> list[Block]:
    blocks: list[Block] = []
    for part in given:
        blocks.extend(part.plain if isinstance(part, Native) else (part,))
    return blocks


def _richly(given: Sequence[Block | Native]) -> tuple[Block, ...]:
    """Return the blocks with charts and tables as Slack draws them.

    Of more charts than a message may hold the rest is plain.
    """
    if not any(isinstance(part, Native) for part in given):
        return ()
    blocks: list[Block] = []
    charts = 0
    for part in given:
        if not isinstance(part, Native):
            blocks.append(deepcopy(part))
            continue
        charts += part.block["type"] == "data_visualization"
        plainly = charts > CHARTS and part.block["type"] != "data_table"
        blocks.extend(deepcopy(part.plain) if plainly else (deepcopy(part.block),))
    return _fitted(blocks)


def _fitted(blocks: list[Block]) -> tuple[Block, ...]:
    if len(blocks) > MESSAGE_BLOCKS:
        spare = len(blocks) - MESSAGE_BLOCKS + 1
        quiet = [i for i, b in enumerate(blocks) if not _clickable(b)][-spare:]
        left = [b for i, b in enumerate(blocks) if i not in set(quiet)]
        blocks = [*left[: MESSAGE_BLOCKS - 1], context(f"… and {spare} more that did not fit")]
    _fewer_rows(blocks)
    weight = _json_size(blocks)
    while weight > MESSAGE_CHARACTERS:
        longest = max(
            (t for block in blocks for t in _texts(block)),
            key=lambda t: size(t["text"]),
            default=None,
        )
        if longest is not None and size(longest["text"]) > SHORTEST:
            weight -= _json_size(longest["text"])
            longest["text"] = _shorter(longest["text"])
            weight += _json_size(longest["text"])
            continue
        droppable = [i for i, b in enumerate(blocks) if not _clickable(b)]
        if not droppable:
            break
        weight -= _json_size(blocks.pop(droppable[-1])) + 2
    return tuple(blocks)


def _shorter(text: str) -> str:
    fence = text.endswith("\n```")
    shorter = cut(text.removesuffix("\n```"), max(SHORTEST - 4, size(text) * 3 // 4 - 4))
    return shorter + "\n```" if fence else shorter


def _fewer_rows(blocks: list[Block]) -> None:
    """Shorten a long table before any sentence: its last rows are the oldest."""
    over = _json_size(blocks) - MESSAGE_CHARACTERS
    for block in blocks:
        if block["type"] != "data_table" or over <= 0:
            continue
        missing = _MISSING.search(block["caption"])
        left_out = int(missing.group(1)) if missing else 0
        room = over + len(" (1000 more not shown)")
        while room > 0 and len(block["rows"]) > 2:
            room -= _json_size(_without_markup(block["rows"].pop())) + 2
            left_out += 1
        caption = _MISSING.sub("", block["caption"])
        block["caption"] = f"{caption} ({left_out} more not shown)"
        over = _json_size(blocks) - MESSAGE_CHARACTERS


_MISSING = re.compile(r" \((\d+) more not shown\)$")


def _json_size(thing: Any) -> int:
    """Return the size as JSON, with brackets and keys; of a table's cells only the words count."""
    return size(json.dumps(_without_markup(thing), ensure_ascii=False))


def _without_markup(thing: Any) -> Any:
    if isinstance(thing, list):
        return [_without_markup(part) for part in cast("list[Any]", thing)]
    if isinstance(thing, dict):
        block = cast("dict[str, Any]", thing)
        if block.get("type") == "data_table":
            return {**block, "rows": [_without_markup(row) for row in block["rows"]]}
        return block["text"] if block.get("type") in ("raw_text", "raw_number") else block
    return thing


def _clickable(block: Block) -> bool:
    return block["type"] == "actions" or "accessory" in block


def _texts(block: Block) -> list[dict[str, Any]]:
    """Return the mrkdwn objects of a block, which may be shortened."""
    texts = [block["text"]] if block["type"] == "section" and "text" in block else []
    texts += block.get("fields", [])
    if block["type"] == "context":
        texts += block["elements"]
    return [text for text in texts if text.get("type") == "mrkdwn"]


# --- blocks --------------------------------------------------------------------------------------


def header(text: str) -> Block:
    return {"type": "header", "text": plain_text(text, HEADER_TEXT)}


def section(text: str, *, accessory: Element | None = None) -> Block:
    block: Block = {"type": "section", "text": _mrkdwn(text, SECTION_TEXT)}
    if accessory is not None:
        block["accessory"] = accessory
    return block


def facts(pairs: Sequence[tuple[str, str]]) -> Block | None:
    """Return a line for each pair, as Slack's own fields take two; empty values are left out."""
    shown = [f"*{name}*: {cut(value, FIELD_TEXT)}" for name, value in pairs if value][:FIELDS]
    return section("\n".join(shown)) if shown else None


def context(*texts: str) -> Block:
    shown = [_mrkdwn(t, FIELD_TEXT) for t in texts if t][:CONTEXT_ELEMENTS]
    return {"type": "context", "elements": shown or [_mrkdwn("—", FIELD_TEXT)]}


def divider() -> Block:
    return {"type": "divider"}


def actions(elements: Sequence[Element], *, block_id: str | None = None) -> Block | None:
    """Return the row; None where there is nothing to click, as Slack refuses an empty row."""
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
    """Return a button. `value` is JSON of at most 2,000 characters: incident, round, and more.

    Raises ValueError beyond.
    """
    element: Element = {
        "type": "button",
        "text": plain_text(text, BUTTON_TEXT),
        "action_id": action_id,
        "value": _json(value, VALUE, f"value of {action_id}"),
    }
    if style is not None:
        element["style"] = style
    if confirm is not None:
        element["confirm"] = confirm
    return element


def link_button(
    text: str, url: str, *, style: Literal["primary", "danger"] | None = None
) -> Element:
    """Return a button that leads somewhere; its click is told, too, and needs no answer."""
    element: Element = {
        "type": "button",
        "text": plain_text(text, BUTTON_TEXT),
        "action_id": "incident.go",
        "url": url[:3000],
    }
    return element if style is None else {**element, "style": style}


def confirm(title: str, text: str, yes: str, *, danger: bool = False) -> Element:
    """Return a dialog with the text of the moment in which the message was made.

    So it names from → to, and the click is checked again.
    """
    dialog: Element = {
        "title": plain_text(title, 100),
        "text": plain_text(text, 300),
        "confirm": plain_text(yes, 30),
        "deny": plain_text("Not now", 30),
    }
    if danger:
        dialog["style"] = "danger"
    return dialog


def option(text: str, value: str, description: str = "") -> Element:
    chosen: Element = {"text": plain_text(text, OPTION_TEXT), "value": value[:OPTION_VALUE]}
    if description:
        chosen["description"] = plain_text(description, OPTION_TEXT)
    return chosen


def menu_option(text: str, value: Mapping[str, Any]) -> Element:
    """Return an option of an overflow menu, which has two to five.

    https://docs.slack.dev/reference/block-kit/block-elements/overflow-menu-element
    """
    return option(text, json.dumps(dict(value), separators=(",", ":")))


def _json(value: Mapping[str, Any], limit: int, what: str) -> str:
    """Raises ValueError over `limit` characters."""
    text = json.dumps(dict(value), separators=(",", ":"), ensure_ascii=False)
    if size(text) > limit:
        raise ValueError(f"{what} is {size(text)} characters, over {limit}")
    return text


def plain_text(text: str, limit: int) -> Element:
    return {"type": "plain_text", "text": plain(text, limit) or "—", "emoji": False}


def _mrkdwn(text: str, limit: int) -> Element:
    """`verbatim`: Slack links and mentions nothing on its own, only what `text.py` wrote as a link
    or a mention.
    """
    return {"type": "mrkdwn", "text": cut(text, limit) or "—", "verbatim": True}
