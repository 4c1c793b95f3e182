"""An open App Home follows what changes, and costs next to nothing while nothing does."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator

import pytest

from bot.store.home_viewers import StoreViewers
from bot.store.incident_store import Store
from handlers.events import app_home as homes
from phases.messages.commands import SetSeverity, TakeLead
from phases.record.incident import Severity
from sandbox.faults import Fault
from sandbox.slack.block_kit.blocks import plain
from tests.support.worlds.handlers_world import House, house


@pytest.fixture
async def place(store: Store) -> AsyncIterator[House]:
    async with house(store) as home:
        yield home


def published(place: House) -> int:
    return sum(call.method == "views.publish" for call in place.slack.workspace.calls)


async def turn_ends(store: Store) -> None:
    """Expire the turn as Redis does when the replica that draws was killed."""
    assert await store.redis.delete(f"{store.keys.prefix}:homes:turn") == 1


def shown(place: House) -> str:
    return plain(place.slack.alice.home() or {"blocks": []})


async def test_it_is_drawn_again_only_where_something_is_different(place: House) -> None:
    watching = homes.Homes(place.heard.ctx)
    await place.slack.alice.open_home()
    await place.idle()
    await watching.redraw()
    assert published(place) == 1
    await watching.redraw()
    assert published(place) == 1, "nothing has changed"

    incident, _ = await place.decision()
    await watching.redraw()
    assert "you lead" in shown(place)
    drawn = published(place)
    await watching.redraw()
    assert published(place) == drawn

    await place.dispatch(SetSeverity(by="U0BOB", severity=Severity.SEV4), incident.id)
    await watching.redraw()
    assert "SEV4" in shown(place)
    assert published(place) == drawn + 1


@pytest.mark.parametrize("fault", [Fault(status=503), Fault(status=429, retry_after=1)])
async def test_what_slack_did_not_take_is_drawn_again_though_nothing_changes(
    place: House, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    monkeypatch.setattr(homes, "AGAIN_SECONDS", 0.0)
    drawing = homes.Homes(place.heard.ctx)
    await place.slack.alice.open_home()
    await place.idle()
    await place.decision()
    place.slack.faults.next("slack.views.publish", fault)
    await drawing.redraw()
    assert "you lead" not in shown(place)
    await drawing.redraw()
    assert "you lead" in shown(place)


async def test_who_does_not_look_any_more_is_left_alone(
    place: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(homes, "OPEN_SECONDS", -1)
    drawing = homes.Homes(place.heard.ctx)
    await place.slack.alice.open_home()
    await place.idle()
    before = published(place)
    await place.decision()
    await drawing.redraw()
    assert published(place) == before


async def test_another_replica_goes_on_drawing_when_this_one_is_gone_and_only_one_at_a_time(
    place: House, store: Store
) -> None:
    drawing = homes.Homes(place.heard.ctx)
    await place.slack.alice.open_home()
    await place.idle()
    await drawing.redraw()
    other = homes.Homes(dataclasses.replace(place.heard.ctx, viewers=StoreViewers(store)))
    await place.decision()
    before = published(place)
    await other.redraw()
    assert published(place) == before, "it is not its turn"
    await turn_ends(store)
    await other.redraw()
    assert published(place) == before + 1
    assert "you lead" in shown(place)
    await drawing.redraw()
    assert published(place) == before + 1, "and now it is the other one's"
    await turn_ends(store)
    await homes.Homes(dataclasses.replace(place.heard.ctx, viewers=StoreViewers(store))).redraw()
    assert published(place) == before + 1, "who begins to draw knows what is shown"


async def test_a_click_there_is_answered_in_a_window_of_its_own(place: House) -> None:
    incident, _ = await place.decision()
    await place.dispatch(TakeLead(by="U0BOB", lead="U0BOB"), incident.id)
    await place.slack.bob.open_home()
    await place.idle()
    button = {
        "type": "button",
        "action_id": "incident.lead",
        "value": f'{{"incident":"{incident.id}"}}',
    }
    stale = {
        "type": "home",
        "blocks": [
            {
                "type": "actions",
                "elements": [{**button, "text": {"type": "plain_text", "text": "x"}}],
            }
        ],
    }
    await place.slack.client.views_publish(user_id="U0BOB", view=stale)  # as it was before he led
    view = place.slack.bob.home()
    assert view is not None
    await place.slack.bob.click(view, "incident.lead")
    await place.idle()
    assert "leads INC-0001 already" in plain(await place.slack.bob.open_modal("incident.told"))
