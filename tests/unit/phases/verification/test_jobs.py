"""Errors of a job: its runs are found, looks count by them, and the last check waits for one."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.views import phrasing
from phases.messages import actions as said
from phases.record.findings import Look, LookVerdict
from phases.record.incident import Status
from phases.record.traffic_seen import MINUTE, BeforeAction, Job
from phases.verification.before_action import burning_rate
from phases.verification.jobs import LATE, PATIENCE, by_runs, found_job, next_look
from phases.verification.look_counts import Counts, Span
from phases.verification.steps import look_sentence
from phases.verification.traffic import STEADY
from tests.bench.shapes import measured
from tests.bench.watched import ACTION
from tests.support.bots.story import Story, verifying
from tests.support.values.factories import service

periods = st.sampled_from([(5, 1), (10, 2), (15, 1), (30, 2), (60, 3)])


def runs(every: int, lasts: int, first: int, minutes: int, events: int) -> list[int]:
    return [events if (at - first) % every < lasts else 0 for at in range(minutes)]


@given(periods, st.integers(0, 59), st.integers(10, 60))
def test_a_job_is_found_wherever_its_runs_lie(
    period: tuple[int, int], first: int, burning: int
) -> None:
    every, lasts = period
    counts = runs(every, lasts, first, 720 + burning, 3)
    job = found_job(counts, burning, ACTION)
    if any(counts[-burning:]):
        assert job is not None
        assert (job.every, job.lasts) == period
        assert (job.at - ACTION) // MINUTE % every == first % every
        assert set(by_runs(counts, ACTION, job)) == {3 * lasts}


@given(st.integers(0, 2**32), st.floats(0.02, 4), st.integers(5, 60))
def test_errors_without_a_rhythm_are_no_job(seed: int, share: float, burning: int) -> None:
    rng = random.Random(seed)
    counts = [rng.randrange(9) if rng.random() < share else 0 for _ in range(240)]
    assert found_job([*counts, *([7] * burning)], burning, ACTION) is None
    assert found_job([*counts, *([0] * burning)], burning, ACTION) is None


@given(periods, st.integers(-90, 90), st.floats(0, 90), st.floats(0, 90))
def test_a_span_has_as_many_minutes_as_its_runs(
    period: tuple[int, int], at: int, begin: float, length: float
) -> None:
    every, lasts = period
    job = Job(every=every, lasts=lasts, at=ACTION + at * MINUTE)
    since = ACTION + begin * MINUTE
    until = since + length * MINUTE
    assert abs(job.minutes(since, until) - length) <= every
    assert job.minutes(since, since + every * MINUTE) == pytest.approx(every)
    ended = job.ends_after(until)
    assert until < ended <= until + every * MINUTE
    assert job.runs(ended - lasts * MINUTE, ended) == pytest.approx(1)


def limits_at(minute: int) -> tuple[int, float]:
    """Return what is recovery after so many minutes, of a job each half hour from 13:20 on."""
    calm, fire = runs(30, 1, 20, 720, 5), runs(30, 1, 20, 45, 100)
    base, burning, job = measured(calm, fire, 5 / 30, 1440)
    assert job is not None
    span = Span(ACTION, ACTION + MINUTE, ACTION + minute * MINUTE, whole=True)
    held = Counts(base=base, burning=burning, traffic=STEADY, job=job).limits(span)
    return held.recovered, held.unchanged


def test_quiet_between_two_runs_says_nothing_and_after_a_run_it_does():
    assert limits_at(4) == (-1, 0), "no run has come"
    recovered, unchanged = limits_at(9)
    assert unchanged == pytest.approx(100)
    assert recovered >= 5


def waited(story: Story, at: datetime) -> None:
    story.fires("look")
    look = Look(number=2, at=story.now, verdict=LookVerdict.TOO_FEW, again_at=at)
    story.say(said.Looked(round=1, look=look))


def test_the_last_check_is_made_again_after_the_next_run_and_says_when():
    story = verifying()
    story.looked(LookVerdict.TOO_FEW)
    at = story.timers["look"].at + timedelta(minutes=12)
    waited(story, at)
    assert story.record.status is Status.VERIFYING
    assert story.timers["look"].at == at
    assert any(f"I check again at {at:%Y-%m-%d %H:%M} UTC" in text for text in story.in_thread)
    assert phrasing.next_look(story.record, service()) == (2, at)
    story.looked(LookVerdict.RECOVERED)
    assert story.record.status is Status.MITIGATED


def test_better_but_not_over_is_asked_of_a_person_in_plain_words():
    story = verifying()
    story.looked(LookVerdict.TOO_FEW)
    story.fires("look")
    look = Look(number=2, at=story.now, verdict=LookVerdict.TOO_FEW, better=True, minutes=9)
    look = look.model_copy(update={"reasons": ("36 events", "down by 80 %, still 32 above normal")})
    assert look_sentence(look).startswith("Better, not over: ")
    assert "better, not over: " in phrasing.look(look)
    story.say(said.Looked(round=1, look=look))
    current = story.record.round
    assert current is not None
    assert (story.record.status, current.verdict) == (Status.VERIFYING, "ask a person")
    asked = story.in_channel[-1]
    assert "Better, but not over." in asked
    assert "still 32 above normal" in asked
    assert "Does it work for users again?" in asked


@given(st.integers(0, 200))
def test_a_job_is_waited_for_until_its_errors_are_there(minutes: int) -> None:
    job, now = Job(every=60, lasts=2, at=ACTION), ACTION + minutes * MINUTE
    at = next_look(job, now)
    assert now < at <= now + PATIENCE
    assert job.runs(at - LATE - 2 * MINUTE, at - LATE) == pytest.approx(1)


def test_a_record_of_an_older_version_has_no_job():
    old = BeforeAction.model_validate({"events": 30, "minutes": 10})
    assert old.job is None
    assert burning_rate(old).per_minute == 3
    known = old.model_copy(update={"job": Job(every=5, lasts=1, at=ACTION)})
    assert BeforeAction.model_validate_json(known.model_dump_json()) == known
