"""Traffic as Sentry's traces tell it, at the local Sentry over real HTTP."""

from __future__ import annotations

import pytest

from phases.ports.ports import PortError
from phases.record.traffic_seen import TrafficSeen
from sandbox.faults import Fault
from tests.support.worlds.sentry_world import SHOP, World, ago, world


async def asked(w: World, minutes: float = 4, until: float = 0) -> TrafficSeen | None:
    return await w.client.traffic(SHOP, ago(until + minutes), ago(until))


@pytest.mark.parametrize("minutes", [0.05, 0.25, 1, 4, 90, 1440])
async def test_requests_of_a_span_are_all_of_them_whatever_its_length(minutes: float) -> None:
    async with world(traces=False) as w:
        w.burn("/cart")
        w.local.traffic(3, since=ago(3000))
        traffic = await asked(w, minutes)
    assert traffic is not None
    assert traffic.requests == traffic.kept == pytest.approx(180 * minutes, abs=1)
    assert traffic.doubt == 0


async def test_a_sample_is_extrapolated_and_known_to_be_one() -> None:
    async with world(traces=False) as w:
        w.burn("/cart")
        w.local.traffic(100, since=ago(30), rate=0.1)
        traffic = await asked(w)
    assert traffic is not None
    assert (traffic.requests, traffic.kept) == (24_000, 2_400)
    assert traffic.doubt == pytest.approx(0.9 / 2400)


async def test_traffic_that_stops_is_nothing_and_another_project_is_not_ours() -> None:
    async with world(traces=False) as w:
        w.burn("/cart")
        w.local.traffic(5, since=ago(30))
        w.local.traffic(0, since=ago(4))
        w.local.traffic(50, since=ago(30), project="payments")
        w.local.traffic(50, since=ago(30), environment="staging")
        now, earlier = await asked(w), await asked(w, 10, 4)
    assert now == TrafficSeen(requests=0, kept=0, minutes=4)
    assert earlier is not None
    assert earlier.requests == 3000


async def test_an_older_sentry_is_asked_for_transactions_and_remembered() -> None:
    async with world(traces=False, counting=True) as w:
        w.burn("/cart")
        w.local.spans = False
        w.local.traffic(5, since=ago(30))
        await asked(w)
        assert w.calls is not None
        w.calls.paths.clear()
        traffic = await asked(w)
        assert len(w.calls.paths) == 1
        assert "dataset=transactions" in w.calls.paths[0]
    assert traffic is not None
    assert traffic.requests == 1200


async def test_without_traces_nothing_is_known() -> None:
    async with world(discover=False) as w:
        w.burn("/cart")
        assert await asked(w) is None
    async with world() as w:
        assert await asked(w, 0) is None, "no time at all"


async def test_a_sentry_that_is_away_says_so() -> None:
    async with world() as w:
        w.burn("/cart")
        w.faults.always("sentry.timeseries", Fault(status=503))
        with pytest.raises(PortError) as caught:
            await asked(w)
    assert caught.value.retryable


async def test_both_sides_of_a_minute_are_told_by_one_call() -> None:
    async with world(traces=False, counting=True) as w:
        w.burn("/cart")
        w.local.traffic(2, since=ago(3000))
        w.local.traffic(6, since=ago(10))
        both_sides = await w.client.traffic_around(SHOP, ago(70), ago(10), ago(5))
        assert w.calls is not None
        assert len([path for path in w.calls.paths if "is_transaction" in path]) == 1
        apart = [await w.client.traffic(SHOP, ago(70), ago(10)), await asked(w, 5, 5)]
    assert both_sides is not None
    for side, alone in zip(both_sides, apart, strict=True):
        assert alone is not None
        assert side.minutes == pytest.approx(alone.minutes)
        assert side.per_minute == pytest.approx(alone.per_minute, rel=0.15), "cut to whole minutes"
