"""The sandbox's page.

Text that people wrote never becomes HTML, and their clicks reach the workspace.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.page import markdown, mrkdwn
from sandbox.page.render import colour, safe_address
from sandbox.slack.channels import ALICE, BOB, BOT_USER, GUEST
from tests.sandbox.page_tab import Tab


class Names:
    def user(self, user_id: str) -> str | None:
        return {"U1": "Ann <script>"}.get(user_id)

    def channel(self, channel_id: str) -> str | None:
        return {"C1": "general"}.get(channel_id)

    def group(self, group_id: str) -> str | None:
        return None


@pytest.mark.parametrize(
    ("source", "html"),
    [
        (
            "*bold* _italic_ ~gone~ `co*d*e`",
            "<b>bold</b> <em>italic</em> <s>gone</s> <code>co*d*e</code>",
        ),
        ("2 * 3 * 4 and snake_case_name", "2 * 3 * 4 and snake_case_name"),
        ("*bold _and italic_*", "<b>bold <em>and italic</em></b>"),
        ("a\nb", "a<br>b"),
        ("&gt; quoted\n> twice\nnot", "<blockquote>quoted<br>twice</blockquote>not"),
        ("```a\n  b &lt;c&gt;```", "<pre>a\n  b &lt;c&gt;</pre>"),
        (":fire: :nobody_knows:", "🔥 :nobody_knows:"),
        ("<@U1>", '<span class="mention user">@Ann &lt;script&gt;</span>'),
        ("<!here>", '<span class="mention broadcast">@here</span>'),
        ("<javascript:alert(1)|click>", "click"),
        ("&lt;script&gt;alert(1)&lt;/script&gt;", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        (
            "<https://a.example/?x=1&amp;y=2|*A*>",
            (
                '<a href="https://a.example/?x=1&amp;y=2" target="_blank" rel="noopener '
                'noreferrer">*A*</a>'
            ),
        ),
        (
            "<!date^1700000000^{date_short} at {time}|then>",
            '<time datetime="2023-11-14T22:13:20+00:00" data-epoch="1700000000" '
            'data-pattern="{date_short} at {time}">then</time>',
        ),
        ("<!date^9999999999999999^{time}|then>", "then"),
    ],
)
def test_mrkdwn(source: str, html: str) -> None:
    assert mrkdwn.render(source, Names()) == html


@given(st.text(alphabet=st.sampled_from("<>\"'&*_~`:|!@#^ \nabjscript:/=()[]-1>"), max_size=120))
def test_no_text_can_open_a_tag_or_leave_an_attribute(source: str) -> None:
    allowed = {
        *(
            "b",
            "strong",
            "em",
            "s",
            "code",
            "pre",
            "blockquote",
            "br",
            "a",
            "span",
            "i",
            "time",
            "p",
            "ul",
            "ol",
        )
    }
    allowed |= {
        *(
            "li",
            "h1",
            "h2",
            "h3",
            "h4",
            "h5",
            "h6",
            "hr",
            "table",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
        )
    }
    for html in (str(mrkdwn.render(source, Names())), str(markdown.render(source))):
        for piece in html.split("<")[1:]:
            tag, _, _ = piece.partition(">")
            assert tag.lstrip("/").split(" ")[0] in allowed, html
            assert tag.count('"') % 2 == 0, html
        assert 'href="javascript' not in html


def test_a_hard_line_break_is_one() -> None:
    html = str(markdown.render("07:20 alert  \n07:21 rolled\nback\\\n07:22 over"))
    assert html == "<p>07:20 alert<br>\n07:21 rolled\nback<br>\n07:22 over</p>\n"


def test_markdown_shows_a_post_mortem() -> None:
    html = markdown.render(
        "# A\n\n- [x] one\n- two\n  - deep\n\n| k | v |\n| - | - |\n| a | **b** |\n\n```\n"
        "<x>\n```\n"
    )
    assert "<h1>A</h1>" in html
    assert (
        '<li><span class="box on"></span> one</li>\n<li>two\n<ul>\n<li>deep</li>\n</ul>\n</li>'
        in html
    )
    assert "<td>a</td>\n<td><strong>b</strong></td>" in html
    assert "<pre>&lt;x&gt;</pre>" in html


def test_only_safe_addresses_of_a_markdown_text_are_links() -> None:
    html = str(
        markdown.render(
            "[a](javascript:x) [b](https://b.example) https://c.example/d_e_f. "
            "![i](https://i.example)"
        )
    )
    assert html.count("<a ") == 3
    assert 'href="https://c.example/d_e_f" target="_blank" rel="noopener noreferrer"' in html
    assert "[a](javascript:x)" in html


def test_addresses_and_colours_that_are_none() -> None:
    assert safe_address("javascript:alert(1)") == "#"
    assert colour('red;background:url("x")') == "var(--line-strong)"


async def test_hostile_texts_stay_texts_everywhere(tab: Tab) -> None:
    evil = '"><img src=x onerror=alert(1)>'
    general = tab.workspace.channel("general")
    text = {"type": "plain_text", "text": evil}
    button = {"type": "button", "action_id": evil, "value": evil, "text": text}
    button["confirm"] = {
        "title": text,
        "text": {"type": "mrkdwn", "text": evil},
        "confirm": text,
        "deny": text,
    }
    tab.workspace.post(
        general,
        BOT_USER,
        evil,
        blocks=[
            {"type": "header", "text": text},
            {"type": "actions", "elements": [button]},
            {"type": "image", "image_url": "https://x.example/y.png", "alt_text": evil},
            {"type": "section", "text": text, "fields": [{"type": "mrkdwn", "text": evil}]},
        ],
    )
    tab.workspace.pin(general, general.messages[-1]["ts"], BOB)
    whole = (await tab.http.get("/", params={"channel": "general"})).text
    assert "<img" not in whole
    assert "onerror=alert" in whole  # shown, as text


async def test_what_is_said_is_seen_and_makes_others_unread(tab: Tab) -> None:
    assert await tab.do("say", channel="C0GENERAL", text="hello @bob <b>") == {}
    text = await tab.part("messages", channel="general")
    assert "@Bob Okafor" in text
    assert "&lt;b&gt;" in text
    assert 'class="unread"' in await tab.part("sidebar", me=BOB, channel="C0INCIDENTS")
    assert 'class="unread"' not in await tab.part("sidebar", me=ALICE, channel="C0GENERAL")
    await tab.part("messages", me=BOB, channel="C0GENERAL")
    assert 'class="unread"' not in await tab.part("sidebar", me=BOB, channel="C0GENERAL")


async def test_only_one_person_sees_an_ephemeral_message_and_can_dismiss_it(tab: Tab) -> None:
    whisper = tab.workspace.whisper(tab.workspace.channel("general"), ALICE, "psst")
    assert "Only visible to you" in await tab.part("messages")
    assert "psst" not in await tab.part("messages", me=BOB)
    await tab.do("dismiss", ts=whisper["ts"])
    assert "psst" not in await tab.part("messages")


async def test_the_page_refuses_with_words(tab: Tab) -> None:
    assert (await tab.http.post("/page/say", json={"me": ALICE})).status_code == 403
    assert (
        "called that"
        in (await tab.do("say", me="U0NOBODY", channel="C0GENERAL", text="x"))["problem"]
    )
    assert "is missing" in (await tab.do("say", text="x"))["problem"]
    assert (
        "not a command here"
        in (await tab.do("say", channel="C0GENERAL", text="/remind me"))["problem"]
    )
    gone = await tab.do(
        "press", where={"channel": "C0GENERAL", "ts": "1.000000"}, action="decision.rollback"
    )
    assert gone["problem"] == "That is not there any more."


async def test_a_guest_may_not_look_where_they_are_not(tab: Tab) -> None:
    secret = tab.workspace.create_channel("inc-0001-secret", ALICE, is_private=True)
    tab.workspace.post(secret, ALICE, "only us")
    assert "only us" in await tab.part("messages", channel=secret.id)
    assert "only us" not in await tab.part("messages", me=GUEST, channel=secret.id)
