"""App Home shows the record.

It has the one button that matters, my incidents first, open tasks, and this month's figures.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from phases.coordination.next_step import next_step, owes_postmortem
from phases.memory.trends import Month
from phases.messages import actions as said
from phases.record.documents import ActionItem, Adr
from phases.record.findings import Cause
from phases.record.incident import Channel, Incident, MessageRef, Round, Severity, Status
from tests.support.bots.story import Story, mitigated, verifying
from tests.support.values.factories import NOW, incident, postmortem
from tests.support.worlds.homes import home_of

SITE = "https://acme.slack.com/"


def buttons(view: Any) -> list[tuple[str, str]]:
    return [
        (
            block["accessory"]["text"]["text"],
            block["accessory"].get("url") or block["accessory"]["action_id"],
        )
        for block in view.blocks
        if "accessory" in block
    ]


def lines(view: Any) -> str:
    return "\n".join(
        str(block.get("text", {}).get("text", block.get("elements", ""))) for block in view.blocks
    )


def test_the_one_thing_that_matters_in_a_whole_life():
    story = Story(by=None).opened()
    assert next_step(story.record, "U0BOB", NOW) == "take lead"
    story.say(said.TakeLead(by="U0BOB", lead="U0BOB"))
    assert next_step(story.record, "U0BOB", NOW) == "decide"
    story.measured().rolled_back()
    assert next_step(story.record, "U0BOB", NOW) == "follow"
    late = story.record.update_due
    assert late is not None
    assert next_step(story.record, "U0BOB", late) == "post update"
    assert next_step(story.record, "U0ALICE", late) == "follow", "of the lead it is wanted"
    assert next_step(verifying().record, "U0BOB", NOW) == "follow"
    done = mitigated()
    assert next_step(done.record, "U0BOB", NOW) == "write post-mortem"
    assert owes_postmortem(done.record)
    asked = incident(
        status=Status.VERIFYING,
        rounds=(Round(number=1, opened_at=NOW, why="triage", verdict="ask a person"),),
    )
    assert next_step(asked, "U0BOB", NOW) == "confirm recovery"
    over = incident(
        status=Status.MITIGATED,
        recovered_at=NOW,
        adr=Adr(number=1, path="docs/adr/0001.md"),
        cause=Cause(text="x", at=NOW),
    )
    assert next_step(over, "U0BOB", NOW) == "resolve"


@pytest.mark.parametrize("status", Status)
def test_every_state_has_one_button_at_most_and_none_that_cannot_work(status: Status):
    record = incident(status=status, channel=Channel(id="C1", name="inc-0001"))
    assert len(buttons(home_of([record], "U0ALICE", NOW, site=SITE))) == 1
    leading = home_of([record], "U0ALICE", NOW)
    assert all("url" not in str(block) for block in leading.blocks), (
        "without the workspace's address nothing leads there"
    )


def test_mine_come_first_then_what_is_worse():
    def open_incident(number: int, severity: Severity, **fields: Any) -> Incident:
        given = {
            "id": f"INC-{number:04d}",
            "number": number,
            "severity": severity,
            "declared_by": "U0BOB",
            "lead": "U0BOB",
        }
        return incident(**{**given, **fields})

    shown = [
        open_incident(4, Severity.SEV3),
        open_incident(3, Severity.SEV1),
        open_incident(2, Severity.SEV4, lead="U0ALICE"),
        open_incident(1, Severity.SEV2, service="search"),
    ]
    text = lines(home_of(shown, "U0ALICE", NOW, owned=["search"]))
    order = sorted(range(1, 5), key=lambda n: text.index(f"INC-000{n}"))
    assert order == [1, 2, 3, 4]


def test_decide_leads_to_the_newest_decision():
    story = Story().opened().measured()
    (button,) = buttons(home_of([story.record], "U0ALICE", NOW, site=SITE))
    ref: MessageRef = story.record.messages["decision:1"]
    assert button == ("Decide", f"{SITE}archives/C1/p{ref.ts.replace('.', '')}")


def test_action_items_mine_by_date_and_of_others_how_many():
    items = (
        ActionItem(kind="tests", text="later", owner="<@U0ALICE>", due=date(2026, 12, 24)),
        ActionItem(
            kind="tests", text="late", owner="<@U0ALICE>", due=NOW.date() - timedelta(days=3)
        ),
        ActionItem(kind="gates", text="sometime", owner="<@U0ALICE>"),
        ActionItem(kind="gates", text="done", owner="<@U0ALICE>", done=True),
        ActionItem(
            kind="gates", text="of bob", owner="<@U0BOB>", due=NOW.date() - timedelta(days=1)
        ),
    )
    owes = incident(postmortem=postmortem(items=items))
    text = lines(home_of([], "U0ALICE", NOW, owing=[owes]))
    assert text.index("late · *overdue") < text.index("later · due 24 Dec") < text.index("sometime")
    assert "done" not in text
    assert "of bob" not in text
    assert "1 item of others, 1 overdue" in text


def test_this_month_against_last():
    view = home_of(
        [],
        "U0ALICE",
        NOW,
        months=(Month(incidents=5, recover_minutes=21.0), Month(incidents=1, drills=2)),
    )
    now, before = f"{NOW:%B}", f"{NOW.replace(day=1) - timedelta(days=1):%B}"
    assert (
        f"*{now}*: 1 incident, 2 drills\n{before}: 5 incidents, recovered in 21 min (median)"
        in lines(view)
    )
    assert now not in lines(home_of([], "U0ALICE", NOW, months=(Month(), Month())))
