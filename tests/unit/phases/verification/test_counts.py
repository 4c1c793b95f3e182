"""The statistical test on counts.

Its limits are right against the distribution itself, and move the right way.
"""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phases.shared.counts import LARGE_EXPONENT, SPREAD_ASSUMED, Measured, at_least_above, at_most
from phases.verification.event_counts import (
    EXPECTED_EVENTS_LEAST,
    FALSE_RECOVERY,
    GROWTH_CHANCE,
    MISSED_RECOVERY,
    STRAGGLERS,
    Limits,
    limits_for,
)
from tests.bench.recovery import rates

per_minute = st.floats(0, 600)
spans = st.floats(1, 60)
spreads = st.sampled_from([1.0, 1.5, 3.0, 4.8])
DAY = 1440.0


def below(number: int, mean: float, spread: float) -> float:
    """The chance of at most so many, by another way: every term from scratch."""
    if spread == 1:
        return sum(
            math.exp(n * math.log(mean) - mean - math.lgamma(n + 1)) for n in range(number + 1)
        )
    size = mean / (spread - 1)
    terms = (
        math.lgamma(n + size) - math.lgamma(size) - math.lgamma(n + 1) - size * math.log(spread)
        + n * math.log((spread - 1) / spread)
        for n in range(number + 1)
    )  # fmt: skip
    return sum(math.exp(term) for term in terms)


@given(st.floats(0.1, 690), spreads, st.sampled_from([MISSED_RECOVERY, FALSE_RECOVERY, 0.05]))
def test_the_limits_are_those_of_the_distribution(
    mean: float, spread: float, chance: float
) -> None:
    high, low = at_most(mean, spread, chance), at_least_above(mean, spread, chance)
    slack = 1e-9
    assert 1 - below(high, mean, spread) <= chance + slack
    assert high == 0 or 1 - below(high - 1, mean, spread) > chance - slack
    assert low == -1 or below(low, mean, spread) <= chance + slack
    assert below(low + 1, mean, spread) > chance - slack


@pytest.mark.parametrize("spread", [1.0, 3.0, 4.8])
@pytest.mark.parametrize("chance", [MISSED_RECOVERY, FALSE_RECOVERY, GROWTH_CHANCE])
def test_large_counts_go_on_where_the_exact_ones_end(spread: float, chance: float) -> None:
    end = LARGE_EXPONENT * (spread - 1) / math.log(spread) if spread > 1 else LARGE_EXPONENT
    for limit in (at_most, at_least_above):
        assert abs(limit(end - 0.1, spread, chance) - limit(end + 0.1, spread, chance)) <= 3


@given(st.floats(0.1, 600), st.floats(0.1, 600), spreads)
def test_more_events_expected_allow_more(first: float, other: float, spread: float) -> None:
    less, more = sorted((first, other))
    for limit in (at_most, at_least_above):
        assert limit(less, spread, 0.01) <= limit(more, spread, 0.01)


@given(per_minute, st.sampled_from([0.0, 15.0, DAY]), per_minute, spans, st.floats(0.5, 60))
def test_what_a_number_means_follows_its_size(
    usual: float, over: float, burning: float, left_alone: float, minutes: float
) -> None:
    held = limits_for(Measured(usual, over), Measured(burning, left_alone), minutes)
    assert held.recovered <= held.burning, "no number is both"
    assert held.allowed >= STRAGGLERS
    assert held.recovered < held.unchanged, "as much as before is never recovery"
    if held.unchanged < EXPECTED_EVENTS_LEAST:
        assert held.recovered == -1
    assert held.burning >= held.expected or held.expected == 0


@given(per_minute, per_minute, st.floats(0.5, 60))
def test_a_short_measure_is_trusted_less(usual: float, burning: float, minutes: float) -> None:
    long = limits_for(Measured(usual, DAY), Measured(burning, 60), minutes)
    short = limits_for(Measured(usual, 15), Measured(burning, 5), minutes)
    assert short.allowed >= long.allowed
    assert short.quiet <= long.quiet


def test_numbers_that_people_can_check() -> None:
    held = limits_for(Measured(1, DAY), Measured(45, 15), 4)
    assert (held.expected, held.unchanged, held.allowed, held.recovered, held.burning) == (
        4,
        180,
        15,
        15,
        15,
    )
    nothing_before = limits_for(Measured(0, DAY), Measured(6, 15), 4)
    assert (nothing_before.allowed, nothing_before.recovered) == (STRAGGLERS, 1)


def test_below_the_size_nothing_is_recovery_and_only_much_more_is_none() -> None:
    held = limits_for(Measured(0, DAY), Measured(4.9, 60), 4)
    assert (held.small, held.recovered) == (True, -1)
    assert (
        held.burning
        == at_most(EXPECTED_EVENTS_LEAST, SPREAD_ASSUMED, GROWTH_CHANCE)
        > 2 * EXPECTED_EVENTS_LEAST
    )
    grown = limits_for(Measured(20, DAY), Measured(4.9, 60), 4)
    assert grown.burning == grown.allowed > held.burning, "what the baseline brings is no growth"


def test_without_a_measure_before_nothing_is_recovery() -> None:
    assert limits_for(Measured(1, DAY), Measured(0, 0), 4).recovered == -1
    assert Limits(0, EXPECTED_EVENTS_LEAST, 3, 9, 51).small is False


def test_over_simulated_series_wrong_verdicts_are_as_rare_as_they_must_be() -> None:
    """`make bench` does the same with more series, and prints the rates."""
    for what, number, rate, most in rates(1500):
        assert most is None or rate <= most + 3 * math.sqrt(most / number), what
