"""Slack's checks of blocks and views: https://docs.slack.dev/reference/block-kit and …/views.

The words are Slack's: `must be less than 3001 characters [json-pointer:/blocks/0/text/text]`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sandbox.slack.block_kit.blocks import plain
from sandbox.slack.block_kit.checker import Checker
from sandbox.slack.block_kit.elements import check_element, check_text
from sandbox.slack.block_kit.rich_blocks import RICH_BLOCKS, check_rich_block
from sandbox.slack.errors import SlackError
from sandbox.wire import Json

MESSAGE_BLOCKS, VIEW_BLOCKS = 50, 100
ALL_BLOCKS_CHARACTERS = 13_000
"""Over all blocks of a message. Not documented: https://github.com/slackapi/bolt-js/issues/2509"""
BLOCK_OVERHEAD = 30
VIEW_BYTES = 250_000


def check_message_blocks(blocks: Any, *, rich: bool) -> None:
    """Raises `invalid_blocks` with every fault found, or `msg_blocks_too_long`."""
    if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
        raise SlackError("invalid_blocks_format")
    checker = Checker()
    _check_blocks(checker, blocks, "/blocks", MESSAGE_BLOCKS, rich)
    charts = sum(block.get("type") == "data_visualization" for block in blocks)
    if charts > 2:
        checker.fault("no more than 2 data_visualization blocks allowed", "/blocks")
    if checker.faults:
        raise refusal("invalid_blocks", checker)
    if len(plain({"blocks": blocks})) + BLOCK_OVERHEAD * len(blocks) > ALL_BLOCKS_CHARACTERS:
        raise SlackError("msg_blocks_too_long")


def check_view(view: Any, *, rich: bool, home: bool = False) -> None:
    """Raises `invalid_arguments` with every fault found, or `view_too_large`."""
    if not isinstance(view, dict):
        raise SlackError(
            "invalid_arguments", response_metadata={"messages": ["[ERROR] view must be an object"]}
        )
    checker = Checker()
    kind = view.get("type")
    if kind != ("home" if home else "modal"):
        checker.fault(f"type must be {'home' if home else 'modal'}", "/view/type")
    common = {"type", "blocks", "private_metadata", "callback_id", "external_id"}
    modal = {"title", "submit", "close", "clear_on_close", "notify_on_close", "submit_disabled"}
    checker.only(view, "/view", common if home else common | modal)
    blocks = view.get("blocks")
    if not isinstance(blocks, list):
        checker.fault("missing required field: blocks", "/view")
        blocks = []
    _check_blocks(checker, blocks, "/view/blocks", VIEW_BLOCKS, rich)
    if not home:
        check_text(checker, view.get("title"), "/view/title", 24, kinds=("plain_text",))
        for name in ("submit", "close"):
            if view.get(name) is not None:
                check_text(checker, view[name], f"/view/{name}", 24, kinds=("plain_text",))
        if view.get("submit") is None and any(
            isinstance(b, dict) and b.get("type") == "input" for b in blocks
        ):
            checker.fault("missing required field: submit", "/view")
    checker.string(view, "private_metadata", "/view", 3000, least=0)
    checker.string(view, "callback_id", "/view", 255, least=0)
    checker.string(view, "external_id", "/view", 255, least=0)
    if checker.faults:
        raise refusal("invalid_arguments", checker)
    if len(json.dumps(view)) > VIEW_BYTES:
        raise SlackError("view_too_large")


def refusal(error: str, checker: Checker) -> SlackError:
    messages = [f"[ERROR] {fault}" for fault in checker.faults]
    return SlackError(error, errors=list(checker.faults), response_metadata={"messages": messages})


def _check_blocks(checker: Checker, blocks: list[Any], at: str, most: int, rich: bool) -> None:
    if len(blocks) > most:
        checker.fault(f"no more than {most} items allowed", at)
    ids: set[str] = set()
    for index, block in enumerate(blocks):
        here = f"{at}/{index}"
        if not isinstance(block, dict):
            checker.fault("must be an object", here)
            continue
        block_id = block.get("block_id")
        if isinstance(block_id, str) and block_id:
            if block_id in ids:
                checker.fault(f"`block_id` already exists: {block_id}", f"{here}/block_id")
            ids.add(block_id)
        _check_block(checker, block, here, rich)


def _check_block(checker: Checker, block: Json, at: str, rich: bool) -> None:
    kind = block.get("type")
    checker.string(block, "block_id", at, 255, least=0)
    check = BLOCKS.get(kind) if isinstance(kind, str) else None
    if check is not None:
        check(checker, block, at)
        _check_action_ids(checker, block, at)
    elif rich and kind in RICH_BLOCKS:
        check_rich_block(checker, block, at)
    else:
        checker.fault(f"unsupported type: {kind}", f"{at}/type")


def _check_action_ids(checker: Checker, block: Json, at: str) -> None:
    elements = block.get("elements")
    ids = (
        [e["action_id"] for e in elements if isinstance(e, dict) and "action_id" in e]
        if isinstance(elements, list)
        else []
    )
    for action_id in {id for id in ids if ids.count(id) > 1}:
        checker.fault(f"`action_id` {action_id!r} already exists in this block", f"{at}/elements")


def _section(checker: Checker, block: Json, at: str) -> None:
    checker.only(block, at, {"type", "block_id", "text", "fields", "accessory", "expand"})
    if block.get("text") is None and not block.get("fields"):
        checker.fault("must define either `text` or `fields`", at)
    if block.get("text") is not None:
        check_text(checker, block["text"], f"{at}/text", 3000)
    if "fields" in block:
        for index, field in enumerate(checker.items(block, "fields", at, 10)):
            check_text(checker, field, f"{at}/fields/{index}", 2000)
    if "accessory" in block:
        check_element(checker, block["accessory"], f"{at}/accessory", "section")


def _header(checker: Checker, block: Json, at: str) -> None:
    checker.only(block, at, {"type", "block_id", "text", "level"})
    check_text(checker, block.get("text"), f"{at}/text", 150, kinds=("plain_text",))


def _context(checker: Checker, block: Json, at: str) -> None:
    checker.only(block, at, {"type", "block_id", "elements"})
    for index, element in enumerate(checker.items(block, "elements", at, 10)):
        here = f"{at}/elements/{index}"
        if isinstance(element, dict) and element.get("type") == "image":
            check_element(checker, element, here, "context")
        else:
            check_text(checker, element, here, 3000)


def _actions(checker: Checker, block: Json, at: str) -> None:
    checker.only(block, at, {"type", "block_id", "elements"})
    for index, element in enumerate(checker.items(block, "elements", at, 25)):
        check_element(checker, element, f"{at}/elements/{index}", "actions")


def _input(checker: Checker, block: Json, at: str) -> None:
    checker.only(
        block, at, {"type", "block_id", "label", "element", "dispatch_action", "hint", "optional"}
    )
    check_text(checker, block.get("label"), f"{at}/label", 2000, kinds=("plain_text",))
    if block.get("hint") is not None:
        check_text(checker, block["hint"], f"{at}/hint", 2000, kinds=("plain_text",))
    check_element(checker, block.get("element"), f"{at}/element", "input")


def _image(checker: Checker, block: Json, at: str) -> None:
    checker.only(block, at, {"type", "block_id", "image_url", "slack_file", "alt_text", "title"})
    if ("image_url" in block) == ("slack_file" in block):
        checker.fault("must define either `image_url` or `slack_file`", at)
    checker.string(block, "image_url", at, 3000)
    checker.string(block, "alt_text", at, 2000, required=True)
    if block.get("title") is not None:
        check_text(checker, block["title"], f"{at}/title", 2000, kinds=("plain_text",))


def _markdown(checker: Checker, block: Json, at: str) -> None:
    checker.only(block, at, {"type", "block_id", "text"})
    checker.string(block, "text", at, 12_000, required=True)


def _rich_text(checker: Checker, block: Json, at: str) -> None:
    checker.only(block, at, {"type", "block_id", "elements"})
    kinds = {"rich_text_section", "rich_text_list", "rich_text_preformatted", "rich_text_quote"}
    for index, element in enumerate(checker.items(block, "elements", at, 1000)):
        if not isinstance(element, dict) or element.get("type") not in kinds:
            checker.fault("failed to match all allowed schemas", f"{at}/elements/{index}")


def _table(checker: Checker, block: Json, at: str) -> None:
    checker.only(block, at, {"type", "block_id", "rows", "column_settings"})
    for index, row in enumerate(checker.items(block, "rows", at, 100)):
        if not isinstance(row, list) or not 1 <= len(row) <= 20:
            checker.fault("must be a row of 1 to 20 cells", f"{at}/rows/{index}")


def _divider(checker: Checker, block: Json, at: str) -> None:
    checker.only(block, at, {"type", "block_id"})


BLOCKS: dict[str, Callable[[Checker, Json, str], None]] = {
    "section": _section,
    "header": _header,
    "context": _context,
    "actions": _actions,
    "input": _input,
    "image": _image,
    "divider": _divider,
    "markdown": _markdown,
    "rich_text": _rich_text,
    "table": _table,
}
