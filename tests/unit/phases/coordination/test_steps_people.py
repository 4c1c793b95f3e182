"""Lead, severity, and the times of updates to people, as a rule without a clock."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.views.triage_details import triage_details
from phases.coordination.updates import (
    CADENCE,
    CHANNEL_AFTER,
    SNOOZE,
    awaits_update,
    follow_updates,
    update_template,
    update_text,
)
from phases.messages import actions as said
from phases.messages.effects import CommentTicket, Invite, Page, Remind, Say, TellDiscord
from phases.record.findings import Word
from phases.record.incident import Channel, MessageRef, Severity, Status
from phases.shared.change import Draft
from tests.support.bots.story import Story, mitigated, verifying
from tests.support.values.factories import NOW, blast, evidence, incident, one_feature, report

MINUTE = 60.0


def test_a_sev1_that_is_called_so_when_users_are_fine_wakes_nobody():
    story = Story().opened().measured(one_feature()).rolled_back().deployed().recovered()
    assert (story.record.status, story.record.severity) == (Status.MITIGATED, Severity.SEV2)
    story.say(said.SetSeverity(by="U0BOB", severity=Severity.SEV1))
    assert story.wants(Page) == []
    assert story.record.severity is Severity.SEV1


def test_a_sev1_wants_a_word_every_half_hour_and_reminds_the_lead_then_the_channel():
    story = Story().opened().measured()
    assert story.record.severity is Severity.SEV1
    assert story.due("update") == pytest.approx(30 * MINUTE, abs=10)
    story.fires("update")
    assert [(e.who, "30 min" in e.text) for e in story.wants(Remind)] == [("U0ALICE", True)]
    assert story.roots == 0, "the lead alone"
    assert story.due("update") == CHANNEL_AFTER.total_seconds()
    story.fires("update")
    assert story.wants(Remind) == []
    (asked,) = story.wants(Say)
    assert (asked.mention, asked.ask) == (("U0ALICE",), "update")
    assert "40 min" in asked.text
    assert story.due("update") == 30 * MINUTE
    story.fires("update")
    assert len(story.wants(Remind)) == 1, "a whole turn of quiet, then the lead again"


def test_without_a_lead_the_channel_is_told_and_the_owners_are_mentioned():
    story = Story(by=None).opened().measured(one_feature())
    assert story.record.severity is Severity.SEV2
    assert story.due("update") == pytest.approx(60 * MINUTE, abs=10)
    story.fires("update")
    (asked,) = story.wants(Say)
    assert asked.mention == story.service.owners
    assert "Nobody leads" in asked.text


def test_an_update_starts_the_clock_anew_and_goes_everywhere():
    story = Story().opened().measured()
    story.say(
        said.MessagePosted(name="announcement", ref=MessageRef(channel="C0INCIDENTS", ts="1.1"))
    )
    story.fires("update")
    story.say(
        said.PostUpdate(
            by="U0BOB", text="db-2 is full", users="paying fails", doing="we restart it"
        ),
        after=60,
    )
    assert story.record.reminded == ""
    assert story.due("update") == 30 * MINUTE
    here, announced = story.wants(Say)
    assert here.text.endswith("db-2 is full\n*Users:* paying fails\n*Doing:* we restart it")
    assert (announced.goes_to, announced.thread, announced.due) == (
        "announcement",
        True,
        story.record.update_due,
    )
    assert [e.text for e in story.wants(CommentTicket)] == [
        "Update by <@U0BOB>: db-2 is full\nUsers: paying fails\nDoing: we restart it"
    ]
    assert story.wants(TellDiscord)
    assert story.noted == ["db-2 is full\nUsers: paying fails\nDoing: we restart it"]


def test_a_promise_counts_whatever_the_severity():
    story = Story().opened().measured(report(blast=blast(Word.ONE, Word.ONE)))
    assert story.record.severity is Severity.SEV3
    assert "update" not in story.timers
    story.say(said.PostUpdate(by="U0BOB", text="looking", next_minutes=120))
    assert story.due("update") == 120 * MINUTE
    story.say(said.PostUpdate(by="U0BOB", text="fine by now"))
    assert "update" not in story.timers


def test_snoozing_puts_it_off_and_never_brings_it_forward():
    story = Story().opened().measured()
    assert "due in" in story.refuses(said.SnoozeUpdate(by="U0BOB")).text
    story.fires("update")
    story.say(said.SnoozeUpdate(by="U0BOB"))
    assert story.due("update") == SNOOZE.total_seconds()
    story.fires("update")
    assert len(story.wants(Remind)) == 1, "the lead is asked first again"


def test_recovery_ends_it_and_trouble_that_is_back_begins_it_anew():
    assert "update" in verifying().timers
    story = mitigated()
    assert "update" not in story.timers
    assert story.record.update_due is None
    assert "No update" in story.refuses(said.SnoozeUpdate(by="U0BOB")).text
    again = evidence(at=story.now + timedelta(minutes=1))
    story.rings(said.SeenAgain(issue="41", evidence=again), after=60)
    assert story.record.status is Status.DECIDING
    assert story.due("update") == 30 * MINUTE


@given(
    severity=st.sampled_from([None, *Severity]),
    before=st.sampled_from([None, *Severity]),
    status=st.sampled_from(Status),
    channel=st.booleans(),
    due=st.sampled_from([None, -600.0, 60.0, 5000.0]),
    promised=st.booleans(),
)
def test_the_clock_after_any_change(
    severity: Severity | None,
    before: Severity | None,
    status: Status,
    channel: bool,
    due: float | None,
    promised: bool,
):
    there = Channel(id="C1", name="inc-0001") if channel else None
    at = NOW + timedelta(seconds=due) if due is not None else None
    after = incident(
        severity=severity,
        status=status,
        channel=there,
        update_due=at,
        update_promised=promised and at is not None,
        reminded="lead" if at else "",
    )
    was = after.model_copy(update={"severity": before})
    draft = Draft(was, NOW).set(severity=severity)
    follow_updates(draft)
    change = draft.done()
    timer = next((t for t in change.timers if t.name == "update"), None)
    if not awaits_update(after):
        assert change.incident.update_due is None
        assert timer is None
        assert ("update" in change.cancels) == (at is not None)
    elif timer is not None:
        assert at is None or (before != severity and not after.update_promised)
        assert timer.at == change.incident.update_due
        assert timer.at - NOW == CADENCE.get(severity or Severity.SEV2, CADENCE[Severity.SEV2])
        assert change.incident.reminded == ""
    else:
        assert change is not None
        assert change.incident.update_due == at, "nothing that is under way is lost"
    again = Draft(change.incident, NOW)
    follow_updates(again)
    again = again.done()
    assert (again.timers, again.incident) == ((), change.incident), (
        "nothing changes, nothing begins"
    )


def test_what_began_before_the_end_of_a_rollout_did_not_begin_after_it():
    report_of_then = report(suspect_minutes=-3.0)
    story = Story().opened().measured(report_of_then)
    assert update_template(story.record).knows.startswith("It began as 1.3.0 was being deployed.")
    details = str(triage_details(report_of_then, story.service, began=True))
    assert "just as `1.3.0` went out" in details


def test_the_form_is_filled_with_what_is_true():
    story = Story().opened().measured()
    filled = update_template(story.record)
    assert (
        filled.knows == "It began 3 minutes after 1.3.0 was deployed. The cause is not known yet."
    )
    assert filled.users == "37 users get errors in payment and cart."
    assert filled.doing == "We are deciding what to do."
    story.rolled_back()
    assert update_template(story.record).doing == "We are rolling back to 1.2.0."
    story.deployed()
    assert (
        update_template(story.record).doing
        == "Rolled back to 1.2.0. We are checking whether it helped."
    )
    story.say(said.NameCause(by="U0BOB", text="the tax table was empty"))
    assert update_template(story.record).knows == "the tax table was empty"
    assert (
        update_text(said.PostUpdate(by="U0BOB", text=" a ", users=" ", doing="b"), bold=True)
        == "a\n*Doing:* b"
    )


def test_the_lead_is_handed_over_by_name_and_comes_into_the_channel():
    story = Story().opened()
    story.say(said.TakeLead(by="U0BOB", lead="U0CAROL"))
    assert story.in_channel == ["<@U0CAROL> leads, in place of <@U0ALICE> (<@U0BOB> handed over)."]
    assert story.wants(Invite) == [Invite(people=("U0CAROL",), owners=False)]
    assert story.refuses(said.TakeLead(by="U0CAROL", lead="U0CAROL")).code == "stale"
    story.say(said.TakeLead(by="U0CAROL", lead="U0BOB"))
    assert story.in_channel == ["<@U0BOB> leads, in place of <@U0CAROL>."]


def test_a_persons_severity_is_said_with_what_it_was():
    story = Story().opened().measured(one_feature())
    story.say(said.SetSeverity(by="U0BOB", severity=Severity.SEV1))
    assert story.in_channel == ["SEV2 → SEV1, says <@U0BOB>."]
    assert story.pages
    assert story.due("update") == 30 * MINUTE, "as often as a SEV1 wants it"
