"""The looks between the checks: what they show, and the one thing that they may say."""

from __future__ import annotations

from datetime import timedelta

from handlers.views import phrasing
from phases.messages import actions as said
from phases.messages import effects as wanted
from phases.record.findings import EndpointAnswer, Look, LookVerdict
from phases.record.incident import Incident, Status
from phases.record.traffic_seen import BeforeAction
from phases.verification.recheck import Recheck
from tests.support.bots.story import Story, verifying
from tests.support.values.factories import service
from tests.support.worlds.recovery import CLOCK, burned
from tests.support.worlds.sentry_world import NOW, SHOP, World, ago, world


def glanced(story: Story, verdict: LookVerdict = LookVerdict.TOO_FEW, **fields: object) -> None:
    """The look of this minute was made."""
    due = story.timers["glance"].action
    assert isinstance(due, said.LookDue)
    story.fires("glance")
    look = Look(number=1, minute=due.minute, at=story.now, verdict=verdict)
    look = look.model_copy(update={"minutes": due.minute - 1.0, "unchanged": 40.0, **fields})
    story.say(said.Looked(round=1, look=look))


def test_each_minute_between_the_checks_is_looked_at_and_the_checks_own_are_not():
    story = verifying()
    clock = story.now
    minutes: list[float] = []
    while "glance" in story.timers:
        minutes.append(round((story.timers["glance"].at - clock).total_seconds() / 60, 1))
        glanced(story)
    assert minutes == [1, 2, 3, 4, 6, 7, 8, 9]
    assert story.due("look") is not None, "the checks come all the same"


def test_the_minutes_are_as_short_as_the_waits():
    story = Story(service(recheck_after_seconds=20, recheck_until_seconds=40)).opened().measured()
    story.say(said.DecideFixed(by="U0BOB", round=1, sentence="flag off"))
    assert story.due("glance") == 4


def test_no_minute_fits_between_checks_of_seconds():
    story = Story(service(recheck_after_seconds=1, recheck_until_seconds=2)).opened().measured()
    story.say(said.DecideFixed(by="U0BOB", round=1, sentence="flag off"))
    assert "glance" not in story.timers


def test_what_is_known_is_on_the_decision_and_nowhere_else():
    story = verifying()
    story.fires("glance")
    assert story.wants(wanted.LookAgain) == [wanted.LookAgain(round=1, number=1, minute=1)]
    look = Look(number=1, minute=1, at=story.now, verdict=LookVerdict.TOO_FEW, unchanged=40)
    story.say(said.Looked(round=1, look=look))
    assert (story.in_channel, story.in_thread, story.noted) == ([], [], [])
    assert "decision:1" in story.last.dirty
    current = story.record.round
    assert current is not None
    assert current.glance is not None
    text = phrasing.glance(current.glance.model_copy(update={"minutes": 2.0}))
    assert text == "▸ 2 min: 0 events where about 40 would have come; traffic is unknown"
    steady = phrasing.glance(current.glance.model_copy(update={"minutes": 2.0, "traffic": 1.1}))
    assert steady == "▸ 2 min: 0 events where about 40 would have come"
    fallen = phrasing.glance(current.glance.model_copy(update={"minutes": 2.0, "traffic": 0.31}))
    assert fallen.endswith("; traffic is 31 % of what it was during the fire")


def test_not_helping_opens_the_next_decision_before_the_check():
    story = verifying()
    glanced(story)
    glanced(story, LookVerdict.NOT_RECOVERED, events=80)
    assert story.record.status is Status.DECIDING
    assert [r.verdict for r in story.record.rounds] == ["not recovered", None]
    assert story.record.rounds[0].looks[-1].minute == 2
    assert "glance" not in story.timers
    assert "look" not in story.timers
    assert any("did not help" in page for page in story.pages)


def test_a_glance_never_says_recovered_and_a_late_one_changes_nothing():
    story = verifying()
    story.fires("glance")
    quiet = Look(number=1, minute=1, at=story.now, verdict=LookVerdict.RECOVERED)
    story.say(said.Looked(round=1, look=quiet))
    assert story.record.status is Status.VERIFYING
    story.looked(LookVerdict.RECOVERED)
    before = story.record
    late = quiet.model_copy(update={"verdict": LookVerdict.NOT_RECOVERED})
    story.say(said.Looked(round=1, look=late))
    assert story.record == before


def test_a_glance_that_failed_is_made_again_a_minute_later_and_nobody_hears_of_it():
    story = verifying()
    story.fires("glance")
    said_before = list(story.in_channel)
    story.fails(wanted.LookAgain(round=1, number=1, minute=1))
    assert list(story.in_channel) == said_before
    assert story.record.failures == ()
    assert 50 < story.due("glance") < 121


def test_a_bot_that_was_away_goes_on_with_the_minute_that_it_is():
    story = verifying()
    clock = story.now
    story.now += timedelta(minutes=3.5)
    glanced(story)
    assert round((story.timers["glance"].at - clock).total_seconds() / 60) == 4


# --- measured at the local Sentry -----------------------------------------------------------------


async def glance(w: World, burning: Incident, minute: int = 4) -> said.Looked:
    check = Recheck(burning, SHOP, w.client, NoEndpoint(), NOW)
    return await check.glance(1, minute)


class NoEndpoint:
    async def call(self, url: str) -> EndpointAnswer:
        raise AssertionError("a look between the checks calls no endpoint")


def loads(w: World, per_minute: int, release: str | None, minutes: float = 5) -> None:
    w.local.load(
        "Oops: a",
        at=CLOCK + timedelta(minutes=6 - minutes),
        every=60 / per_minute,
        times=round(minutes * per_minute),
        transaction="/cart",
        release=release,
        function="f",
    )


async def test_it_goes_on_in_the_release_that_runs_and_that_is_told():
    async with world() as w:
        burning = await burned(w)
        loads(w, 6, "v2")
        looked = await glance(w, burning)
    assert looked.look.verdict is LookVerdict.NOT_RECOVERED
    assert (looked.look.events, looked.look.minutes, looked.look.traffic) == (30, 5.0, 1.0)
    assert looked.before is not None
    assert looked.before.traffic.burning is not None, "asked once, and remembered"


async def test_what_came_since_the_look_before_declines_and_that_is_not_told():
    async with world() as w:
        burning = await burned(w)
        loads(w, 30, "v2", minutes=5)
        storm = Look(
            number=1, minute=4, at=ago(2), verdict=LookVerdict.TOO_FEW, events=140, minutes=3
        )
        looked = await glance(w, looked_at(burning, storm))
        even = await glance(w, looked_at(burning, storm.model_copy(update={"events": 90})))
    assert looked.look.events == even.look.events == 150
    assert looked.look.verdict is LookVerdict.TOO_FEW, "10 in two minutes, after 90 in three"
    assert even.look.verdict is LookVerdict.NOT_RECOVERED


async def test_a_look_that_counted_the_grace_is_not_compared_with():
    async with world() as w:
        burning = await burned(w)
        loads(w, 30, "v2", minutes=5)
        at = CLOCK + timedelta(minutes=1.5)
        early = Look(number=1, minute=1, at=at, verdict=LookVerdict.TOO_FEW, events=149)
        looked = await glance(w, looked_at(burning, early))
    assert looked.look.verdict is LookVerdict.NOT_RECOVERED


async def test_what_the_old_release_still_sends_is_shown_and_no_proof():
    async with world() as w:
        burning = await burned(w)
        loads(w, 6, "v3")
        looked = await glance(w, burning)
    assert looked.look.verdict is LookVerdict.TOO_FEW
    assert looked.look.events == 30
    assert looked.look.reasons[-1] == "30 of v3, which was taken back"


async def test_quiet_is_shown_with_the_traffic_and_says_nothing_yet():
    async with world() as w:
        burning = await burned(w)
        w.local.traffic(6, since=ago(6.5))
        looked = await glance(w, burning)
    assert looked.look.verdict is LookVerdict.TOO_FEW
    assert (looked.look.events, round(looked.look.unchanged)) == (0, 9)
    assert looked.look.traffic == 0.3


async def test_a_round_that_knows_what_was_before_asks_four_questions_a_minute_at_most():
    async with world(counting=True) as w:
        burning = await burned(w)
        loads(w, 6, "v2")
        first = await glance(w, burning)
        assert first.before is not None
        known = remembering(burning, first.before)
        assert w.calls is not None
        w.calls.paths.clear()
        second = await glance(w, known)
        assert len(w.calls.paths) == 4, "count, traffic, and both halves by release"
    assert second.look == first.look
    assert second.before is None


async def test_without_sentry_nothing_is_said():
    async with world() as w:
        burning = await burned(w)
        w.refusing.refuse("/events/", status=503)
        looked = await glance(w, burning)
    assert looked.look.verdict is LookVerdict.UNREACHABLE


def remembering(burning: Incident, before: BeforeAction) -> Incident:
    round_ = burning.rounds[0].model_copy(update={"before": before})
    return burning.model_copy(update={"rounds": (round_,)})


def looked_at(burning: Incident, before: Look) -> Incident:
    """The look of the minute before was this one."""
    round_ = burning.rounds[0].model_copy(update={"glance": before})
    return burning.model_copy(update={"rounds": (round_,)})
