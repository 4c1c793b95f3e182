"""The guard after recovery.

The times of its checks, its judgement of returning trouble, and the record.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phases.messages import actions as said
from phases.messages import effects as wanted
from phases.record.findings import LookVerdict
from phases.record.incident import GuardLook, Incident, Status
from phases.shared.change import Change
from phases.shared.counts import Measured
from phases.verification.event_counts import EXPECTED_EVENTS_LEAST, limits_for
from phases.verification.recurrence import LONG_LOOK_SPAN, is_back, look_back
from phases.verification.verdicts import judge_look
from phases.workflow import step
from sandbox.faults import Fault
from tests.bench.recovery import guard_rates
from tests.support.bots.story import Found, Story, mitigated
from tests.support.values.factories import evidence, service
from tests.support.worlds.recovery import looked, passed, recovered, until
from tests.support.worlds.sentry_world import SHOP, World, ago, world

DAY = 1440.0
NOW = ago(0)
MINUTES = LONG_LOOK_SPAN.total_seconds() / 60


# --- how a look is judged -------------------------------------------------------------------------


def judged(
    events: int, base: Measured, burning: Measured, quiet_per_minute: float, minutes: float
) -> tuple[Found, int]:
    """The verdict of a look, and up to how many events are normal."""
    held = limits_for(base, burning, minutes)
    if is_back(events, base, burning, quiet_per_minute, minutes):
        return "back", held.allowed
    recovered = judge_look(events, held, None, ())[0] is LookVerdict.RECOVERED
    return ("quiet" if recovered else "cannot tell"), held.allowed


@pytest.mark.parametrize(
    ("events", "usual", "burning", "quiet", "outcome"),
    [
        (0, 0.0, 30.0, 0.0, "quiet"),
        (
            19,
            0.0,
            30.0,
            0.0,
            "cannot tell",
        ),  # more than the baseline allows, and too few to wake anybody
        (20, 0.0, 30.0, 0.0, "back"),
        (20, 0.0, 30.0, 0.5, "cannot tell"),  # recovery was said over eight in such a time
        (23, 0.0, 30.0, 0.5, "back"),
        (89, 2.0, 30.0, 0.0, "cannot tell"),  # the day's rhythm may nearly triple a baseline of 30
        (90, 2.0, 30.0, 0.0, "back"),
        (2000, 100.0, 2000.0, 0.0, "cannot tell"),
        (4500, 100.0, 2000.0, 0.0, "back"),
        (40, 0.0, 1.0, 0.0, "cannot tell"),  # it was small: only what grew is sure
        (60, 0.0, 1.0, 0.0, "back"),
        (0, 0.0, 1.0, 0.0, "cannot tell"),
    ],
)
def test_back_is_what_is_surely_no_recovery(
    events: int, usual: float, burning: float, quiet: float, outcome: Found
):
    assert judged(events, Measured(usual, DAY), Measured(burning, 30), quiet, MINUTES)[0] == outcome


per_minute = st.one_of(st.just(0.0), st.floats(0.01, 400))


@given(
    st.integers(0, 20_000), per_minute, st.sampled_from([0.0, 15.0, DAY]), per_minute, per_minute
)
def test_never_back_where_the_recheck_would_not_say_not_recovered(
    events: int, usual: float, over: float, burning: float, quiet: float
):
    base, fire = Measured(usual, over), Measured(burning, 30)
    held = limits_for(base, fire, MINUTES)
    outcome, allowed = judged(events, base, fire, quiet, MINUTES)
    assert allowed == held.allowed
    if outcome == "back":
        assert events > held.burning
        assert events >= EXPECTED_EVENTS_LEAST
        assert events >= 3 * max(usual, quiet) * MINUTES
        assert judged(events + 1, base, fire, quiet, MINUTES)[0] == "back", "more of it is no less"
    if outcome == "quiet":
        assert events <= held.recovered


def test_over_simulated_series_nothing_is_opened_again_over_quiet() -> None:
    """`make bench` does the same with more series, and prints the rates."""
    for what, number, rate, most in guard_rates(400):
        assert most is None or rate <= most + 3 * math.sqrt(most / number), what


# --- one look, over the local Sentry and real HTTP ------------------------------------------------


def first(incident: Incident) -> GuardLook:
    assert incident.guard_until is not None
    return GuardLook(until=incident.guard_until, number=1, seeds=len(incident.seeds))


async def guard_look(
    w: World, incident: Incident, now: datetime = NOW, doubt: str = ""
) -> said.GuardLooked:
    return await look_back(incident, SHOP, first(incident), w.client, now, doubt=doubt)


def fire(w: World, *, minutes: float, times: int = 60, error: str = "Oops: a") -> None:
    w.local.load(
        error,
        at=ago(minutes),
        every=1,
        times=times,
        transaction="/cart",
        release="v3",
        function="f",
    )


async def test_a_fire_that_came_back_is_seen_and_what_burned_before_recovery_is_not_counted():
    async with world() as w:
        incident = await recovered(w, 5)
        assert (await guard_look(w, incident)).outcome == "quiet", (
            "the fire of before lies within these 15 minutes"
        )
        fire(w, minutes=2)
        look = await guard_look(w, incident)
    assert (look.outcome, look.events, look.minutes, look.allowed) == ("back", 60, 5.0, 3)


async def test_only_the_last_quarter_of_an_hour_counts():
    async with world() as w:
        incident = await recovered(w, 5)
        fire(w, minutes=4)
        soon = await guard_look(w, incident, now=NOW + timedelta(minutes=10))
        later = await guard_look(w, incident, now=NOW + timedelta(minutes=25))
    assert (soon.events, soon.minutes, soon.outcome) == (60, 15.0, "back")
    assert (later.events, later.minutes, later.outcome) == (0, 15.0, "quiet"), "it burns no more"


async def test_an_issue_that_was_named_after_recovery_is_another_matter():
    async with world() as w:
        incident = await recovered(w, 5)
        fire(w, minutes=2, error="Other: b")
        other = max(w.local.issues)
        later = incident.model_copy(update={"seeds": (str(other),)})
        look = first(incident)
        assert (await look_back(later, SHOP, look, w.client, NOW)).events == 0
        known = look.model_copy(update={"seeds": 1})
        assert (await look_back(later, SHOP, known, w.client, NOW)).events == 60


async def test_a_clock_that_was_set_says_nothing_is_back():
    async with world() as w:
        incident = await recovered(w, 5)
        fire(w, minutes=2)
        assert (await guard_look(w, incident, doubt="the clock was set")).outcome == "cannot tell"
        back = await guard_look(w, incident, now=ago(30))  # when it burned for the first time
    assert (back.outcome, back.events, back.minutes) == ("cannot tell", 0, 0.0)


async def test_by_another_clock_than_sentrys_nothing_is_back(monkeypatch: pytest.MonkeyPatch):
    async with world() as w:
        incident = await recovered(w, 5)
        fire(w, minutes=2)
        monkeypatch.setattr(w.client, "clock_ahead", lambda: timedelta(minutes=3))
        answer = await guard_look(w, incident)
    assert (answer.outcome, answer.minutes) == ("cannot tell", 0.0)
    assert answer.text == "the clocks here and of Sentry are 3 min apart"


async def test_sentry_that_cannot_be_asked_is_no_news():
    async with world() as w:
        incident = await recovered(w, 5)
        fire(w, minutes=2)
        w.faults.always("sentry.*", Fault(status=429, retry_after=600))
        assert (await guard_look(w, incident)).outcome == "not asked"
    assert (await look_back(incident, SHOP, first(incident), None, NOW)).outcome == "cannot tell", (
        "nobody to ask later"
    )


# --- when, and what comes of it -------------------------------------------------------------------


def is_whole(story: Story) -> bool:
    action = story.timers["guard"].action
    assert isinstance(action, said.GuardDue)
    return action.look.whole


def test_a_look_each_minute_for_an_hour_three_at_a_quarter_of_it_and_nobody_hears_of_them():
    story = mitigated()
    since = story.now
    whole: list[float] = []
    made = 0
    while "guard" in story.timers:
        at = passed(story, since)
        whole += [at] if is_whole(story) else []
        looked(story, "quiet", 2 if at == 60 else 0)
        made += 1
        assert (story.last.effects, story.last.dirty) == ((), ())
        assert bool(story.last.entries) is (at == 60)
    assert whole == [15, 30, 60]
    assert 56 <= made <= 60
    assert story.noted == [
        "Still quiet 60 min after recovery: 2 events in 15 min, where up to 3 are normal"
    ]
    assert story.record.status is Status.MITIGATED


def test_the_looks_come_sooner_where_rechecks_do_and_never_later():
    story = Story(service(recheck_after_seconds=20, recheck_until_seconds=40)).opened().measured()
    story.rolled_back().deployed().recovered()
    assert story.due("guard") == 4
    story = (
        Story(service(recheck_after_seconds=900, recheck_until_seconds=1800)).opened().measured()
    )
    story.rolled_back().deployed().recovered()
    assert story.due("guard") == 60
    story = Story(service(recheck_after_seconds=1, recheck_until_seconds=2)).opened().measured()
    story.rolled_back().deployed().recovered()
    assert story.due("guard") == 1, "never more often than that"


def test_a_look_that_an_earlier_version_left_in_redis_is_made_and_the_next_ones_come_each_minute():
    story = mitigated()
    since = story.now
    old = GuardLook.model_validate(
        {"until": story.record.guard_until, "number": 1, "seeds": 1, "again": False}
    )
    story.timers["guard"] = replace(
        story.timers["guard"], at=since + timedelta(minutes=15), action=said.GuardDue(look=old)
    )
    assert is_whole(story)
    looked(story, "quiet")
    assert passed(story, since) == 16
    until(story, since, 30)
    assert is_whole(story)


def test_what_is_back_goes_the_way_of_sentrys_own_alert():
    story, alarmed = mitigated(), mitigated()
    looked(story, "back", 240)
    alarm = said.SeenAgain(issue="41", evidence=evidence(alarmed.now + timedelta(minutes=1)))
    alarmed.rings(alarm, after=60, events=240)
    again = "240 events in 15 min, where up to 3 are normal"
    assert story.record.rounds[-1].why == f"it is back: {again}"
    assert story.on_ticket == [f"It is back: {again}. To be decided again."]
    assert len(story.pages) == len(alarmed.pages) == 1
    assert story.roots == alarmed.roots == 1
    assert "guard" not in story.timers
    assert [e.type for e in story.last.effects] == [e.type for e in alarmed.last.effects]
    assert (story.last.dirty, story.last.cancels) == (alarmed.last.dirty, alarmed.last.cancels)
    assert (story.record.status, story.record.recovered_at, story.claims) == (
        Status.DECIDING,
        None,
        alarmed.claims,
    )


def test_what_is_back_twice_is_one_round():
    story = mitigated()
    story.fires("guard")
    (effect,) = story.wants(wanted.LookBack)
    ending = said.GuardLooked(
        look=effect.look, at=story.now, outcome="back", events=99, minutes=15, allowed=3
    )
    story.say(ending)
    rounds = story.record.rounds
    story.say(ending)
    assert story.last.effects == ()
    assert story.last.entries == ()
    assert story.record.rounds == rounds
    story = mitigated()
    story.fires("guard")
    story.rings(said.SeenAgain(issue="41", evidence=evidence(story.now)))
    rounds = story.record.rounds
    story.say(ending.model_copy(update={"look": effect.look}))
    assert story.record.rounds == rounds, "Sentry's alert was first"


def test_a_resolved_incident_is_looked_at_too_and_opens_again():
    story = mitigated().written()
    assert story.record.status is Status.RESOLVED
    looked(story, "quiet")
    looked(story, "back", 240)
    assert story.record.status is Status.DECIDING
    assert story.record.cause is None
    assert "open:shop:production" in story.claims


def test_sentry_that_refuses_is_asked_each_minute_and_said_once_where_it_goes_on():
    story = mitigated()
    since = story.now
    for number in range(1, 15):
        looked(story, "not asked")
        assert bool(story.in_thread) is (number == 5), (
            "nobody waits for one look; Sentry tells of no return by itself"
        )
        assert (story.in_channel, story.pages) == ([], [])
    assert story.record.failures == ()
    until(story, since, 29)
    story.fires("guard")
    (effect,) = story.wants(wanted.LookBack)
    story.fails(effect)
    assert story.record.failures == ()
    assert passed(story, since) == 30
    assert is_whole(story)


def test_the_last_look_is_made_until_sentry_answers_or_for_a_day():
    story = mitigated()
    since = story.now
    until(story, since, 60)
    looked(story, "not asked")
    assert passed(story, since) == 65
    looked(story, "not asked")
    looked(story, "back", 240)
    assert story.record.status is Status.DECIDING, "what was counted reaches into the guard"
    assert story.record.failures == ()
    story = mitigated()
    story.now += timedelta(hours=25)
    looked(story, "not asked")
    assert "guard" not in story.timers


def test_a_bot_that_was_away_looks_once_and_people_decide_on_what_is_old():
    story = mitigated()
    story.now += timedelta(hours=5)
    looked(story, "quiet")
    assert "guard" not in story.timers
    assert [e.text[:34] for e in story.last.entries] == ["Still quiet 5 h after recovery: 0 "]
    story = mitigated()
    story.now += timedelta(hours=5)
    looked(story, "back", 240)
    assert story.record.status is Status.MITIGATED
    assert story.in_channel[0].startswith(
        "*Fires again:* 240 events in 15 min, where up to 3 are normal, 5 h after"
    )
    assert len(story.pages) == 1


def test_a_clock_that_was_set_back_moves_the_looks_and_makes_no_more_of_them():
    story = mitigated()
    story.now -= timedelta(hours=2)  # the timer moved with it
    action = story.timers.pop("guard").action
    story.say(action, after=15 * 60)
    (effect,) = story.wants(wanted.LookBack)
    assert (effect.look.number, effect.look.whole) == (1, False)
    story.say(said.GuardLooked(look=effect.look, at=story.now, outcome="cannot tell"))
    assert story.due("guard") == pytest.approx(60)


def nothing_measured() -> Story:
    story = Story().opened()
    story.say(said.TriageOverdue())
    story.posted("decision:1")
    story.say(said.DecideFixed(by="U0BOB", round=1, sentence="flag off"))
    story.looked(LookVerdict.TOO_FEW)
    story.looked(LookVerdict.TOO_FEW)
    story.say(said.ConfirmRecovery(by="U0BOB", round=1, recovered=True))
    return story


def test_no_looks_where_nothing_was_measured_and_none_in_a_drill():
    story = nothing_measured()
    assert story.record.status is Status.MITIGATED
    assert "guard" not in story.timers
    story = Story(drill=True).opened().measured()
    story.rolled_back().recovered()
    assert story.record.status is Status.MITIGATED
    assert "guard" not in story.timers


def test_a_private_incident_is_looked_at_because_no_alert_finds_it():
    story = Story(private=True).opened().measured().rolled_back().deployed().recovered()
    looked(story, "back", 240)
    assert story.record.status is Status.DECIDING
    assert not any(key.startswith(("open:", "fingerprint:")) for key in story.claims)


@pytest.mark.parametrize(
    "ends",
    [
        said.Cancel(by="U0BOB", reason="load test"),
        said.SeenAgain(issue="41", evidence=evidence(NOW + timedelta(days=900))),
    ],
)
def test_no_looks_at_what_is_over_or_burns(ends: said.Action):
    story = mitigated()
    due = story.timers["guard"].action
    if isinstance(ends, said.SeenAgain):
        ends = said.SeenAgain(issue="41", evidence=evidence(story.now + timedelta(minutes=1)))
    if isinstance(ends, said.SeenAgain):
        story.rings(ends, after=60)
    else:
        story.say(ends, after=60)
    assert "guard" not in story.timers
    story.say(due)
    assert story.last.effects == (), "one that was on its way"


def test_no_looks_at_what_is_closed_or_goes_on_in_another_incident():
    story = mitigated().written()
    due = story.timers["guard"].action
    for number, _ in enumerate(story.record.postmortem.items if story.record.postmortem else (), 1):
        story.say(said.MarkItem(by="U0BOB", number=number))
    assert story.record.status is Status.CLOSED
    assert "guard" not in story.timers
    story.say(due)
    assert (story.last.effects, story.last.timers) == ((), ())

    gone, goes_on = mitigated().written(), Story()
    duplicate = gone.record.model_copy(update={"id": "INC-0002"})
    goes_on.say(said.MergeDuplicates(by="U0BOB", others=("INC-0002",), records=(duplicate,)))
    (also,) = goes_on.last.also
    assert also is not None
    assert also.incident.status is Status.RESOLVED
    assert "guard" in also.cancels
    late = step(also.incident, gone.timers["guard"].action, gone.service, gone.now)
    assert isinstance(late, Change)
    assert late.effects == ()


def test_a_reopened_one_that_recovered_again_has_looks_of_its_own():
    story = mitigated()
    old = story.timers["guard"].action
    story.rings(
        said.SeenAgain(issue="41", evidence=evidence(story.now + timedelta(minutes=1))), after=60
    )
    story.measured()
    story.rolled_back(running=None).deployed().recovered()
    assert story.due("guard") == 60
    story.say(old)
    assert story.last.effects == ()
    assert "guard" in story.timers


def test_while_a_fix_forward_is_under_way_its_own_looks_count():
    story = mitigated()
    since = story.now
    story.hotfixed(forward=True)
    story.fires("guard")
    assert story.last.effects == ()
    assert passed(story, since) == 2
    story.say(
        said.DeployNotStarted(deploy_id=story.deploy, running="1.2.9", reason="1.2.9 runs by now")
    )
    assert story.record.status is Status.MITIGATED
    looked(story, "back", 240)
    assert story.record.status is Status.DECIDING
