"""Traffic in the test on counts: its limits move the right way, and what is not known is said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phases.record.findings import LookVerdict
from phases.record.traffic_seen import TrafficBefore, TrafficSeen
from phases.shared.counts import Measured
from phases.verification.event_counts import (
    OLD_RATE,
    STRAGGLERS,
    limits,
    lingers,
    not_helping,
    straggling,
)
from phases.verification.traffic import LEAST_REQUESTS, UNKNOWN, UNKNOWN_FALL, Load, load
from phases.verification.verdicts import verdict
from tests.bench.watched import rates

DAY = 1440.0
per_minute = st.floats(0.01, 600)
shares = st.floats(0, 4)


def seen(per_minute: float, minutes: float, rate: float = 1.0) -> TrafficSeen:
    requests = per_minute * minutes
    return TrafficSeen(requests=requests, kept=round(requests * rate), minutes=minutes)


def before(per_minute: float = 600, rate: float = 1.0) -> TrafficBefore:
    return TrafficBefore(usual=seen(per_minute, DAY, rate), burning=seen(per_minute, 15, rate))


def of(share: float) -> Load:
    return Load(of_fire=share, of_fire_least=share, of_usual=share, of_usual_most=share)


@given(shares)
def test_whole_traces_tell_the_share_itself(share: float) -> None:
    seen_now = load(
        before(), TrafficSeen(requests=600 * share * 4, kept=round(2400 * share), minutes=4)
    )
    assert seen_now.known
    assert seen_now.share == pytest.approx(share)
    assert seen_now.gone == (share == 0)


@given(st.floats(0.05, 4))
def test_a_sample_tells_less_and_a_smaller_one_still_less(share: float) -> None:
    tenth = load(before(rate=0.1), seen(600 * share, 4, 0.1))
    thin = load(before(rate=0.02), seen(600 * share, 4, 0.02))
    assert tenth.of_fire == pytest.approx(thin.of_fire) == pytest.approx(share)
    assert thin.of_fire_least <= tenth.of_fire_least <= share
    assert thin.of_usual_most >= tenth.of_usual_most >= share


def test_what_nobody_measured_is_not_known():
    now = seen(600, 4)
    few = TrafficSeen(requests=20, kept=LEAST_REQUESTS - 1, minutes=15)
    assert load(None, now) == UNKNOWN
    assert load(TrafficBefore(), now) == UNKNOWN
    assert load(before(), None) == UNKNOWN
    assert load(TrafficBefore(usual=few, burning=few), now) == UNKNOWN
    thin = load(before(rate=0.001), TrafficSeen(requests=0, kept=0, minutes=4))
    assert not thin.known
    assert thin.of_fire_least < UNKNOWN_FALL, "a sample of nothing may be a fall to nothing"


def test_an_outage_is_measured_against_the_usual_traffic():
    nobody_came = TrafficBefore(usual=seen(600, DAY), burning=seen(0, 15))
    assert load(nobody_came, seen(600, 4)).of_fire == 1
    assert load(nobody_came, seen(0, 4)).gone


@given(per_minute, per_minute, st.floats(1, 30), shares, shares)
def test_more_traffic_allows_more_and_asks_for_less_quiet(
    usual: float, burning: float, minutes: float, one: float, other: float
) -> None:
    less, more = sorted((one, other))
    base, fire = Measured(usual, DAY), Measured(burning, 15)
    low, high = limits(base, fire, minutes, of(less)), limits(base, fire, minutes, of(more))
    assert low.allowed <= high.allowed
    assert low.quiet <= high.quiet
    assert low.unchanged <= high.unchanged
    assert limits(base, fire, minutes, UNKNOWN).recovered <= limits(base, fire, minutes).recovered


@given(per_minute, per_minute, st.floats(0.5, 9), st.integers(0, 5000), st.integers(0, 5000))
def test_more_events_are_never_a_sign_of_help(
    usual: float, burning: float, minutes: float, one: int, other: int
) -> None:
    fewer, more = sorted((one, other))
    known = Measured(usual, DAY), Measured(burning, 15), minutes
    assert not_helping(fewer, *known) <= not_helping(more, *known)
    assert not_helping(fewer, *known, UNKNOWN) <= not_helping(fewer, *known)
    assert not_helping(fewer, *known, of(3)) <= not_helping(fewer, *known, of(1))


@given(per_minute, per_minute, st.floats(0.5, 9), st.integers(0, 5000))
def test_no_number_is_recovery_and_not_helping(
    usual: float, burning: float, minutes: float, events: int
) -> None:
    base, fire = Measured(usual, DAY), Measured(burning, 15)
    held = limits(base, fire, minutes)
    assert not (not_helping(events, base, fire, minutes) and events <= held.recovered)


def test_numbers_that_people_can_check():
    base, fire = Measured(1, DAY), Measured(45, 15)
    assert verdict(4, limits(base, fire, 4, of(1)), None, (), of(1))[0] is LookVerdict.RECOVERED
    third = of(0.3)
    assert verdict(4, limits(base, fire, 4, third), None, (), third)[1] == (
        "4 events where up to 9 are normal, about 54 if nothing had changed",
        "traffic is 30 % of what it was during the fire",
    )
    tenth = of(0.1)
    judged, why = verdict(4, limits(base, fire, 4, tenth), None, (), tenth)
    assert judged is LookVerdict.TOO_FEW, "18 events where 180 would have come is no recovery"
    assert why[-1] == "too little to tell below 20"
    nobody = of(0)
    judged, why = verdict(0, limits(base, fire, 4, nobody), None, (), nobody)
    assert (judged, why[-1]) == (
        LookVerdict.TOO_FEW,
        "there is no traffic, so silence proves nothing",
    )


def test_unknown_traffic_asks_where_a_third_of_it_would_be_as_quiet():
    base, fire = Measured(0, DAY), Measured(10, 15)
    judged, why = verdict(0, limits(base, fire, 4, UNKNOWN), None, (), UNKNOWN)
    assert judged is LookVerdict.TOO_FEW
    assert why[1:] == (
        "traffic is unknown",
        "a fall to 30 % would explain the quiet",
    )
    loud = Measured(30, 15)
    assert verdict(0, limits(base, loud, 4, UNKNOWN), None, (), UNKNOWN)[0] is LookVerdict.RECOVERED


def test_forty_a_minute_that_go_on_are_told_within_two_minutes():
    base, fire = Measured(1, DAY), Measured(40, 15)
    assert not_helping(80, base, fire, 2)
    assert not_helping(60, base, fire, 2)
    assert not not_helping(20, base, fire, 2), "a quarter of it may be what is left"
    assert not not_helping(15, base, Measured(10, 15), 1), "so few say nothing"


@given(st.floats(0, 5000), st.floats(0, 5000))
def test_stragglers_are_a_small_part_of_the_fire(one: float, other: float) -> None:
    less, more = sorted((one, other))
    assert STRAGGLERS <= straggling(less) <= straggling(more)
    assert straggling(1000) < 250


@given(st.floats(0, 5000), st.floats(0, 60), st.floats(0, 60))
def test_stragglers_decline(would_have_come: float, one: float, other: float) -> None:
    sooner, later = sorted((one, other))
    assert lingers(would_have_come, later) <= lingers(would_have_come, sooner)
    assert lingers(would_have_come, sooner) <= max(OLD_RATE * would_have_come, STRAGGLERS)
    assert lingers(600, 40) < 240, "at 0.4 of the old rate it still answers"


def test_the_rates_of_wrong_verdicts_hold_over_a_few_hundred_series():
    """`make bench` draws thousands; here each rate may be twice its limit, and three by chance."""
    for what, many, rate, most in rates(150, 7):
        if most is not None:
            assert rate * many <= 2 * most * many + 3, what
