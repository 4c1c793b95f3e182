"""History and trends as people read them.

The words come without charts, the charts within Slack's limits.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.views import history as views
from handlers.views.blocks import MESSAGE_BLOCKS, Message
from phases.memory.trends import trends
from phases.record.memories import PastIncident
from sandbox.slack.block_kit.limits import check_message_blocks
from tests.support.values.draws import draws
from tests.support.values.memories import past_incident

NOW = datetime(2026, 11, 22, 14, tzinfo=UTC)


def text(message: Message) -> str:
    def read(thing: Any) -> list[str]:
        if isinstance(thing, dict):
            return (
                [thing["text"]]
                if isinstance(thing.get("text"), str)
                else [t for v in thing.values() for t in read(v)]
            )
        return [t for each in thing for t in read(each)] if isinstance(thing, list) else []

    return "\n".join(read(list(message.blocks)))


def test_history_says_what_was_done_and_whether_it_worked() -> None:
    past_incidents = [
        past_incident(
            42,
            11,
            action="rolled back to v41",
            cause="v42 dropped a key",
            adr="ADR-0007",
            adr_url="https://x.example/7",
            severity=1,
            channel="C1",
        ),
        past_incident(7, action="rolled back to v6", minutes=None, tried=("rollback",), drill=True),
        past_incident(3, private=True, title="private incident"),
    ]
    shown_text = text(views.history(past_incidents, "", {"INC-0003": "a key leaked"}))
    assert "*2 past incidents and 1 drill*, newest first" in shown_text
    assert "*INC-0042* <#C1> 🔴 SEV1" in shown_text
    assert (
        "rolled back to v41, over after 9 min; cause: v42 dropped a key; 1 action item open; "
        "<https://x.example/7|ADR-0007>"
    ) in shown_text
    assert "shop · drill" in shown_text
    assert "rolled back to v6, and it came back" in shown_text
    assert "private · a key leaked\nover after 9 min" in shown_text
    assert "No past incident of mail is remembered." in text(views.history([], "mail", {}))


def test_history_page_by_page() -> None:
    past_incidents = [past_incident(n) for n in range(25, 0, -1)]
    second = views.history(past_incidents, "shop", {}, start=10, more=True)
    assert "*At least 25 past incidents of shop*, 11 to 20, newest first" in text(second)
    buttons = [e for b in second.blocks if b["type"] == "actions" for e in b["elements"]]
    assert [(e["action_id"], e["value"]) for e in buttons] == [
        ("incident.history_newer", '{"service":"shop","start":0}'),
        ("incident.history", '{"service":"shop","start":20}'),
    ]


def test_trends_in_words() -> None:
    past_incidents = [
        past_incident(1, 9),
        past_incident(2, 10),
        past_incident(3, 11, cause_kind="data"),
        past_incident(4, 11, service="mail", file=""),
        past_incident(5, drill=True),
    ]
    shown_text = text(views.trends(trends(past_incidents, NOW)))
    assert "*Trends, June 2026 to November 2026: 4 incidents*" in shown_text
    assert (
        "48 min of user impact · 60 s to detect, 2 min to decide, 9 min to recover · 75 % caused "
        "by deploys · "
        "8 of 12 action items done · and 1 drill" in shown_text
    )
    assert (
        "*Most fragile:* shop/cart.py of shop: 3 incidents (INC-0003, INC-0002 and "
        "INC-0001), 36 minutes"
    ) in shown_text
    assert "November 2026: 2 (shop 1 and mail 1)" in shown_text
    assert "*shop*: 3 incidents · 36 min of user impact" in shown_text
    assert "no incident has ended" in text(views.trends(trends([], NOW)))
    drills = views.trends(trends([past_incident(1, drill=True), past_incident(2, drill=True)], NOW))
    assert "no incident has ended. 2 drills." in text(drills)
    assert not drills.rich, "there is nothing to draw"


def test_ten_thousand_incidents_of_thirty_services_keep_every_sentence_and_lose_old_rows() -> None:
    names = [f"service-{n:02d}" for n in range(30)]
    past_incidents = [
        past_incident(
            n,
            6 + n // 30 % 6,
            service=names[n % 30],
            file=f"{names[n % 30]}/main.py",
            drill=n % 10 == 0,
        )
        for n in range(1, 10_001)
    ]
    shown = views.trends(trends(past_incidents, NOW))
    shown_text = text(Message(shown.text, blocks=shown.rich))
    assert "9,000 incidents" in shown_text
    assert "and 1,000 drills" in shown_text
    assert "Worth a structural fix." in shown_text, "no sentence is cut"
    table = next(block for block in shown.rich if block["type"] == "data_table")
    assert table["rows"][1][0]["text"] == "2026-11", "the newest month first"
    left_out = re.search(r"\((\d+) more not shown\)", table["caption"])
    assert left_out is not None
    drawn = {row.service: row for row in trends(past_incidents, NOW).services}
    whole = sum(month.incidents > 0 for row in drawn.values() for month in row.months)
    assert len(table["rows"]) - 1 + int(left_out.group(1)) == whole
    check_message_blocks(list(shown.rich), rich=True)


def test_the_post_is_about_the_month_that_has_ended() -> None:
    overview = trends(
        [past_incident(1, 9), past_incident(2, 10), past_incident(3, 10), past_incident(4, 11)],
        NOW,
        upto=1,
    )
    posted = views.trends(overview, post=True)
    assert "*Incidents in October 2026: 2* (1 the month before)" in text(posted)
    assert posted.text == "Trends, October 2026: 2 incidents, 24 min of user impact"
    drawn = [block["type"] for block in posted.rich]
    assert drawn.count("data_visualization") == 2
    assert drawn.count("data_table") == 1
    chart = next(block for block in posted.rich if block["type"] == "data_visualization")["chart"]
    assert chart["axis_config"]["categories"][-1] == "Oct 26"
    assert [point["value"] for point in chart["series"][0]["data"]] == [0, 0, 0, 0, 1, 2]


WORDS = st.text(max_size=300)


@settings(max_examples=draws(40))
@given(
    st.lists(
        st.builds(
            past_incident,
            st.integers(1, 200),
            at=st.integers(0, 200).map(lambda days: NOW - timedelta(days=days)),
            service=WORDS,
            title=WORDS,
            cause=WORDS,
            action=WORDS,
            file=WORDS,
            features=st.lists(WORDS, max_size=3).map(tuple),
            impact_minutes=st.integers(0, 10**6),
            severity=st.none() | st.integers(1, 4),
            private=st.booleans(),
        ),
        max_size=30,
    ),
    WORDS,
)
def test_slacks_limits_hold_for_every_memory(
    past_incidents: list[PastIncident], service: str
) -> None:
    for message in (
        views.history(past_incidents, service, {}),
        views.trends(trends(past_incidents, NOW)),
        views.trends(trends(past_incidents, NOW), post=True),
    ):
        assert message.text
        for blocks in (message.blocks, message.rich):
            assert len(blocks) <= MESSAGE_BLOCKS
            for block in blocks:
                if block["type"] == "section":
                    assert 0 < len(block["text"]["text"]) <= 3000
                if block["type"] == "data_visualization":
                    assert 1 <= len(block["chart"]["series"]) <= 6
        assert "<!channel>" not in str(message.blocks)
