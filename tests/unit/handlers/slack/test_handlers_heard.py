"""Slack's form of text, and deliveries that count once."""

from __future__ import annotations

import pytest

from handlers import deliveries
from handlers.slack import slack_text
from handlers.slack.background import Tasks


@pytest.mark.parametrize(
    ("raw", "meant"),
    [
        ("a &lt;b&gt; &amp;amp; c", "a <b> &amp; c"),
        (
            "<https://x.example/a?b=1&amp;c=2|x.example> is down",
            "https://x.example/a?b=1&c=2 is down",
        ),
        ("ask <@U0ALICE|alice> in <#C1|general>", "ask <@U0ALICE> in #general"),
        ("status <#C0PRIVATE|> <#C0PRIVATE>", "status #C0PRIVATE #C0PRIVATE"),
        ("<!here> <!subteam^S1|@ops> <!channel|channel>", "@here @ops @channel"),
        ("<!subteam^S1> knows", "@group knows"),
        ("<mailto:a@b.example|a@b.example>", "a@b.example"),
        ("<tel:+4930123|+49 30 123>", "+49 30 123"),
        # Slack makes a link of a domain by itself; a label of a person's is no address.
        ("<http://till.example.com|till.example.com> is down", "till.example.com is down"),
        ("<https://till.example.com|till.example.com>", "https://till.example.com"),
        ("<http://till.example.com|the till>", "http://till.example.com"),
        ("a\x00\ud800b", "ab"),
    ],
)
def test_messages_are_decoded(raw: str, meant: str) -> None:
    assert slack_text.plain(raw) == meant


def test_forms_are_not_decoded() -> None:
    assert slack_text.typed("flag <off> &amp;\x00 ") == "flag <off> &amp;"


def test_the_title_is_the_first_line_cut() -> None:
    assert slack_text.title("\n  a  b \nc") == "a b"
    assert len(slack_text.title("x" * 1000)) == 300


def test_issues_of_sentry_links() -> None:
    text = (
        "https://acme.sentry.io/issues/41/?project=1 "
        "https://s.example/organizations/acme/issues/42/events/1/ /issues/43"
    )
    assert slack_text.sentry_issues(text) == ("41", "42")


def test_claims_of_deliveries() -> None:
    assert deliveries.interaction({"type": "block_actions", "trigger_id": "1.2"}).claims == (
        "trigger:1.2",
    )
    view = {"type": "view_submission", "trigger_id": "1.2", "view": {"id": "V1", "hash": "h"}}
    assert deliveries.interaction(view).claims == ("view:V1:h",)
    with pytest.raises(ValueError, match="neither"):
        deliveries.interaction({"type": "block_actions"})
    event = {"channel": "C1", "event_ts": "1.5", "type": "message", "user": "U1"}
    first = deliveries.event({"event_id": "E1", "event": event})
    second = deliveries.event({"event_id": "E2", "event": event})
    assert first[0] != second[0]
    assert first[1] == second[1]  # two deliveries of one message may carry different event ids
    assert deliveries.echo("U1", "C1", "Shop  IS down") == deliveries.echo(
        "U1", "C1", "shop is down"
    )
    assert deliveries.echo("U1", "C1", "shop is down") != deliveries.echo(
        "U2", "C1", "shop is down"
    )


async def test_tasks_are_waited_for_and_their_failures_named_by_kind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tasks = Tasks()

    async def fails() -> None:
        raise RuntimeError("what a person said")

    tasks.start(fails(), "answer a person")
    await tasks.drain()
    assert "answer a person failed: RuntimeError" in caplog.text
    assert "what a person said" not in caplog.text
