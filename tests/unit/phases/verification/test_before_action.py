"""What looks are compared with, and the newest minutes of the last check."""

from __future__ import annotations

from datetime import timedelta
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phases.record.findings import EndpointAnswer, Look, LookVerdict
from phases.record.traffic_seen import BeforeAction
from phases.shared.counts import POISSON, SPREAD_ASSUMED, SPREAD_MOST, Measured, scatter
from phases.verification.before_action import baseline, before_action, burning_rate
from phases.verification.event_counts import limits_for
from phases.verification.recheck import Recheck
from tests.support.worlds.recovery import CLOCK, burned
from tests.support.worlds.sentry_world import SHOP, World, world

counts = st.lists(st.integers(0, 500), max_size=60)


@given(counts)
def test_scatter_is_that_of_the_counts_in_either_direction_and_bounded(minutes: list[int]) -> None:
    assert POISSON <= scatter(minutes) <= SPREAD_MOST
    assert scatter(minutes) == scatter(minutes[::-1])
    assert scatter(minutes, 1.0) <= scatter(minutes, SPREAD_ASSUMED)


@given(st.integers(0, 3), st.integers(0, 200))
def test_few_minutes_or_no_events_tell_little(many: int, count: int) -> None:
    assert scatter([0] * many) == SPREAD_ASSUMED
    assert abs(scatter([count] * many) - SPREAD_ASSUMED) < 0.7


def test_bursts_are_scatter_and_the_hours_of_a_day_are_none():
    steady, bursts = [6] * 400, [0, 0, 0, 24] * 100
    hours = [1 + minute // 40 for minute in range(400)]
    assert scatter(steady) == POISSON
    assert scatter(hours) == POISSON
    assert scatter(bursts) == SPREAD_MOST
    assert scatter([*steady, *bursts]) > SPREAD_ASSUMED


def test_trouble_of_a_job_may_be_as_quiet_as_the_minutes_between_its_runs():
    runs = [200, 0, 0, 0, 0, 0] * 5
    rate = sum(runs) / len(runs)
    capped, whole = (Measured(rate, 30, scatter(runs, most=most)) for most in (SPREAD_MOST, inf))
    calm = Measured(0, 1440)
    assert limits_for(calm, capped, 4).recovered >= 0
    assert limits_for(calm, whole, 4).recovered == -1, "four minutes may lie between two runs"


async def before(w: World) -> BeforeAction:
    burning = await burned(w)
    answer = await before_action(
        burning, SHOP, w.client, ids_of(burning.triage), burning.rounds[0], CLOCK
    )
    assert isinstance(answer, tuple)
    measured, remembered = answer
    assert remembered
    known = baseline(burning, measured)
    assert known.spread == (
        SPREAD_ASSUMED if measured.calm_spread is None else measured.calm_spread
    )
    in_round = burning.rounds[0].model_copy(update={"before": measured})
    remembering = burning.model_copy(update={"rounds": (in_round,)})
    assert baseline(remembering) == known, "the guard knows it from the round"
    return measured


def ids_of(report: object) -> tuple[str, ...]:
    return tuple(getattr(report, "issue_ids", ()))


async def test_a_steady_fire_scatters_less_than_is_assumed():
    async with world() as w:
        measured = await before(w)
    assert measured.calm_spread == SPREAD_ASSUMED, "nothing came before, so nothing tells"
    assert measured.burning_spread is not None
    assert measured.burning_spread < SPREAD_ASSUMED
    assert burning_rate(measured).spread == measured.burning_spread


async def test_where_sentry_has_no_minutes_the_widest_scatter_is_assumed():
    async with world() as w:
        w.refusing.refuse("/events-timeseries/", status=404)
        w.refusing.refuse("/events-stats/", status=404)
        measured = await before(w)
    assert (measured.calm_spread, measured.burning_spread) == (None, None)
    assert burning_rate(measured).spread == SPREAD_ASSUMED
    old = BeforeAction.model_validate({"events": 60, "minutes": 10})
    assert burning_rate(old).spread == SPREAD_ASSUMED, "a record of an older version"


# --- the newest minutes of the last check ---------------------------------------------------------


async def checked(w: World, minutes: float, *, number: int = 2, doubt: str = "") -> Look:
    burning = await burned(w)
    w.local.load(
        "Oops: a",
        at=CLOCK + timedelta(seconds=70),
        every=4,
        times=30,
        transaction="/cart",
        release=None,
        function="f",
    )
    at = CLOCK + timedelta(minutes=minutes)
    check = Recheck(burning, SHOP, w.client, NoEndpoint(), at, doubt)
    looked = await check.look(1, number)
    return looked.look


class NoEndpoint:
    async def call(self, url: str) -> EndpointAnswer:
        raise AssertionError("no endpoint is configured")


async def test_what_old_tabs_brought_first_is_no_trouble_at_the_last_check():
    async with world() as w:
        look = await checked(w, 10)
    assert look.verdict is LookVerdict.RECOVERED
    assert (look.events, look.minutes) == (0, 5.0)
    assert "only the newest 5 min count; 30 events came before" in look.reasons


@pytest.mark.parametrize(("minutes", "doubt"), [(5, ""), (10, "the clock was set")])
async def test_the_first_check_and_a_doubted_clock_know_no_newest_minutes(
    minutes: float, doubt: str
) -> None:
    async with world() as w:
        look = await checked(w, minutes, doubt=doubt)
    assert look.verdict is not LookVerdict.RECOVERED
    assert look.events == 30


async def test_trouble_that_goes_on_in_the_newest_minutes_is_not_recovered():
    async with world() as w:
        await burned(w)
        w.local.load(
            "Oops: a",
            at=CLOCK + timedelta(minutes=6),
            every=6,
            times=40,
            transaction="/cart",
            release="v2",
            function="f",
        )
        look = await checked(w, 10)
    assert look.verdict is LookVerdict.NOT_RECOVERED
    assert look.events == 70
