"""Texts of messages, in the shapes in which other programs and Slack's own client send them."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.slack import slack_text
from handlers.slack.message_text import by_person, message_text, own_words
from tests.support.values.alert_messages import ALERTMANAGER, DATADOG, GRAFANA, PAGERDUTY, SENTRY

RICH = {
    "type": "rich_text",
    "elements": [
        {
            "type": "rich_text_section",
            "elements": [
                {"type": "emoji", "name": "fire"},
                {"type": "text", "text": " the "},
                {"type": "text", "text": "shop", "style": {"bold": True}},
                {"type": "text", "text": " is down, see "},
                {"type": "link", "url": "https://acme.sentry.io/issues/41/", "text": "the issue"},
                {"type": "text", "text": " "},
                {"type": "user", "user_id": "U0BOB"},
                {"type": "broadcast", "range": "here"},
            ],
        },
        {
            "type": "rich_text_list",
            "style": "bullet",
            "elements": [
                {
                    "type": "rich_text_section",
                    "elements": [{"type": "text", "text": "in eu-west only"}],
                }
            ],
        },
        {
            "type": "rich_text_quote",
            "elements": [{"type": "text", "text": "prod is down\nsays a customer"}],
        },
        {
            "type": "rich_text_preformatted",
            "elements": [{"type": "text", "text": "502 bad gateway"}],
        },
    ],
}
FORWARDED = {
    "user": "U0BOB",
    "text": "look",
    "attachments": [
        {
            "is_msg_unfurl": True,
            "is_share": True,
            "author_name": "Alice Reyes",
            "fallback": "[May 4th, 2026 3:12 PM] alice: the shop is down",
            "text": "the shop is down",
            "from_url": "https://acme.slack.com/archives/C1/p1777900000000100",
            "message_blocks": [
                {"team": "T1", "channel": "C1", "ts": "1.2", "message": {"blocks": [RICH]}}
            ],
            "files": [{"id": "F1", "title": "till.png"}],
        }
    ],
}


@pytest.mark.parametrize(
    ("message", "title", "holds"),
    [
        (
            ALERTMANAGER,
            "[FIRING:1] HighErrorRate (shop production)",
            [
                "http://am.example/#/alerts?receiver=x",
                "https://wiki.example/errors",
                "Severity: critical",
                "12 %",
                "@channel",
            ],
        ),
        (
            GRAFANA,
            "[FIRING:1] Checkout p95 (shop)",
            [
                "https://grafana.example/alerting/list",
                "Value: A=4.2",
                "https://grafana.example/a/1?orgId=1&x=2",
                "<@U0BOB>",
            ],
        ),
        (
            SENTRY,
            "[shop] ZeroDivisionError: division by zero",
            [
                "/issues/4711/?referrer=slack&alert_rule_id=1",
                "shop.pay in charge",
                "environment: production",
                "SHOP-3",
            ],
        ),
        (
            DATADOG,
            "Triggered: 5xx on *shop*",
            ["https://app.datadoghq.eu/monitors/1?x=1", "12 % of requests"],
        ),
        (
            PAGERDUTY,
            "Triggered #4: shop is down",
            ["https://acme.pagerduty.com/incidents/Q1", "Service shop", "Urgency high"],
        ),
        (
            {"text": "", "blocks": [RICH]},
            ":fire: the shop is down, see the issue <@U0BOB>@here",
            [
                "https://acme.sentry.io/issues/41/",
                "in eu-west only",
                "> prod is down",
                "> says a customer",
                "502 bad gateway",
            ],
        ),
        (
            FORWARDED,
            "look",
            [
                "the shop is down",
                "/archives/C1/p1777900000000100",
                "in eu-west only",
                "(file: till.png)",
            ],
        ),
        (
            {
                "text": "",
                "attachments": [
                    {"fallback": "The shop is down"},
                    {"fallback": "[no preview available]"},
                ],
            },
            "The shop is down",
            [],
        ),
        (
            {
                "text": "",
                "blocks": [
                    {
                        "type": "table",
                        "rows": [
                            [
                                {"type": "raw_text", "text": "service"},
                                {"type": "raw_text", "text": "errors"},
                            ],
                            [
                                {"type": "rich_text", "elements": RICH["elements"][:1]},
                                {"type": "raw_text", "text": "12 %"},
                            ],
                        ],
                    },
                    {"type": "markdown", "text": "## what we know"},
                    {
                        "type": "image",
                        "image_url": "https://x.example/y.png",
                        "alt_text": "error rate of today",
                    },
                    {
                        "type": "video",
                        "title": {"type": "plain_text", "text": "what it looks like"},
                    },
                    {
                        "type": "tomorrow",
                        "body": {"type": "mrkdwn", "text": "whatever Slack has next"},
                    },
                ],
            },
            "service | errors",
            [
                "| 12 %",
                "what we know",
                "error rate of today",
                "what it looks like",
                "whatever Slack has next",
            ],
        ),
        (
            {
                "text": "prod is down",
                "files": [{"title": "till.png"}, {"name": "b.log"}, {"id": "F3"}],
            },
            "prod is down",
            ["(file: till.png, b.log, a file)"],
        ),
        (
            {
                "text": "",
                "files": [{"filetype": "email", "title": "mail", "subject": "ALARM: shop 5xx"}],
            },
            "(file: ALARM: shop 5xx)",
            [],
        ),
        (
            {"text": "<https://acme.sentry.io/issues/41/|acme.sentry.io/issues/41> burns"},
            "https://acme.sentry.io/issues/41/ burns",
            [],
        ),
    ],
)
def test_every_word_is_there_and_the_headline_first(
    message: dict[str, Any], title: str, holds: list[str]
) -> None:
    text = message_text(message)
    assert slack_text.title(text) == title
    for part in holds:
        assert part in text, text


FORWARDED_ALERT: dict[str, Any] = {
    "is_share": True,
    "is_msg_unfurl": True,
    "author_name": "alertmanager",
    "fallback": "[May 4th, 2026 3:12 PM] alertmanager: ",
    "from_url": "https://acme.slack.com/archives/C1/p1777900000000100",
}


@pytest.mark.parametrize(
    ("message", "title", "holds"),
    [
        (
            {
                "text": "",
                "attachments": [FORWARDED_ALERT | {"attachments": ALERTMANAGER["attachments"]}],
            },
            "[FIRING:1] HighErrorRate (shop production)",
            [
                "Severity: critical",
                "http://am.example/#/alerts?receiver=x",
                "/archives/C1/p1777900000000100",
            ],
        ),
        (
            {"attachments": [FORWARDED_ALERT | {"message_blocks": [{"message": PAGERDUTY}]}]},
            "Triggered #4: shop is down",
            ["https://acme.pagerduty.com/incidents/Q1", "Service shop"],
        ),
        (  # https://docs.slack.dev/reference/methods/chat.postMessage: blocks without a text
            {"text": "This content can't be displayed.", "blocks": [RICH]},
            ":fire: the shop is down, see the issue <@U0BOB>@here",
            ["502 bad gateway"],
        ),
        (
            {
                "text": "<!channel> <@U0BOB> <!subteam^S1|@checkout-oncall>",
                "attachments": [
                    {"title": "Checkout errors above 5 %", "title_link": "https://g.example/1"}
                ],
            },
            "Checkout errors above 5 %",
            ["https://g.example/1", "@checkout-oncall"],
        ),
        (  # Sentry's metric alerts: the link stands in the fallback alone
            {
                "text": "Critical: shop errors",
                "attachments": [
                    {
                        "fallback": (
                            "<https://acme.sentry.io/issues/alerts/rules/details/7/|*Critical: "
                            "shop errors*>"
                        ),
                        "blocks": [
                            {"type": "section", "text": {"type": "mrkdwn", "text": "512 events"}}
                        ],
                    }
                ],
            },
            "Critical: shop errors",
            ["https://acme.sentry.io/issues/alerts/rules/details/7/", "512 events"],
        ),
        (
            {
                "files": [
                    {
                        "title": "Clip",
                        "transcription": {
                            "status": "complete",
                            "preview": {"content": "shop down"},
                        },
                    }
                ]
            },
            "shop down",
            ["(file: Clip)"],
        ),
        (
            {
                "files": [
                    {
                        "mode": "email",
                        "subject": "ALARM: shop 5xx",
                        "plain_text": "It crossed 5 %\nhttps://aws.example/1",
                    }
                ]
            },
            "ALARM: shop 5xx",
            ["It crossed 5 %", "https://aws.example/1"],
        ),
        (
            {
                "text": "look",
                "files": [
                    {"mode": "snippet", "title": "Untitled", "preview": "KeyError: 'region'"}
                ],
            },
            "look",
            ["KeyError: 'region'", "(file: Untitled)"],
        ),
        (
            {
                "blocks": [
                    {
                        "type": "plan",
                        "title": "Looking at shop",
                        "tasks": [{"type": "task_card", "title": "Query logs", "output": RICH}],
                    }
                ]
            },
            "Looking at shop",
            ["Query logs", "502 bad gateway"],
        ),
    ],
)
def test_what_is_nested_or_within_a_file_is_there(
    message: dict[str, Any], title: str, holds: list[str]
) -> None:
    text = message_text(message)
    assert slack_text.title(text) == title
    for part in holds:
        assert part in text, text


def test_nothing_is_said_twice_and_no_button_speaks() -> None:
    assert message_text(SENTRY).count("division by zero") == 1
    assert "Resolve" not in message_text(SENTRY)
    person = {"text": "the *shop* is down &amp; out\n• in eu-west", "user": "U1"}
    blocks = [
        {
            "type": "rich_text_section",
            "elements": [{"type": "text", "text": "the shop is down & out\nin eu-west"}],
        }
    ]
    text = message_text({**person, "blocks": [{"type": "rich_text", "elements": blocks}]})
    assert text == "the *shop* is down & out\n• in eu-west", (
        "a person's message comes as text and as blocks"
    )


def test_the_preview_of_a_link_is_not_what_was_said_but_all_there_is_of_a_bare_link() -> None:
    preview = {
        "from_url": "https://x.example/a",
        "title": "A page about prod is down",
        "text": "since noon",
    }
    assert (
        message_text({"text": "look: <https://x.example/a>", "attachments": [preview]})
        == "look: https://x.example/a"
    )
    alone = message_text({"text": "<https://x.example/a>", "attachments": [preview]})
    assert "A page about prod is down" in alone


def test_own_words_are_what_was_typed_and_what_was_forwarded() -> None:
    assert "the shop is down" in own_words(FORWARDED)
    assert (
        own_words({"text": "see", "attachments": [{"text": "prod is down", "is_msg_unfurl": True}]})
        == "see"
    )
    assert own_words({"text": "", "files": [{"title": "prod is down.png"}]}) == ""


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"text": None, "blocks": None, "attachments": None, "files": None},
        {
            "text": 7,
            "blocks": "x",
            "attachments": [None, 7, {"fields": "x", "blocks": [None], "message_blocks": [7]}],
        },
        {
            "blocks": [
                {"type": "table", "rows": 7},
                {"type": "rich_text", "elements": "x"},
                {"type": "section", "text": 7},
            ]
        },
        {"blocks": [{"type": "context", "elements": [{"type": "image"}, None]}, {"type": None}]},
        {
            "files": [
                {"transcription": {"preview": 7}, "subject": None, "mode": "snippet", "preview": 7}
            ]
        }
        | {
            "files": [],
            "attachments": [
                {"attachments": 7, "message_blocks": [{"message": {"attachments": [None]}}]}
            ],
        },
        {
            "attachments": [
                {
                    "message_blocks": [{"message": None}],
                    "actions": 7,
                    "fallback": None,
                    "title_link": 7,
                }
            ]
        },
    ],
)
def test_odd_shapes_say_nothing(odd: dict[str, Any]) -> None:
    assert message_text(odd) == ""


def test_what_is_nested_without_end_ends() -> None:
    deep: dict[str, Any] = {"type": "container", "blocks": []}
    for _ in range(500):
        deep = {
            "type": "container",
            "blocks": [deep, {"type": "section", "text": {"type": "mrkdwn", "text": "x"}}],
        }
    assert len(message_text({"blocks": [deep] * 50})) < 10_000


@pytest.mark.parametrize(
    ("message", "person"),
    [
        ({"user": "U1"}, True),
        ({"user": "U1", "subtype": "file_share", "bot_id": None}, True),
        ({"user": "U1", "subtype": "thread_broadcast"}, True),
        ({"user": "U1", "subtype": "reply_broadcast"}, True),
        ({"user": "U1", "subtype": "me_message"}, True),
        ({"user": "U1", "bot_id": "B1"}, False),
        ({"user": "U1", "bot_id": "B1", "subtype": "file_share"}, False),
        ({"user": "U1", "subtype": "bot_message"}, False),
        ({"subtype": "bot_message", "bot_id": "B1"}, False),
        ({"user": "USLACKBOT"}, False),
        ({"user": "U1", "subtype": "message_changed"}, False),
        ({"user": "U1", "subtype": "channel_topic"}, False),
        ({"user": "U1", "subtype": "assistant_app_thread"}, False),
        ({}, False),
    ],
)
def test_who_is_a_person(message: dict[str, Any], person: bool) -> None:
    assert by_person(message) is person


def test_a_domain_that_slack_made_a_link_is_said_once_and_as_it_was_typed() -> None:
    link = {"type": "link", "url": "http://till.example.com", "text": "till.example.com"}
    words = [link, {"type": "text", "text": " is down"}]
    section = {"type": "rich_text_section", "elements": words}
    message = {
        "text": "<http://till.example.com|till.example.com> is down",
        "blocks": [{"type": "rich_text", "elements": [section]}],
    }
    assert message_text(message) == "till.example.com is down"
