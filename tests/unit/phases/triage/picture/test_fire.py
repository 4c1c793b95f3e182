"""A fire chosen by its own beginning: swept over issues, rates, ages, and services of all sizes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phases.ports.tracker_values import Minutes
from phases.record.findings import Share
from phases.triage.picture.blast_radius import NEW, hit_features, incident_issues
from phases.triage.picture.false_alarms import (
    CEASED,
    HEALTH,
    SCANNED,
    TransactionFailures,
    find_rhythm,
    renamed_transactions,
)
from phases.triage.picture.fire import (
    HISTORY,
    HOUR,
    MINUTE,
    STEP,
    Fire,
    Series,
    find_fire,
    find_rise,
    loudest_group,
    own_rate,
    step_of,
    time_of,
    tipping_count,
)
from tests.support.values.burning import NIGHT, NOON, WINDOW, Burning, traffic
from tests.support.values.draws import draws

AGES = (5, 20, 55, 67, 90, 240, 480)


def chosen(w: Burning) -> tuple[Fire, set[str]]:
    rows = w.in_window
    fire = find_fire(rows, w.series, w.now, WINDOW, NEW)
    return fire, {issue.id for issue in incident_issues(rows, w.now, WINDOW, (), fire)}


def burn(w: Burning, issues: int, per_minute: float, minutes: float) -> set[str]:
    """Return those of the new issues that have events in the window."""
    known = len(w.rows)
    for _ in range(issues):
        begin = w.now - timedelta(minutes=minutes * w.rng.uniform(0.9, 1))
        w.fail(per_minute / traffic(w.now), begin)
    return {row.id for row in w.rows[known:] if row.events > 0}


@pytest.mark.parametrize(("issues", "per_minute"), [(20, 0.55), (4, 0.5), (10, 0.2), (40, 0.1)])
@pytest.mark.parametrize("now", [NOON, NIGHT])
@pytest.mark.parametrize("noise", [0, 0.05, 1, 20])
def test_every_issue_that_began_with_it_belongs_at_any_age(
    now, noise: float, issues: int, per_minute: float
) -> None:
    for minutes in AGES:
        w = Burning(now, noise=noise, seed=minutes)
        burning = burn(w, issues, per_minute, minutes)
        _, belongs = chosen(w)
        if minutes > 5:
            assert burning
        assert burning <= belongs, (minutes, burning - belongs)


@pytest.mark.parametrize("noise", [0.002, 0.05, 0.5, 5])
def test_a_service_on_an_ordinary_day_has_no_fire(noise: float) -> None:
    for hour in range(0, 24, 3):
        w = Burning(NOON.replace(hour=hour), noise=noise, seed=hour)
        fire, belongs = chosen(w)
        assert fire.rise is None, hour
        assert not belongs, hour


def test_new_issues_all_day_long_are_no_fire_and_forty_at_once_are() -> None:
    w = Burning(NOON, noise=1, seed=4)
    w.births(10, lasting=0.1)
    assert loudest_group(w.in_window, w.now, WINDOW) is None
    burning = burn(w, 40, 0.2, 70)
    assert burning <= chosen(w)[1]


def test_a_fire_that_went_out_is_none() -> None:
    counts = {time_of(step_of(NOON) - n): 50 for n in range(20, 40)}
    series = Series(Minutes(counts=counts), NOON - HISTORY, NOON)
    assert find_rise(series, WINDOW) is None
    assert find_rise(Series(Minutes(), NOON - HISTORY, NOON), WINDOW) is None


def test_a_project_of_an_hour_has_a_fire_too() -> None:
    counts = {time_of(step_of(NOON) - n): 20 for n in range(3)}
    rise = find_rise(Series(Minutes(counts=counts), NOON - HOUR, NOON), WINDOW)
    assert rise is not None
    assert rise.since == time_of(step_of(NOON) - 2)


@settings(max_examples=draws(25))
@given(st.integers(1, 200), st.integers(1, 400), st.integers(0, 40))
def test_the_beginning_is_that_of_the_step_and_a_louder_fire_is_no_quieter(
    steps: int, each: int, noise: int
) -> None:
    """One rate after another, no scatter: it began where it began, but for one window."""
    first = step_of(NOON) - steps + 1
    usual = range(step_of(NOON - HISTORY), first)
    counts = {time_of(n): noise for n in usual}
    counts |= {time_of(n): noise + each for n in range(first, step_of(NOON) + 1)}
    rise = find_rise(Series(Minutes(counts=counts), NOON - HISTORY, NOON), WINDOW)
    if rise is not None:
        assert abs(rise.since - time_of(first)) <= WINDOW or each < 2 * noise
        louder = {at: n + 5 * each * (at >= time_of(first)) for at, n in counts.items()}
        again = find_rise(Series(Minutes(counts=louder), NOON - HISTORY, NOON), WINDOW)
        assert again is not None
    elif each >= 2 * max(noise, 4) and steps >= 3:
        raise AssertionError(f"{each} on {noise} for {steps} steps is not seen")


@given(st.floats(0.001, 1000), st.floats(1.5, 50))
def test_the_tipping_point_lies_between_the_two_rates(expected: float, ratio: float) -> None:
    assert expected <= tipping_count(expected, ratio) <= expected * ratio


def test_an_issues_own_rate_leaves_the_fires_hours_out() -> None:
    w = Burning(NOON, noise=0, spread=1)
    w.fail(0.05, NOON - timedelta(days=20), since=NOON - 8 * HOUR, times=20)
    row = w.rows[0]
    calm, all_day = own_rate(row, NOON - 8 * HOUR), own_rate(row, NOON)
    assert calm is not None
    assert all_day is not None
    assert calm.per_minute * 4 < all_day.per_minute


# --- regular --------------------------------------------------------------------------------------


@settings(max_examples=draws(50))
@given(st.integers(0, 50), st.integers(12, 400), st.integers(0, 3), st.sampled_from([60, 1440]))
def test_the_same_time_three_times_is_a_rhythm_and_twice_is_none(
    ago: int, volume: int, noise: int, period: int
) -> None:
    began = NOON - timedelta(minutes=min(ago, 25))
    quiet = {time_of(n): noise for n in range(step_of(NOON - HISTORY), step_of(NOON) + 1)}

    def rhythm_after(times: int) -> object:
        counts = dict(quiet)
        for number in range(times + 1):
            at = time_of(step_of(began - number * timedelta(minutes=period)))
            counts[at] = counts.get(at, 0) + volume + 60 * noise
        return find_rhythm(Series(Minutes(counts=counts), NOON - HISTORY, NOON), began)

    assert rhythm_after(2) is None
    assert rhythm_after(3) is not None


def test_a_level_is_no_rhythm() -> None:
    counts = {time_of(n): 30 for n in range(step_of(NOON - HISTORY), step_of(NOON) + 1)}
    assert (
        find_rhythm(Series(Minutes(counts=counts), NOON - HISTORY, NOON), NOON - 5 * MINUTE) is None
    )


# --- renamed, and users ---------------------------------------------------------------------------


@given(st.integers(0, 500), st.integers(0, 500), st.integers(0, 500), st.floats(1, 15))
def test_renamed_needs_a_silence_that_cannot_be_chance(
    fire: int, others: int, before: int, minutes: float
) -> None:
    renamed = renamed_transactions(
        TransactionFailures({"/a": fire}, {"/a": others}, {"/a": before}, minutes)
    )
    if renamed:
        assert others < before / 60 * minutes * 0.75, "what was there before has ceased"
    if before < 10:
        assert not renamed, f"{before} in an hour are too few to be missed ({CEASED})"
    if fire > 20:
        elsewhere = TransactionFailures({"/a": fire}, {}, {"/b": before}, minutes)
        assert not renamed_transactions(elsewhere), "another place is new"


def test_users_decide_which_features_count() -> None:
    loop = Share(name="loop", events=5000, users=1)
    shares = (loop, Share(name="cart", events=40, users=30), Share(name="pay", events=40, users=25))
    assert [s.name for s in hit_features(shares, 5080, 55)] == ["cart", "pay"]
    assert [s.name for s in hit_features(shares, 5080)] == ["loop"]
    anonymous = Share(name="search", events=500, users=None)
    assert anonymous in hit_features((*shares, anonymous), 5580, 55)


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("/wp-login.php", "scanned"),
        ("/.env", "scanned"),
        ("/api/../../etc/passwd", "scanned"),
        ("/vendor/phpunit/phpunit/src/Util/PHP/eval-stdin.php", "scanned"),
        ("/healthz", "health"),
        ("/api/v1/health/ready", "health"),
        ("/cart", ""),
        ("/environment", ""),
        ("/support", ""),
        ("/orders/status", ""),
        ("/health-insurance", ""),
        ("/upload", ""),
    ],
)
def test_paths_of_no_customer(path: str, what: str) -> None:
    kind = "scanned" if SCANNED.search(path) else "health" if HEALTH.fullmatch(path) else ""
    assert kind == what


def test_the_history_fits_sentrys_limit_of_points() -> None:
    """MAX_ROLLUP_POINTS: https://github.com/getsentry/sentry/blob/master/src/sentry/constants.py"""
    assert HISTORY / STEP < 10_000
