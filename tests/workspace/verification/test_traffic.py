"""Traffic and stragglers: quiet without visitors is no recovery, an old tab is no return."""

from __future__ import annotations

import time

import pytest

from sandbox.slack.people import plain
from sandbox.world import World
from tests.support.bots.stage import burn, declared, eventually, messages_with, status


async def test_where_nobody_comes_any_more_quiet_is_no_recovery(small: World):
    alice = small.alice
    burn(small)
    channel = await declared(alice, "checkout is failing")
    decision = await alice.sees("Recommended: roll back", channel)
    small.sentry.traffic(0, since=time.time())
    await alice.click(decision, "decision.rollback")
    asked = plain(await alice.sees("Does it work for users again?", channel))
    assert "There is no traffic, so silence proves nothing" in asked
    assert "Traffic is 0 % of what it was during the fire" in asked
    assert not messages_with(alice, channel, "*Recovered.*")


async def test_where_traffic_is_not_known_a_person_is_asked_what_a_fall_of_it_explains(
    small: World,
):
    alice = small.alice
    small.sentry.traces.flows.clear()
    burn(small, every=0.15)
    channel = await declared(alice, "checkout is failing")
    decision = await alice.sees("Recommended: roll back", channel)
    await alice.click(decision, "decision.rollback")
    asked = await alice.sees("Does it work for users again?", channel)
    assert "Traffic is unknown" in plain(asked)
    assert "A fall to 30 % would explain the quiet" in plain(asked)
    await alice.click(asked, "incident.recovered")
    await alice.sees("*Recovered.*", channel)


@pytest.mark.slow
async def test_the_shop_is_traced_and_its_levers_move_traffic_and_old_tabs(world: World):
    shop, alice = world.shop, world.alice
    assert shop is not None
    act = world.page.panel.act
    assert await act("old-tabs", True) == "No release was taken back yet."
    await shop.break_everything()
    channel = await alice.channel("inc-0001-")
    decision = await alice.sees("Recommended: roll back", channel)
    await alice.click(decision, "decision.rollback")
    await alice.sees_change(decision, "would have come")
    recovered = plain(await alice.sees("*Recovered.*", channel))
    assert "Traffic is unknown" not in recovered

    # An old tab of the release that was taken back is no return, whatever an alert says of it.
    assert await act("old-tabs", True) is None
    event = world.sentry.events[-1]
    assert event.release != f"shop@{(shop.current_release() or '').removeprefix('v')}"
    assert (await world.alerts.event_alert(event)).status == 200
    straggler = await eventually(
        world, lambda: messages_with(alice, channel, "not a return"), "the straggler"
    )
    assert "which no longer runs" in plain(straggler[0])
    assert "Users are fine" in status(channel)
    assert not messages_with(alice, channel, "Decision 2")

    # People stay away, and Sentry's traces tell of it.
    assert await act("people-away", True) is None
    began = time.time()

    def requests_between(since: float, until: float) -> float:
        requests, _ = world.sentry.traces.counted(since, until, lambda _: True)
        return requests / (until - since)

    before = requests_between(began - 10, began)
    await eventually(
        world,
        lambda: (
            time.time() > began + 12 and requests_between(time.time() - 6, time.time()) < before / 2
        ),
        "traffic falls",
    )
    assert await act("people-away", False) is None
    assert shop.traffic.away == 0
