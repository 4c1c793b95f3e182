"""The post-mortem form's drafts: what somebody typed is not lost, and nobody overwrites anybody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.store.incident_store import Store
from phases.messages.commands import DecideFixed
from phases.messages.results import Looked
from phases.record.findings import LookVerdict
from phases.record.incident import Incident
from sandbox.slack.forms import state_values
from sandbox.slack.people import Person
from tests.support.values.factories import look
from tests.support.worlds.handlers_world import House, house


@pytest.fixture
async def home(store: Store) -> AsyncIterator[House]:
    async with house(store) as opened:
        yield opened


async def mitigated(home: House) -> Incident:
    incident, _ = await home.decision()
    await home.dispatch(DecideFixed(by="U0ALICE", round=1, sentence="flag off"), incident.id)
    return await home.dispatch(Looked(round=1, look=look(LookVerdict.RECOVERED)), incident.id)


async def form(home: House, person: Person, incident: Incident) -> dict[str, Any]:
    """Opened and filled, as it stands in front of this person."""
    assert incident.channel is not None
    await person.command("/incident postmortem", incident.channel.id)
    return await person.open_modal("incident.postmortem", text="Action item 1")


def typed(home: House, view: dict[str, Any]) -> dict[str, str]:
    """Return the values of a view's fields: initial values and the input typed over them."""
    values = state_values(view["blocks"], home.slack.workspace.modals.typed.get(view["id"], {}))
    return {
        block: (fields.get("value") or {}).get("value") or "" for block, fields in values.items()
    }


async def test_what_the_evidence_says_stands_in_the_form(home: House) -> None:
    fields = typed(home, await form(home, home.slack.alice, await mitigated(home)))
    assert fields["tests"] == (
        "ZeroDivisionError in shop/pay.py, total. None of the 41 test files names that file. "
        "It slipped through because …"
    )
    assert "A person said it first" in fields["monitoring"]
    assert "No alert fired." in fields["monitoring"]
    assert fields["impact"].startswith("37 users (counted over 15 min), payment and cart")


async def test_another_item_keeps_what_was_typed_up_to_ten(home: House) -> None:
    alice = home.slack.alice
    view = await form(home, alice, await mitigated(home))
    alice.fill(
        view,
        {"root_cause": "a table was empty", "item_3": "canary", "incident.item.kind.3": "gates"},
    )
    for rows in range(4, 11):
        await alice.click(view, "incident.add_item")
        view = await alice.open_modal(text=f"Action item {rows}")
    assert "incident.add_item" not in str(view)
    assert typed(home, view)["root_cause"] == "a table was empty"
    alice.fill(view, {"item_10": "the tenth", "incident.item.kind.10": "tests"})
    await alice.submit(
        view, {"monitoring": "No alert on payments.", "tests": "No test without a rate."}
    )
    written = (await home.newest()).postmortem
    assert written is not None
    assert [(item.kind, item.text) for item in written.items[-2:]] == [
        ("gates", "canary"),
        ("tests", "the tenth"),
    ]


@pytest.mark.parametrize("how", ["save", "close", "choose", "refused"])
async def test_a_draft_is_there_when_the_form_is_opened_again(home: House, how: str) -> None:
    incident, alice = await mitigated(home), home.slack.alice
    view = await form(home, alice, incident)
    alice.fill(
        view,
        {
            "root_cause": "a table was empty",
            "item_1": "fill the table",
            "incident.item.owner.1": "U0BOB",
        },
    )
    match how:
        case "save":
            await alice.click(view, "incident.save_draft")
            await alice.open_modal(text="Draft saved")
        case "close":
            await alice.close(view)
        case "choose":
            await alice.choose(view, "incident.item.due.1", "2027-01-31")
        case _:
            await alice.submit(view, {"revisit": "tbd"})
    view = await form(home, alice, incident)
    assert "Your draft of" in str(view)
    fields = typed(home, view)
    assert (fields["root_cause"], fields["item_1"]) == ("a table was empty", "fill the table")
    assert "'initial_user': 'U0BOB'" in str(view)


async def test_slack_sends_nothing_of_a_closed_form_and_the_draft_stays(home: House) -> None:
    """`view_closed` may come with an empty state: https://docs.slack.dev/reference/interaction-payloads/view-interactions-payload"""
    incident, alice = await mitigated(home), home.slack.alice
    view = await form(home, alice, incident)
    alice.fill(view, {"root_cause": "a table was empty"})
    await alice.click(view, "incident.save_draft")
    body = {
        "type": "view_closed",
        "user": {"id": "U0ALICE", "team_id": view["team_id"]},
        "view": {**(await alice.open_modal(text="Draft saved")), "state": {"values": {}}},
    }
    assert (await home.slack.delivery.interaction(body)).ok
    view = await form(home, alice, incident)
    assert typed(home, view)["root_cause"] == "a table was empty"


async def test_the_second_who_writes_sees_the_first_and_neither_is_overwritten(home: House) -> None:
    incident, alice, bob = await mitigated(home), home.slack.alice, home.slack.bob
    hers = await form(home, alice, incident)
    his = await form(home, bob, incident)
    assert "<@U0ALICE> has had this form open since" in str(his)
    alice.fill(hers, {"root_cause": "a table was empty"})
    await alice.click(hers, "incident.save_draft")
    bob.fill(his, {"root_cause": "the importer died"})
    await bob.click(his, "incident.save_draft")

    hers = await form(home, alice, incident)
    assert typed(home, hers)["root_cause"] == "a table was empty", "her own comes first"
    assert "<@U0BOB> saved one," in str(hers)
    await alice.click(hers, "incident.take_draft")
    hers = await alice.open_modal(text="’s draft of")
    assert typed(home, hers)["root_cause~2"] == "the importer died"
    wrong = {"revisit~2": "tbd"}
    await alice.submit(hers, wrong)
    assert set(alice.errors(hers)) == {"revisit~2", "monitoring~2", "tests~2"}
    his = await form(home, bob, incident)
    assert typed(home, his)["root_cause"] == "the importer died"


async def test_whoever_never_wrote_goes_on_where_another_stopped(home: House) -> None:
    incident, alice, bob = await mitigated(home), home.slack.alice, home.slack.bob
    hers = await form(home, alice, incident)
    alice.fill(hers, {"root_cause": "a table was empty"})
    await alice.close(hers)
    his = await form(home, bob, incident)
    assert "<@U0ALICE>’s draft of" in str(his)
    assert "has had this form open" not in str(his), "she closed it"
    assert typed(home, his)["root_cause"] == "a table was empty"
