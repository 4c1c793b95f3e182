"""Every limit of Block Kit, just kept and just broken."""

from __future__ import annotations

import json
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError

from sandbox.slack.block_kit.limits import check_message_blocks, check_view
from sandbox.slack.errors import SlackError
from tests.support.worlds.slack_world import slack_world

Json = dict[str, Any]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str) -> Json:
    return {"type": "mrkdwn", "text": text}


def section(**more: Any) -> Json:
    return {"type": "section", **({} if "fields" in more else {"text": mrkdwn("a")}), **more}


def button(number: int = 0, **more: Any) -> Json:
    return {"type": "button", "action_id": f"b{number}", "text": plain("go"), **more}


def actions(*elements: Json) -> Json:
    return {"type": "actions", "elements": list(elements)}


def option(text: str = "t", value: str = "v", **more: Any) -> Json:
    return {"text": plain(text), "value": value, **more}


def select(**more: Any) -> Json:
    return {"type": "static_select", "action_id": "s", "options": [option()], **more}


def confirm(**more: Any) -> Json:
    return {
        "title": plain("t"),
        "text": mrkdwn("x"),
        "confirm": plain("yes"),
        "deny": plain("no"),
        **more,
    }


def asked(element: Json, **more: Any) -> Json:
    return {"type": "input", "label": plain("l"), "element": element, **more}


def typed(**more: Any) -> Json:
    return {"type": "plain_text_input", "action_id": "t", **more}


def modal(*blocks: Json, **more: Any) -> Json:
    return {
        "type": "modal",
        "title": plain("t"),
        "submit": plain("ok"),
        "blocks": list(blocks),
        **more,
    }


def numbered(count: int) -> list[Json]:
    return [button(n) for n in range(count)]


KEPT = [
    section(text=mrkdwn("x" * 3000)),
    section(text=plain("x")),
    section(fields=[mrkdwn("x" * 200)] * 10),
    section(fields=[mrkdwn("x" * 2000)]),
    section(block_id="x" * 255),
    section(accessory=button(value="x" * 2000, style="primary", text=plain("x" * 75))),
    {"type": "header", "text": plain("x" * 150)},
    {"type": "divider"},
    {"type": "context", "elements": [mrkdwn("x")] * 10},
    actions(*numbered(25)),
    actions(button(confirm=confirm(title=plain("x" * 100), text=mrkdwn("x" * 300)))),
    actions(button(confirm=confirm(confirm=plain("x" * 30), deny=plain("x" * 30)))),
    actions(button(action_id="x" * 255, url="https://example.com")),
    actions(select(options=[option("x" * 75, "y" * 150)], placeholder=plain("x" * 150))),
    actions(select(options=[option("t", str(n)) for n in range(100)])),
    actions(select(initial_option=option())),
    actions(
        {"type": "overflow", "action_id": "o", "options": [option("t", str(n)) for n in range(5)]}
    ),
    asked(typed(max_length=3000, multiline=True), label=plain("x" * 2000), hint=plain("h")),
    asked({"type": "users_select", "action_id": "u", "initial_user": "U0ALICE"}),
    asked({"type": "radio_buttons", "action_id": "r", "options": [option(description=plain("d"))]}),
    asked({"type": "datepicker", "action_id": "d", "initial_date": "2026-01-31"}),
    asked({"type": "number_input", "action_id": "n", "is_decimal_allowed": False}),
    {"type": "image", "image_url": "https://example.com/a.png", "alt_text": "a"},
    {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": []}]},
    {"type": "markdown", "text": "# a"},
]

BROKEN = [
    (
        section(text=mrkdwn("x" * 3001)),
        "must be less than 3001 characters [json-pointer:/blocks/0/text/text]",
    ),
    (section(text=mrkdwn("")), "must be more than 0 characters [json-pointer:/blocks/0/text/text]"),
    ({"type": "section"}, "must define either `text` or `fields` [json-pointer:/blocks/0]"),
    (
        section(fields=[mrkdwn("x")] * 11),
        "no more than 10 items allowed [json-pointer:/blocks/0/fields]",
    ),
    (
        section(fields=[mrkdwn("x" * 2001)]),
        "must be less than 2001 characters [json-pointer:/blocks/0/fields/0/text]",
    ),
    (
        section(block_id="x" * 256),
        "must be less than 256 characters [json-pointer:/blocks/0/block_id]",
    ),
    (section(colour="red"), "invalid additional property: colour [json-pointer:/blocks/0/colour]"),
    (
        section(accessory=typed()),
        "unsupported type: plain_text_input [json-pointer:/blocks/0/accessory/type]",
    ),
    (
        {"type": "header", "text": plain("x" * 151)},
        "less than 151 characters [json-pointer:/blocks/0/text/text]",
    ),
    ({"type": "header", "text": mrkdwn("x")}, "unsupported type: mrkdwn"),
    ({"type": "context", "elements": [mrkdwn("x")] * 11}, "no more than 10 items allowed"),
    ({"type": "context", "elements": []}, "no less than 1 items allowed"),
    (actions(*numbered(26)), "no more than 25 items allowed [json-pointer:/blocks/0/elements]"),
    (actions(), "no less than 1 items allowed"),
    (actions(button(), button()), "`action_id` 'b0' already exists in this block"),
    (actions(button(text=mrkdwn("x"))), "unsupported type: mrkdwn"),
    (
        actions(button(text=plain("x" * 76))),
        "less than 76 characters [json-pointer:/blocks/0/elements/0/text/text]",
    ),
    (actions(button(text=plain(""))), "must be more than 0 characters"),
    (actions(button(value="x" * 2001)), "must be less than 2001 characters"),
    (actions(button(style="purple")), "must be one of primary, danger"),
    (actions(button(action_id="x" * 256)), "must be less than 256 characters"),
    (actions(button(confirm=confirm(title=plain("x" * 101)))), "confirm/title/text"),
    (actions(button(confirm=confirm(text=mrkdwn("x" * 301)))), "confirm/text/text"),
    (actions(button(confirm=confirm(confirm=plain("x" * 31)))), "confirm/confirm/text"),
    (actions(button(confirm=confirm(deny=plain("x" * 31)))), "confirm/deny/text"),
    (actions(select(options=[option("x" * 76)])), "options/0/text/text"),
    (actions(select(options=[option(value="x" * 151)])), "must be less than 151 characters"),
    (actions(select(options=[])), "no less than 1 items allowed"),
    (
        actions(select(options=[option("t", str(n)) for n in range(101)])),
        "no more than 100 items allowed",
    ),
    (actions(select(placeholder=plain("x" * 151))), "must be less than 151 characters"),
    (actions(select(initial_option=option("other"))), "initial_option must be one of the options"),
    (
        actions(
            {
                "type": "overflow",
                "action_id": "o",
                "options": [option("t", str(n)) for n in range(6)],
            }
        ),
        "no more than 5",
    ),
    (actions({"type": "blink", "action_id": "x"}), "unsupported type: blink"),
    (asked(typed(), label=plain("x" * 2001)), "must be less than 2001 characters"),
    (asked(typed(), label=mrkdwn("x")), "unsupported type: mrkdwn"),
    (asked(typed(initial_value="xx", max_length=1)), "must be less than 2 characters"),
    (asked(typed(max_length=3001)), "must be from 1 to 3000"),
    (asked(button()), "unsupported type: button"),
    (
        asked({"type": "number_input", "action_id": "n"}),
        "missing required field: is_decimal_allowed",
    ),
    (
        {"type": "image", "image_url": "https://example.com/a.png"},
        "missing required field: alt_text",
    ),
    ({"type": "marquee"}, "unsupported type: marquee [json-pointer:/blocks/0/type]"),
    ({"type": "plan", "title": "six phases"}, "unsupported type: plan"),
]


@pytest.mark.parametrize("block", KEPT, ids=lambda block: block["type"])
def test_just_inside(block: Json) -> None:
    check_message_blocks([block], rich=False)


@pytest.mark.parametrize(("block", "message"), BROKEN, ids=[message[:60] for _, message in BROKEN])
def test_just_outside(block: Json, message: str) -> None:
    with pytest.raises(SlackError) as caught:
        check_message_blocks([block], rich=False)
    assert caught.value.error == "invalid_blocks"
    assert any(message in fault for fault in caught.value.extra["response_metadata"]["messages"])


def test_fifty_blocks_with_ids_of_their_own() -> None:
    check_message_blocks([{"type": "divider"}] * 50, rich=False)
    for wrong in ([{"type": "divider"}] * 51, [section(block_id="same")] * 2):
        with pytest.raises(SlackError, match="invalid_blocks"):
            check_message_blocks(wrong, rich=False)


def test_all_blocks_of_a_message_together() -> None:
    check_message_blocks([section(text=mrkdwn("x" * 3000))] * 4, rich=False)
    with pytest.raises(SlackError, match="msg_blocks_too_long"):
        check_message_blocks([section(text=mrkdwn("x" * 2700))] * 5, rich=False)


RICH = [
    {
        "type": "plan",
        "title": "p",
        "tasks": [{"task_id": "1", "title": "triage", "status": "pending"}],
    },
    {"type": "task_card", "task_id": "1", "title": "triage", "status": "complete"},
    {
        "type": "data_table",
        "caption": "c",
        "rows": [[{"type": "raw_text", "text": "a"}], [{"type": "raw_number", "value": 1}]],
    },
    {
        "type": "data_visualization",
        "title": "t",
        "chart": {"type": "pie", "segments": [{"label": "a", "value": 1}]},
    },
    {
        "type": "data_visualization",
        "title": "t",
        "chart": {
            "type": "line",
            "series": [{"name": "errors", "data": [{"label": "14:00", "value": 1}]}],
            "axis_config": {"categories": ["14:00"]},
        },
    },
]
RICH_BROKEN = [
    [{**RICH[1], "status": "pending"}],
    [{**RICH[1], "status": "done"}],
    [{"type": "data_table", "rows": RICH[2]["rows"]}],
    [{**RICH[2], "rows": RICH[2]["rows"][:1]}],
    [{**RICH[4], "title": "x" * 51}],
    [{**RICH[4], "chart": {**RICH[4]["chart"], "axis_config": {"categories": ["15:00"]}}}],
    [{**RICH[4], "chart": {**RICH[4]["chart"], "series": RICH[4]["chart"]["series"] * 2}}],
    [
        {
            **RICH[4],
            "chart": {
                **RICH[4]["chart"],
                "axis_config": {"categories": ["14:00"], "y_label": "y" * 51},
            },
        }
    ],
    [
        {
            **RICH[2],
            "rows": [[{"type": "raw_text", "text": ""}], [{"type": "raw_number", "value": 1}]],
        }
    ],
    [
        {
            **RICH[2],
            "rows": [[{"type": "raw_text", "text": "a"}], [{"type": "raw_number", "value": "1"}]],
        }
    ],
    [{**RICH[2], "rows": [[{"type": "raw_text", "text": "a" * 5001}]] * 2}],
    [{**RICH[2], "page_size": 0}],
    [RICH[3]] * 3,
]


@pytest.mark.parametrize("block", RICH, ids=lambda block: block["type"])
def test_newer_blocks_only_where_the_workspace_takes_them(block: Json) -> None:
    check_message_blocks([block], rich=True)
    with pytest.raises(SlackError, match="invalid_blocks"):
        check_message_blocks([block], rich=False)


@pytest.mark.parametrize("blocks", RICH_BROKEN)
def test_newer_blocks_have_limits_too(blocks: list[Json]) -> None:
    with pytest.raises(SlackError, match="invalid_blocks"):
        check_message_blocks(blocks, rich=True)


@pytest.mark.parametrize(
    ("view", "message"),
    [
        (
            modal(section(), title=plain("x" * 25)),
            "must be less than 25 characters [json-pointer:/view/title/text]",
        ),
        (modal(section(), title=None), "missing required text object [json-pointer:/view/title]"),
        (modal(section(), submit=plain("x" * 25)), "/view/submit/text"),
        (modal(section(), close=plain("x" * 25)), "/view/close/text"),
        (modal(section(), private_metadata="x" * 3001), "must be less than 3001 characters"),
        (modal(section(), callback_id="x" * 256), "must be less than 256 characters"),
        (modal(*[{"type": "divider"}] * 101), "no more than 100 items allowed"),
        (modal(asked(typed()), submit=None), "missing required field: submit"),
        ({"type": "modal", "title": plain("t")}, "missing required field: blocks"),
        ({"type": "home", "blocks": []}, "type must be modal"),
        (modal(section(text=mrkdwn("")), title=plain("t")), "/view/blocks/0/text/text"),
    ],
)
def test_views(view: Json, message: str) -> None:
    check_view(modal(section(), title=plain("x" * 24), private_metadata="x" * 3000), rich=False)
    with pytest.raises(SlackError) as caught:
        check_view(view, rich=False)
    assert caught.value.error == "invalid_arguments"
    assert any(message in fault for fault in caught.value.extra["errors"])


async def test_an_app_is_told_of_every_fault() -> None:
    async with slack_world() as world:
        wrong = [section(text=mrkdwn("")), {"type": "header", "text": mrkdwn("x")}]
        with pytest.raises(SlackApiError) as caught:
            await world.client.chat_postMessage(channel="C0GENERAL", text="a", blocks=wrong)
        answer = caught.value.response
        assert answer["error"] == "invalid_blocks"
        assert len(answer["response_metadata"]["messages"]) == 2
        with pytest.raises(SlackApiError, match="invalid_blocks_format"):
            await world.client.chat_postMessage(
                channel="C0GENERAL", text="a", blocks=json.dumps({"a": 1})
            )
        assert world.alice.messages("general") == []
