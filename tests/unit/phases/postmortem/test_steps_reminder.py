"""The reminder: every working morning where the lead is, until the post-mortem is written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phases.messages import actions as said
from phases.messages import effects as wanted
from phases.postmortem.reminders import REMINDER_LEAST
from phases.postmortem.working_hours import MORNING, next_morning
from phases.record.documents import Adr
from phases.record.findings import LookVerdict
from phases.record.incident import Status
from tests.support.bots.story import Story, mitigated, verifying
from tests.support.values.factories import evidence, postmortem, service

SUBMIT = said.SubmitPostmortem(postmortem=postmortem())


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)  # the 22nd is a Sunday


@pytest.mark.parametrize(
    ("now", "offset", "morning"),
    [
        (at(22, 14), 0, at(23, 9)),
        (at(23, 3), 0, at(23, 9)),
        (at(23, 6), 0, at(24, 9)),  # three hours are too few
        (at(20, 14), 0, at(23, 9)),  # Friday: Monday
        (at(23, 3), 3600, at(23, 8)),  # nine in Berlin
        (at(23, 0), -8 * 3600, at(23, 17)),  # Sunday afternoon in San Francisco: Monday nine there
        (at(20, 20), 5 * 3600 + 1800, at(23, 3, 30)),  # Saturday in Mumbai already
    ],
)
def test_the_next_working_morning(now: datetime, offset: int, morning: datetime):
    assert next_morning(now + REMINDER_LEAST, offset) == morning


@given(
    st.integers(0, 2 * 365 * 24 * 60).map(lambda minutes: at(1, 0) + timedelta(minutes=minutes)),
    st.integers(-12 * 4, 14 * 4).map(lambda quarters: quarters * 900),
)
def test_a_morning_is_a_working_one_and_never_far(now: datetime, offset: int):
    due = next_morning(now + REMINDER_LEAST, offset)
    there = due + timedelta(seconds=offset)
    assert there.weekday() < 5
    assert there.time() == MORNING
    assert REMINDER_LEAST <= due - now <= timedelta(days=4)
    assert next_morning(due + REMINDER_LEAST, offset) - due >= timedelta(days=1)


def test_begun_with_recovery_moved_to_the_lead_and_said_every_working_day():
    story = mitigated()  # Sunday, three in the morning
    assert story.timers["postmortem"].at == at(23, 9)
    assert wanted.AskZone(people=("U0ALICE",)) in story.wants(wanted.AskZone)
    story.say(said.Zones(offsets={"U0ALICE": 3600}))
    assert story.timers["postmortem"].at == at(23, 8)
    story.fires("postmortem")
    (reminder,) = story.wants(wanted.Say)
    assert reminder.mention == ("U0ALICE",), "the lead alone"
    assert reminder.ask == "postmortem"
    assert (
        reminder.text == "Users have been fine for 1 day. The post-mortem is still to be written."
    )
    assert story.timers["postmortem"].at == at(24, 8)
    for _ in range(3):
        story.fires("postmortem")
    assert story.timers["postmortem"].at == at(27, 8)
    story.fires("postmortem")
    assert story.timers["postmortem"].at == at(30, 8), "not at the weekend"


@pytest.mark.parametrize(
    ("back", "said_at"),
    [
        (at(28, 11), at(30, 9)),  # Saturday: Monday
        (at(29, 23), at(30, 9)),  # Sunday night: not on Sunday
        (at(26, 2), at(26, 9)),  # in the night: at nine, however near that is
        (at(26, 6, 30), at(26, 9)),
    ],
)
def test_a_bot_that_was_down_when_it_was_due_wakes_nobody(back: datetime, said_at: datetime):
    story = mitigated()
    due = story.timers.pop("postmortem")
    story.now = back
    story.say(due.action, after=0)
    assert story.wants(wanted.Say) == []
    assert story.record.postmortem_reminded == 0
    assert story.timers["postmortem"].at == said_at
    story.fires("postmortem")
    assert len(story.wants(wanted.Say)) == 1


def test_a_bot_that_is_back_in_the_afternoon_says_it_then():
    story = mitigated()
    due = story.timers.pop("postmortem")
    story.now = at(25, 15)
    story.say(due.action, after=0)
    assert len(story.wants(wanted.Say)) == 1
    assert story.timers["postmortem"].at == at(26, 9)


def test_after_three_days_the_owners_hear_of_it():
    story = (
        Story(service(owners=("U0BOB", "@oncall")))
        .opened()
        .measured()
        .rolled_back()
        .deployed()
        .recovered()
    )
    called: list[tuple[str, ...]] = []
    for _ in range(5):
        story.fires("postmortem")
        called.append(story.wants(wanted.Say)[0].mention)
    assert called == [("U0ALICE",)] * 3 + [("U0ALICE", "U0BOB", "@oncall")] * 2


def test_the_new_lead_is_asked_where_they_are():
    story = mitigated()
    story.say(said.TakeLead(by="U0BOB", lead="U0BOB"))
    assert story.wants(wanted.AskZone) == [wanted.AskZone(people=("U0BOB",))]
    story.fires("postmortem")
    assert story.wants(wanted.Say)[0].mention == ("U0BOB",)


def test_it_ends_with_the_file_with_a_new_round_and_with_a_cancellation():
    assert "postmortem" not in mitigated().written().timers
    story = mitigated()
    story.rings(
        said.SeenAgain(issue="41", evidence=evidence(story.now + timedelta(minutes=1))), after=90
    )
    assert story.record.status is Status.DECIDING
    assert "postmortem" not in story.timers
    story = mitigated()
    story.say(said.Cancel(by="U0BOB", reason="a load test"))
    assert "postmortem" not in story.timers
    assert story.record.postmortem_due is None


def test_sent_and_not_written_it_says_so():
    story = mitigated()
    story.say(SUBMIT)
    assert "postmortem" in story.timers
    story.fails(wanted.NumberAdr(), "the directory cannot be read")
    story.fires("postmortem")
    assert "was submitted but is not written" in story.wants(wanted.Say)[0].text


def test_slack_that_cannot_say_where_the_lead_is_costs_nothing_but_the_hour():
    story = mitigated()
    story.fails(wanted.AskZone(people=("U0ALICE",)), "users.info: ratelimited")
    assert story.timers["postmortem"].at == at(23, 9)
    story.say(said.Zones(offsets={"U0ALICE": 0}))
    assert story.record.failures == ()


# --- it goes on after the post-mortem was written -------------------------------------------------


def test_opened_again_it_is_written_anew_under_its_number():
    story = mitigated().written()
    number = story.record.adr
    assert number is not None
    story.rings(
        said.SeenAgain(issue="41", evidence=evidence(story.now + timedelta(minutes=1))), after=90
    )
    assert (story.record.adr, story.record.adr_before, story.record.rewriting) == (
        None,
        number,
        True,
    )
    assert story.record.postmortem is not None, "its action items are followed"
    story.measured().rolled_back().deployed().looked(LookVerdict.RECOVERED)
    refused = story.refuses(said.Resolve(by="U0BOB")).text
    assert "the incident went on after it was written" in refused
    story.say(SUBMIT)
    assert story.wants(wanted.NumberAdr) == []
    assert story.wants(wanted.WriteAdr) == [wanted.WriteAdr(number=number.number)]
    assert "is being written" in story.refuses(SUBMIT).text
    story.say(said.AdrWritten(adr=number))
    assert story.record.status is Status.RESOLVED
    assert (story.record.adr, story.record.adr_before) == (number, None)


def test_written_while_verifying_and_not_recovered_it_is_written_anew():
    story = verifying().written()
    story.looked(LookVerdict.NOT_RECOVERED)
    story.looked(LookVerdict.NOT_RECOVERED, number=2)
    assert story.record.status is Status.DECIDING
    assert story.record.rewriting


def test_written_while_verifying_its_file_is_brought_up_to_date_with_recovery():
    story = verifying().written()
    story.looked(LookVerdict.RECOVERED)
    assert story.wants(wanted.ReviseAdr) == [wanted.ReviseAdr()]

    story = mitigated()
    story.say(said.SubmitPostmortem(postmortem=postmortem(at=story.now)))
    story.say(said.AdrWritten(adr=Adr(number=2, path="docs/adr/0002.md")))
    assert story.record.status is Status.RESOLVED
    assert story.wants(wanted.ReviseAdr) == [], "nothing to bring up to date"


def test_a_file_that_came_too_late_is_written_anew():
    story = verifying()
    story.say(SUBMIT)
    story.say(said.AdrNumbered(repository="/srv/adr", number=2))
    story.looked(LookVerdict.NOT_RECOVERED)
    story.looked(LookVerdict.NOT_RECOVERED, number=2)
    story.say(said.AdrWritten(adr=Adr(number=2, path="docs/adr/0002.md")))
    assert story.record.rewriting
    assert story.record.adr is None
