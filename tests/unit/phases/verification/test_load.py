"""Traffic in the test on counts: its limits move the right way, and what is not known is said."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phases.record.findings import LookVerdict
from phases.record.traffic_seen import TrafficBefore, TrafficSeen
from phases.shared.counts import Measured
from phases.verification.event_counts import (
    MENDED_ODDS,
    MENDED_ODDS_EARLY,
    RETURNED_SHARE,
    STRAGGLERS,
    Half,
    limits_for,
    most_stragglers,
    most_stragglers_later,
    surely_goes_on,
)
from phases.verification.traffic import (
    REQUESTS_LEAST,
    UNKNOWN,
    UNKNOWN_FALL,
    Traffic,
    compare_traffic,
)
from phases.verification.verdicts import judge_look
from tests.bench.watched import rates

DAY = 1440.0
per_minute = st.floats(0.01, 600)
shares = st.floats(0, 4)


def traffic(per_minute: float, minutes: float, rate: float = 1.0) -> TrafficSeen:
    requests = per_minute * minutes
    return TrafficSeen(requests=requests, kept=round(requests * rate), minutes=minutes)


def before(per_minute: float = 600, rate: float = 1.0) -> TrafficBefore:
    return TrafficBefore(
        usual=traffic(per_minute, DAY, rate), burning=traffic(per_minute, 15, rate)
    )


def halves(events: int, minutes: float) -> tuple[Half, Half]:
    """So many events of no known release in each half of a look; it lasts twice the minutes."""
    part = Half(events, minutes, events)
    return part, part


def of(share: float) -> Traffic:
    return Traffic(of_fire=share, of_fire_least=share, of_usual=share, of_usual_most=share)


@given(shares)
def test_whole_traces_tell_the_share_itself(share: float) -> None:
    seen_now = compare_traffic(
        before(), TrafficSeen(requests=600 * share * 4, kept=round(2400 * share), minutes=4)
    )
    assert seen_now.known
    assert seen_now.share == pytest.approx(share)
    assert seen_now.gone == (share == 0)


@given(st.floats(0.05, 4))
def test_a_sample_tells_less_and_a_smaller_one_still_less(share: float) -> None:
    tenth = compare_traffic(before(rate=0.1), traffic(600 * share, 4, 0.1))
    thin = compare_traffic(before(rate=0.02), traffic(600 * share, 4, 0.02))
    assert tenth.of_fire == pytest.approx(thin.of_fire) == pytest.approx(share)
    assert thin.doubt > tenth.doubt > 0
    fires = [
        limits_for(Measured(1, DAY), Measured(100, 15), 4, sampled).quiet
        for sampled in (thin, tenth)
    ]
    assert (
        fires[0] <= fires[1] <= limits_for(Measured(1, DAY), Measured(100, 15), 4, of(share)).quiet
    )
    assert thin.of_usual_most >= tenth.of_usual_most >= share


def test_what_nobody_measured_is_not_known():
    now = traffic(600, 4)
    few = TrafficSeen(requests=20, kept=REQUESTS_LEAST - 1, minutes=15)
    assert compare_traffic(None, now) == UNKNOWN
    assert compare_traffic(TrafficBefore(), now) == UNKNOWN
    assert compare_traffic(before(), None) == UNKNOWN
    assert compare_traffic(TrafficBefore(usual=few, burning=few), now) == UNKNOWN
    thin = compare_traffic(before(rate=0.001), TrafficSeen(requests=0, kept=0, minutes=4))
    assert not thin.known
    assert thin.of_fire_least < UNKNOWN_FALL, "a sample of nothing may be a fall to nothing"


def test_an_outage_is_measured_against_the_usual_traffic():
    nobody_came = TrafficBefore(usual=traffic(600, DAY), burning=traffic(0, 15))
    assert compare_traffic(nobody_came, traffic(600, 4)).of_fire == 1
    assert compare_traffic(nobody_came, traffic(0, 4)).gone


@given(per_minute, per_minute, st.floats(1, 30), shares, shares)
def test_more_traffic_allows_more_and_asks_for_less_quiet(
    usual: float, burning: float, minutes: float, first: float, other: float
) -> None:
    less, more = sorted((first, other))
    base, fire = Measured(usual, DAY), Measured(burning, 15)
    low, high = limits_for(base, fire, minutes, of(less)), limits_for(base, fire, minutes, of(more))
    assert low.allowed <= high.allowed
    assert low.quiet <= high.quiet
    assert low.unchanged <= high.unchanged
    assert (
        limits_for(base, fire, minutes, UNKNOWN).recovered
        <= limits_for(base, fire, minutes).recovered
    )


@given(per_minute, per_minute, st.floats(0.5, 9), st.integers(0, 5000), st.integers(0, 5000))
def test_more_events_are_never_a_sign_of_help(
    usual: float, burning: float, minutes: float, first: int, other: int
) -> None:
    fewer, more = sorted((first, other))
    known = Measured(usual, DAY), Measured(burning, 15)
    few, many = halves(fewer, minutes), halves(more, minutes)
    assert surely_goes_on(few, *known) <= surely_goes_on(many, *known)
    assert surely_goes_on(few, *known, UNKNOWN) <= surely_goes_on(few, *known)
    assert surely_goes_on(few, *known, of(3)) <= surely_goes_on(few, *known, of(1))
    named = tuple(replace(part, nameless=0) for part in few)
    assert surely_goes_on(few, *known) <= surely_goes_on(named, *known), (
        "of the old release are none"
    )


@given(per_minute, per_minute, st.floats(0.5, 9), st.integers(0, 5000))
def test_no_number_is_recovery_and_not_helping(
    usual: float, burning: float, minutes: float, events: int
) -> None:
    base, fire = Measured(usual, DAY), Measured(burning, 15)
    held = limits_for(base, fire, minutes)
    goes_on = surely_goes_on(halves(events, minutes), base, fire)
    assert not (goes_on and 2 * events <= held.recovered)


@given(per_minute, per_minute, st.floats(0.5, 9), st.integers(0, 5000))
def test_one_burst_is_no_trouble_that_goes_on(
    usual: float, burning: float, minutes: float, events: int
) -> None:
    burst, quiet = Half(events, minutes, 0), Half(0, minutes, 0)
    known = Measured(usual, DAY), Measured(burning, 15)
    assert not surely_goes_on((burst, quiet), *known)
    assert not surely_goes_on((quiet, burst), *known)


def test_what_declines_is_no_trouble_that_goes_on():
    base, fire = Measured(2, DAY), Measured(200, 15)
    declines = Half(290, 1.5, 0), Half(70, 1.5, 0)
    assert not surely_goes_on(declines, base, fire)
    assert surely_goes_on((declines[0], Half(80, 1.5, 0)), base, fire), (
        "half of it, some of it late"
    )


def test_what_falls_to_a_third_declines_however_loud_it_still_is():
    base, fire = Measured(2, DAY), Measured(200, 15)
    storm = Half(900, 1, 0)
    assert not surely_goes_on((storm, Half(250, 1, 0, came=250)), base, fire)
    assert surely_goes_on((storm, Half(310, 1, 0, came=310)), base, fire)


def test_events_that_come_late_make_no_decline():
    base, fire = Measured(2, DAY), Measured(200, 15)
    late = Half(190, 1, 0), Half(60, 1, 0, came=195)
    assert surely_goes_on(late, base, fire)
    assert not surely_goes_on((late[0], replace(late[1], came=60)), base, fire), "it is quieter now"


def test_a_check_of_few_minutes_leaves_more_to_a_longer_one():
    base, fire = Measured(1, DAY), Measured(20, 15)
    early, late = (
        limits_for(base, fire, 4, odds=odds).recovered for odds in (MENDED_ODDS_EARLY, MENDED_ODDS)
    )
    assert 0 < early < late


def test_what_is_mended_by_four_fifths_is_no_trouble_that_goes_on():
    base, fire = Measured(1, DAY), Measured(200, 15)
    assert not surely_goes_on(halves(160, 4), base, fire)
    held = limits_for(base, fire, 4)
    assert held.better(160)
    assert not held.better(held.allowed)
    assert not held.better(401)


@given(st.floats(0.5, 100), st.floats(1, 10), st.integers(0, 2000))
def test_counts_that_scatter_more_say_less(usual: float, spread: float, events: int) -> None:
    fire = Measured(10 * usual, 15)
    wide, narrow = Measured(usual, DAY, spread), Measured(usual, DAY, 1.0)
    assert surely_goes_on(halves(events, 2), wide, fire) <= surely_goes_on(
        halves(events, 2), narrow, fire
    )
    assert limits_for(narrow, fire, 4).allowed <= limits_for(wide, fire, 4).allowed
    scattered = limits_for(narrow, replace(fire, spread=spread), 4)
    assert scattered.quiet <= limits_for(narrow, replace(fire, spread=1.0), 4).quiet


def test_numbers_that_people_can_check():
    base, fire = Measured(1, DAY), Measured(45, 15)
    assert (
        judge_look(4, limits_for(base, fire, 4, of(1)), None, (), of(1))[0] is LookVerdict.RECOVERED
    )
    third = of(0.3)
    assert judge_look(4, limits_for(base, fire, 4, third), None, (), third)[1] == (
        "4 events where up to 9 are normal, about 54 if nothing had changed",
        "traffic is 30 % of what it was during the fire",
    )
    tenth = of(0.1)
    judged, why = judge_look(4, limits_for(base, fire, 4, tenth), None, (), tenth)
    assert judged is LookVerdict.TOO_FEW, "18 events where 180 would have come is no recovery"
    assert why[-1] == "too little to tell below 20"
    nobody = of(0)
    judged, why = judge_look(0, limits_for(base, fire, 4, nobody), None, (), nobody)
    assert (judged, why[-1]) == (
        LookVerdict.TOO_FEW,
        "there is no traffic, so silence proves nothing",
    )


def test_unknown_traffic_asks_where_a_third_of_it_would_be_as_quiet():
    base, fire = Measured(0, DAY), Measured(10, 15)
    judged, why = judge_look(0, limits_for(base, fire, 4, UNKNOWN), None, (), UNKNOWN)
    assert judged is LookVerdict.TOO_FEW
    assert why[1:] == (
        "traffic is unknown",
        "a fall to 30 % would explain the quiet",
    )
    loud = Measured(30, 15)
    assert (
        judge_look(0, limits_for(base, loud, 4, UNKNOWN), None, (), UNKNOWN)[0]
        is LookVerdict.RECOVERED
    )


def test_forty_a_minute_that_go_on_are_told_after_two_minutes():
    base, fire = Measured(1, DAY), Measured(40, 15)
    assert surely_goes_on(halves(40, 1), base, fire)
    assert surely_goes_on(halves(25, 1), base, fire)
    assert not surely_goes_on(halves(10, 1), base, fire), "a quarter of it may be what is left"
    assert not surely_goes_on(halves(7, 1), base, Measured(10, 15)), "so few say nothing"


@given(st.floats(0, 5000), st.floats(0, 5000))
def test_stragglers_are_a_small_part_of_the_fire(first: float, other: float) -> None:
    less, more = sorted((first, other))
    assert STRAGGLERS <= most_stragglers(less) <= most_stragglers(more)
    assert most_stragglers(1000) < 250


@given(st.floats(0, 5000), st.floats(0, 60), st.floats(0, 60))
def test_stragglers_decline(would_have_come: float, first: float, other: float) -> None:
    sooner, later = sorted((first, other))
    assert most_stragglers_later(would_have_come, later) <= most_stragglers_later(
        would_have_come, sooner
    )
    assert most_stragglers_later(would_have_come, sooner) <= max(
        RETURNED_SHARE * would_have_come, STRAGGLERS
    )
    assert most_stragglers_later(600, 40) < 240, "at 0.4 of the old rate it still answers"


def test_the_rates_of_wrong_verdicts_hold_over_a_few_hundred_series():
    """`make bench` draws thousands; here each rate may be twice its limit, and three by chance."""
    for what, many, rate, most in rates(150, 7):
        if most is not None:
            assert rate * many <= 2 * most * many + 3, what
