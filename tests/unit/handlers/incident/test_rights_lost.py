"""Rights are checked when they are used.

Neither the time a form was opened nor a button's value counts.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from copy import deepcopy
from typing import Any

import pytest

from bot.clients.slack.client import Slack
from bot.clients.slack.people import SlackPeople
from bot.store.incident_store import Store
from phases.record.incident import Status
from sandbox.slack.channels import OTHER_TEAM, TEAM, person
from tests.support.worlds.handlers_world import COMMANDS, SEARCH, SHOP, House, house
from tests.support.worlds.rights import on_fire
from tests.support.worlds.slack_world import slack_world

OURS = SHOP.model_copy(update={"owners": ("@checkout-oncall",)})
UNOWNED = SEARCH.model_copy(update={"deployer": "command", "deploy": COMMANDS})


@pytest.fixture
async def home(store: Store, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    """A house that asks Slack each time.

    It acts as if the hour, or the ten seconds, of a kept answer were over.
    """
    monkeypatch.setattr("bot.clients.slack.people.CACHED_SECONDS", 0)
    monkeypatch.setattr("bot.clients.slack.channel_members.CACHED_SECONDS", 0)
    async with house(store, OURS, UNOWNED, private=True) as opened:
        workspace = opened.slack.workspace
        for id in ("U0REPORTER", "U0LEAD"):
            workspace.users[id] = person(id, id.lower(), "Somebody Full")
        yield opened


async def form_of(home: House, message: dict[str, Any]) -> dict[str, Any]:
    await home.slack.alice.click(message, "incident.rollback")
    await home.slack.alice.open_modal("incident.rollback")
    await home.idle()
    view = home.slack.alice.modal()
    assert view is not None
    return view


async def test_who_is_no_owner_any_more_when_the_form_is_sent_may_only_break_the_glass(
    home: House,
) -> None:
    _, message = await home.decision()
    view = await form_of(home, message)
    home.slack.workspace.usergroups["S0CHECKOUT"]["users"] = ["U0BOB"]
    await home.slack.alice.submit(view, {"target": "1.1.0"})
    glass = await home.slack.alice.open_modal("incident.break_glass")
    assert "Only the owners of this service deploy it: <@U0BOB>" in str(glass)
    assert (await home.newest()).status is Status.DECIDING


async def test_who_became_a_guest_since_is_refused_when_the_form_is_sent(home: House) -> None:
    _, message = await home.decision()
    view = await form_of(home, message)
    home.slack.workspace.users["U0ALICE"]["is_restricted"] = True
    await home.slack.alice.submit(view, {"target": "1.1.0"})
    assert "Only full members of this workspace" in str(home.slack.alice.modal())
    assert (await home.newest()).status is Status.DECIDING


@pytest.mark.parametrize("action", ["incident.save_draft", "incident.add_item"])
async def test_who_left_a_private_incidents_channel_gets_nothing_more_out_of_its_form(
    home: House, action: str
) -> None:
    incident, _ = await on_fire(home, 1, private=True)
    assert incident.channel is not None
    bob = home.slack.bob
    await bob.command("/incident fixed INC-0001 key revoked", incident.channel.id)
    await bob.command("/incident postmortem", incident.channel.id)
    await bob.open_modal("incident.postmortem")
    await home.idle()
    view = bob.modal()
    assert view is not None
    assert "Root cause" in str(view), "the form is filled"
    bob.leave(incident.channel.id)
    await bob.click(view, action)
    await home.idle()
    assert "There is no incident INC-0001" in str(bob.modal())
    assert incident.title not in str(bob.modal())
    assert await home.heard.ctx.drafts.of(incident.id) == [] or all(
        draft.parts is None for draft in await home.heard.ctx.drafts.of(incident.id)
    ), "nothing is kept of what they sent"


async def test_a_button_with_the_value_of_another_incident_deploys_nothing(home: House) -> None:
    """Its block says what it was made for; the seal of one decision opens no other."""
    first, message = await home.decision()
    second, _ = await on_fire(home, 2, private=True)
    assert second.channel is not None
    home.slack.workspace.join(home.slack.workspace.channel(second.channel.id), "U0ALICE")
    forged = deepcopy(message)
    for block in forged["blocks"]:
        for element in block.get("elements", []):
            if element.get("action_id") == "decision.rollback":
                element["value"] = json.dumps({"incident": second.id, "round": 1})
    await home.slack.alice.click(forged, "decision.rollback")
    await home.slack.alice.sees("The decision changed while you looked at it")
    for incident in (first, second):
        now = await home.dispatcher.load(incident.id)
        assert now is not None
        assert now.status is Status.DECIDING


async def test_a_service_without_owners_is_deployed_by_any_full_member(home: House) -> None:
    await home.slack.bob.command("/incident declare the search is slow")
    incident = await home.newest()
    await home.slack.bob.command(f"/incident hotfix {incident.id}")
    await home.slack.bob.open_modal("incident.hotfix")
    await home.idle()
    view = home.slack.bob.modal()
    assert view is not None
    await home.slack.bob.submit(view, {"fix": f"{'ab' * 20} fix/rate"})
    assert (await home.newest()).status is Status.MITIGATING


ENTERPRISE, ABROAD = "E0OURS", "E0THEIRS"


@pytest.mark.parametrize(
    ("enterprise", "shape", "member"),
    [
        (None, {"team_id": TEAM}, True),
        (None, {"team_id": OTHER_TEAM}, False),
        (None, {"team_id": OTHER_TEAM, "enterprise_user": {"enterprise_id": ENTERPRISE}}, False),
        (
            ENTERPRISE,
            {"team_id": OTHER_TEAM, "enterprise_user": {"enterprise_id": ENTERPRISE}},
            True,
        ),
        (ENTERPRISE, {"team_id": OTHER_TEAM, "enterprise_user": {"enterprise_id": ABROAD}}, False),
        (ENTERPRISE, {"team_id": OTHER_TEAM}, False),
        (ENTERPRISE, {"team_id": TEAM, "is_ultra_restricted": True}, False),
        (None, {"team_id": TEAM, "is_invited_user": True}, False),
        (None, {"team_id": TEAM, "is_workflow_bot": True}, False),
    ],
)
async def test_the_workspace_that_slack_names_tells_strangers_apart(
    enterprise: str | None, shape: dict[str, Any], member: bool
) -> None:
    """Other workspaces of an Enterprise are ours.

    A guest of Slack Connect is not, though `is_stranger` is not set.

    https://docs.slack.dev/reference/objects/user-object, https://docs.slack.dev/apis/slack-connect#external_members
    """
    async with slack_world() as world:
        world.workspace.users["U0SOME"] = {
            **person("U0SOME", "some", "Some Body"),
            **shape,
            "is_stranger": False,
        }
        slack = Slack(world.client.token or "", world.client.base_url)
        await slack.start()
        try:
            people = SlackPeople(slack, TEAM, enterprise)
            found_person = await people.person("U0SOME", None, enterprise)
        finally:
            await slack.aclose()
    assert found_person.member is member
