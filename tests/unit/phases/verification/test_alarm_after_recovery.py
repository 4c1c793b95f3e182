"""An alarm after recovery opens nothing by itself, but the bot checks.

The checks run over the local Sentry, and their results are followed.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from phases.messages import actions as said
from phases.messages import effects as wanted
from phases.messages.effects import EFFECT
from phases.record.findings import Release
from phases.record.incident import GuardLook, Incident, Status
from phases.verification.recurrence import GUARD_LASTS, look_back, taken_back_names
from sandbox.faults import Fault
from tests.support.bots.story import Story, mitigated
from tests.support.values.factories import evidence
from tests.support.worlds.recovery import recovered
from tests.support.worlds.sentry_world import SHOP, World, ago, world

# --- what the look sees ---------------------------------------------------------------------------


LOOK = ago(-10)
"""A quarter of an hour after recovery; the fire was over by then."""


def answers(incident: Incident, *, whole: bool = True, alarm: bool = True) -> GuardLook:
    assert incident.guard_until is not None
    heard = evidence(incident.guard_until - GUARD_LASTS) if alarm else None
    return GuardLook(until=incident.guard_until, number=4, seeds=0, whole=whole, alarm=heard)


def events(
    w: World, release: str, *, minutes: float, times: int, every: float, error: str = "Oops: a"
) -> None:
    function = "f" if error == "Oops: a" else error
    w.local.load(
        error,
        at=LOOK - timedelta(minutes=minutes),
        every=every,
        times=times,
        transaction="/cart",
        release=release,
        function=function,
    )


@pytest.mark.parametrize(
    ("release", "times", "every", "outcome", "stragglers"),
    [
        ("v3", 1, 1, "quiet", 1),  # one old tab
        (
            "v3",
            30,
            28,
            "quiet",
            30,
        ),  # thirty in a quarter of an hour: more than the baseline allows, of what no longer runs
        ("v2", 1, 1, "quiet", 0),
        ("v2", 3, 1, "quiet", 0),  # as few as the baseline brings
        ("v2", 15, 60, "cannot tell", 0),
        ("v2", 80, 10, "back", 0),  # the running release, at the old rate
        ("v1", 80, 10, "back", 0),  # an older one that somebody still runs: no regression to Sentry
        ("", 80, 10, "back", 0),
        ("v3", 80, 10, "back", 0),  # no old tabs: what was taken back serves people again
    ],
)
async def test_an_alarm_is_judged_by_count_and_by_release(
    release: str, times: int, every: float, outcome: str, stragglers: int
):
    async with world() as w:
        incident = await recovered(w, 5)
        events(w, release, minutes=14.5, times=times, every=every)
        look = await look_back(incident, SHOP, answers(incident), w.client, LOOK)
    assert (look.outcome, look.events, look.stragglers) == (outcome, times, stragglers)
    assert look.gone == (("v3",) if stragglers else ())


async def test_a_return_that_began_a_moment_ago_is_not_lost_in_a_quarter_of_an_hour():
    async with world() as w:
        incident = await recovered(w, 5)
        events(w, "v2", minutes=2.95, times=18, every=9.5)
        look = await look_back(incident, SHOP, answers(incident), w.client, LOOK)
        own = answers(incident, whole=False, alarm=False)
        soon = await look_back(incident, SHOP, own, w.client, LOOK)
    assert (look.outcome, soon.outcome) == ("back", "back")
    assert (look.events, look.minutes) == (soon.events, soon.minutes) == (18, 3.0)


async def test_a_quiet_look_of_the_bots_own_is_one_cheap_call():
    async with world(counting=True) as w:
        incident = await recovered(w, 5)
        assert w.calls is not None
        first = await look_back(
            incident, SHOP, answers(incident, whole=False, alarm=False), w.client, LOOK
        )
        assert first.look.burned is not None, "how it burned is asked for once"
        before = len(w.calls.paths)
        events(w, "v3", minutes=2, times=2, every=1)
        again = await look_back(incident, SHOP, first.look, w.client, LOOK)
        (call,) = w.calls.paths[before:]
    assert again.events == 2
    assert "/events/?" in call
    assert "count%28%29" in call


async def test_what_was_deployed_again_is_no_straggler():
    async with world() as w:
        incident = await recovered(w, 5)
        assert taken_back_names(incident) == {"v3"}
        again = incident.model_copy(update={"heard": (f"deploy:v3@{ago(0).isoformat()}",)})
        assert taken_back_names(again) == frozenset()
        events(w, "v3", minutes=14, times=25, every=30)
        assert (
            await look_back(incident, SHOP, answers(incident), w.client, LOOK)
        ).outcome == "quiet"
        assert (await look_back(again, SHOP, answers(incident), w.client, LOOK)).outcome == "back"


async def test_what_was_taken_back_is_known_by_its_commit_and_by_an_abbreviation_of_it():
    """The deployer calls it by its tag, Sentry by the commit."""
    sha = "4f0c" * 10
    async with world() as w:
        incident = await recovered(w, 5)
        (round_,) = incident.rounds
        assert round_.action is not None
        acted = round_.action.model_copy(update={"from_release": Release(version="v3", commit=sha)})
        incident = incident.model_copy(
            update={"rounds": (round_.model_copy(update={"action": acted}),)}
        )
        assert taken_back_names(incident) == {"v3", sha}
        for name in (sha, sha[:7]):
            events(w, name, minutes=14, times=12, every=30)
        look = await look_back(incident, SHOP, answers(incident), w.client, LOOK)
        again = incident.model_copy(update={"heard": (f"deploy:{sha[:12]}@{ago(0).isoformat()}",)})
        assert taken_back_names(again) == frozenset()
    assert (look.outcome, look.stragglers) == ("quiet", 24)


def down(w: World) -> str:
    """An uptime monitor saw it, three minutes ago; errors tell nothing of it."""
    title = "Downtime detected for https://shop.example"
    w.local.load(
        title,
        at=LOOK - timedelta(minutes=3),
        tags={"uptime_rule": "7"},
        function=title,
        release=None,
    )
    return str(max(w.local.issues))


async def test_a_monitor_that_fires_after_recovery_is_never_not_a_return():
    async with world() as w:
        incident = await recovered(w, 5)
        look = answers(incident)
        issue = down(w)
        other = await look_back(incident, SHOP, look, w.client, LOOK)
        own = await look_back(
            incident, SHOP, look.model_copy(update={"issue": issue}), w.client, LOOK
        )
        resolved = incident.model_copy(update={"status": Status.RESOLVED})
        later = await look_back(
            resolved, SHOP, look.model_copy(update={"issue": issue}), w.client, LOOK
        )
    assert other.outcome == own.outcome == "fires"
    assert other.text.endswith("Downtime detected for https://shop.example: 1 event in 15 min")
    assert later.outcome == "cannot tell"
    assert "not counted as errors" in later.text


async def test_something_else_that_burns_is_seen_and_what_old_tabs_send_is_not():
    async with world() as w:
        incident = await recovered(w, 5)
        events(w, "v2", minutes=10, times=9, every=5, error="Few: b")
        events(w, "v3", minutes=10, times=30, every=5, error="Gone: c")
        assert (
            await look_back(incident, SHOP, answers(incident), w.client, LOOK)
        ).outcome == "quiet"
        events(w, "v2", minutes=10, times=30, every=5, error="Other: d")
        look = await look_back(incident, SHOP, answers(incident), w.client, LOOK)
    assert look.outcome == "fires"
    assert look.text.endswith("Other: d: 30 events in 15 min")


async def test_without_releases_every_event_counts_and_without_an_answer_none():
    async with world(discover=False) as w:
        incident = await recovered(w, 5)
        events(w, "v3", minutes=14, times=25, every=30)
        assert (
            await look_back(incident, SHOP, answers(incident), w.client, LOOK)
        ).outcome == "back"
        w.faults.always("sentry.*", Fault(status=503))
        away = await look_back(incident, SHOP, answers(incident), w.client, LOOK)
    assert away.outcome == "not asked"
    assert away.text
    assert (await look_back(incident, SHOP, answers(incident), None, LOOK)).outcome == "not set up"


# --- what comes of it -----------------------------------------------------------------------------


def alarm(story: Story, after: float = 60, issue: str = "41") -> said.SeenAgain:
    return said.SeenAgain(issue=issue, evidence=evidence(story.now + timedelta(seconds=after)))


def test_the_alarm_is_recorded_with_the_look_and_nothing_is_opened():
    story = mitigated()
    story.say(alarm(story), after=60)
    assert story.record.status is Status.MITIGATED
    assert (story.pages, story.in_channel, story.in_thread) == ([], [], [])
    (effect,) = story.wants(wanted.LookBack)
    assert EFFECT.validate_json(EFFECT.dump_json(effect)) == effect, (
        "it waits in Redis, whatever becomes of this bot"
    )
    assert story.noted == [
        "An alarm 60 s after recovery, looked at: Sentry SHOP-3: SHOP-3 ZeroDivisionError"
    ]


def test_one_straggler_is_one_line_in_the_thread():
    story = mitigated()
    story.rings(alarm(story), "quiet", after=60, events=1, minutes=1, stragglers=1, gone=("1.3.0",))
    assert story.in_thread == [
        "*Alarm after recovery:* Sentry SHOP-3: SHOP-3 ZeroDivisionError. 1 event in 60 s, where "
        "up to 3 are normal; 1 of 1.3.0, which no longer runs: not a return."
    ]
    assert (story.pages, story.in_channel, story.on_ticket) == ([], [], [])
    assert story.due("alarm") == 60, "the first event of a return looks just like that"


def test_thirty_stragglers_over_an_hour_are_one_line_and_no_page():
    story = mitigated()
    lines: list[str] = []
    for number in range(1, 31):
        story.say(alarm(story, after=120), after=120)
        if story.wants(wanted.LookBack):
            story.looks_back("quiet", events=number, stragglers=number, gone=("1.3.0",))
        lines += story.in_thread
        assert (story.pages, story.in_channel) == ([], [])
    assert len(lines) == 1
    assert story.record.status is Status.MITIGATED


def test_a_storm_of_alarms_is_one_look_a_minute():
    story = mitigated()
    looks = 0
    for _ in range(100):
        story.say(alarm(story, after=1), after=1)
        looks += len(story.wants(wanted.LookBack))
    assert looks == 1, "what comes of it is looked at by the timer"


def test_a_return_behind_a_straggler_opens_it_at_once():
    story = mitigated()
    story.rings(alarm(story), "quiet", after=60, events=1)
    story.fires("alarm")
    story.looks_back("back", events=240)
    assert story.record.status is Status.DECIDING
    assert len(story.pages) == 1
    assert "alarm" not in story.timers
    assert story.record.alarm is None


def test_the_looks_end_when_a_quarter_of_an_hour_lies_behind_the_alarm():
    story = mitigated()
    story.rings(alarm(story), "quiet", after=60)
    since, made = story.now, 0
    while "alarm" in story.timers:
        story.fires("alarm")
        story.looks_back("quiet", events=1)
        assert (story.in_channel, story.in_thread) == ([], []), "said once"
        made += 1
    assert 14 <= made <= 16
    assert story.now - since < timedelta(minutes=17)


def test_more_than_usual_and_not_surely_back_is_said_in_the_channel_and_pages_nobody():
    story = mitigated()
    story.rings(alarm(story), "quiet", after=60, events=1)
    story.fires("alarm")
    story.looks_back("cannot tell", events=12)
    (message,) = story.in_channel
    assert "12 events in 15 min, where up to 3 are normal" in message
    assert "I keep looking" in message
    assert story.pages == []
    story.fires("alarm")
    story.looks_back("quiet", events=3)
    assert (story.in_channel, story.in_thread) == ([], [])


def test_where_nothing_can_be_counted_a_person_is_asked_and_opens_it_again():
    story = mitigated()
    story.rings(alarm(story), "cannot tell", after=60, minutes=0, text="the clocks are apart")
    (message,) = story.in_channel
    assert "the clocks are apart. Please look: `/incident reopen INC-" in message
    assert "0 events" not in message, "nothing was counted"
    story.say(said.Reopen(by="U0BOB"))
    assert story.incident.status is Status.DECIDING
    assert (len(story.incident.rounds), story.incident.recovered_at) == (2, None)


def test_while_sentry_is_away_it_is_said_once_asked_again_and_nobody_is_paged():
    story = mitigated()
    story.rings(alarm(story), "not asked", after=60, text="Sentry does not answer (503)")
    (message,) = story.in_channel
    assert "Sentry cannot be queried whether it is back (Sentry does not answer (503))" in message
    assert "nobody is paged until it answers" in message
    for _ in range(40):
        assert story.due("alarm") <= 5 * 60
        story.fires("alarm")
        (effect,) = story.wants(wanted.LookBack)
        story.fails(effect)
        assert (story.in_channel, story.pages, story.record.failures) == ([], [], ())
    story.fires("alarm")
    story.looks_back("quiet", events=1)
    assert len(story.in_thread) == 1, "and what it says then"
    assert story.record.status is Status.MITIGATED


def test_a_return_that_sentry_tells_of_late_opens_it_as_one_within_the_guard():
    story = mitigated()
    story.rings(alarm(story), "not asked", after=60)
    story.now += timedelta(hours=2)
    story.fires("alarm")
    story.looks_back("back", events=240)
    assert story.record.status is Status.DECIDING
    assert len(story.pages) == 1


def test_after_a_day_without_an_answer_people_are_asked_to_look():
    story = mitigated()
    story.rings(alarm(story), "not asked", after=60)
    story.now += timedelta(hours=25)
    story.fires("alarm")
    story.looks_back("not asked")
    assert story.in_channel == [
        "*Alarm after recovery:* Sentry has not answered for a day. Please check."
    ]
    assert "alarm" not in story.timers


def test_without_sentrys_api_people_are_asked_to_look():
    story = mitigated()
    story.rings(alarm(story), "not set up", after=60)
    assert "Sentry's API is not set up" in story.in_channel[0]
    assert story.wants(wanted.Say)[0].mention == ("U0ALICE",)
    assert (story.pages, "alarm" in story.timers) == ([], False)


def closed() -> Story:
    story = mitigated().written()
    for number, _ in enumerate(story.record.postmortem.items if story.record.postmortem else (), 1):
        story.say(said.MarkItem(by="U0BOB", number=number))
    assert story.record.status is Status.CLOSED
    return story


@pytest.mark.parametrize("over", [lambda: mitigated().written(), closed])
@pytest.mark.parametrize("hours", [0.5, 20.0])
def test_resolved_or_closed_a_straggler_leaves_it_and_a_return_opens_it(
    over: type[Story], hours: float
):
    story = over()
    story.rings(alarm(story, after=hours * 3600), "quiet", after=hours * 3600, events=1)
    assert story.record.status in (Status.RESOLVED, Status.CLOSED)
    assert story.pages == []
    story.fires("alarm")
    story.looks_back("back", events=240)
    assert story.record.status is Status.DECIDING
    assert len(story.pages) == 1


def test_an_answer_that_comes_twice_or_late_changes_nothing():
    story = mitigated()
    story.say(alarm(story), after=60)
    (effect,) = story.wants(wanted.LookBack)
    answer = said.GuardLooked(
        look=effect.look, at=story.now, outcome="back", events=240, minutes=1, allowed=3
    )
    story.say(answer)
    rounds = story.record.rounds
    story.say(answer)
    assert (story.last.effects, story.last.entries, story.record.rounds) == ((), (), rounds)
    story = mitigated()
    story.say(alarm(story), after=60)
    story.say(said.Cancel(by="U0BOB", reason="load test"))
    story.say(answer)
    assert (story.last.effects, story.record.status) == ((), Status.CANCELLED)


def test_what_the_watch_after_a_deploy_saw_itself_is_said_at_once():
    story = mitigated()
    action = said.AddEvidence(
        evidence=evidence(story.now + timedelta(minutes=9)), issue="99", looked=True
    )
    story.say(action, after=540)
    assert story.in_channel[0].startswith("*Fires again:*")
    assert len(story.pages) == 1


def test_while_a_fix_forward_is_under_way_the_alarm_waits_for_what_becomes_of_it():
    story = mitigated()
    story.rings(alarm(story), "quiet", after=60)
    story.hotfixed(forward=True)
    story.fires("alarm")
    assert (story.wants(wanted.LookBack), story.due("alarm")) == ([], 60)
    story.say(
        said.DeployNotStarted(deploy_id=story.deploy, running="1.2.9", reason="1.2.9 runs by now")
    )
    story.fires("alarm")
    story.looks_back("back", events=240)
    assert story.record.status is Status.DECIDING


def test_what_was_said_of_an_earlier_recovery_is_not_said_already_of_this_one():
    story = mitigated()
    story.rings(alarm(story), "quiet", after=60, events=1)
    story.fires("alarm")
    story.looks_back("back", events=240)
    story.measured()
    story.rolled_back(running=None).deployed().recovered()
    story.rings(alarm(story), "quiet", after=60, events=1)
    assert len(story.in_thread) == 1
