"""Failures are said once where people are, and are never the end.

They are tried again by themselves where people cannot go on.
"""

from __future__ import annotations

import pytest

from phases.failures import FAILURES_KEPT, kept, was_given_up
from phases.messages import actions as said
from phases.messages import effects as wanted
from phases.record.findings import LookVerdict
from phases.record.incident import Failure, Severity, Status
from tests.support.bots.story import Story, mitigated, verifying
from tests.support.values.factories import NOW, TICKET, one_feature

RETRY = "retry:INC-0001.9.1"


def opened() -> Story:
    return Story().opened().measured(one_feature())


def test_a_failure_is_said_with_try_again_and_shown_until_it_worked():
    story = opened()
    story.fails(wanted.CloseTicket(), "Linear answered 500.")
    assert story.in_channel == [
        "The ticket could not be closed: Linear answered 500. I keep trying."
    ]
    assert story.wants(wanted.Say)[0].try_again == "INC-0001.9.1"
    assert story.noted == ["The ticket could not be closed: Linear answered 500."]
    story.say(said.TryAgain(by="U0BOB", effect_id="INC-0001.9.1"))
    assert story.wants(wanted.CloseTicket) == [wanted.CloseTicket()]
    assert story.record.failures == ()
    assert story.refuses(said.TryAgain(by="U0ALICE", effect_id="INC-0001.9.1")).code == "stale"


@pytest.mark.parametrize(
    "effect",
    [
        wanted.SetTopic(),
        wanted.Invite(people=("U0BOB",)),
        wanted.Pin(),
        wanted.Investigate(),
        wanted.AttachToTicket(url="https://sentry.example.com/1", title="SHOP-3"),
        wanted.CommentTicket(text="x"),
        wanted.TellDiscord(),
    ],
)
def test_small_failures_go_to_the_thread(effect: wanted.Effect):
    story = opened()
    story.fails(effect)
    assert story.in_channel == []
    assert len(story.in_thread) == 1


def test_what_cannot_be_said_is_not_said():
    story = opened()
    story.fails(wanted.Say(text="hello"))
    assert story.wants(wanted.Say) == []
    assert len(story.record.failures) == 1


def test_nobody_paged_is_said_to_the_owners_in_one_message():
    story = opened()
    story.fails(wanted.Page(key="sev1", text="INC-0001: 37 users"))
    messages = story.wants(wanted.Say)
    assert [(t.text, t.mention, t.try_again) for t in messages] == [
        ("Nobody could be paged: out of reach. INC-0001: 37 users", ("U0ALICE",), "INC-0001.9.1")
    ]


def test_a_ticket_is_tried_every_quarter_of_an_hour_until_it_is_there():
    story = Story()
    story.fails(wanted.OpenTicket())
    assert story.due(RETRY) == 15 * 60
    story.fires(RETRY)
    assert story.wants(wanted.OpenTicket) == [wanted.OpenTicket()]
    assert len(story.record.failures) == 1, "in sight until it worked"
    story.say(said.TicketOpened(ticket=TICKET))
    assert story.record.failures == ()


def test_two_messages_that_failed_are_two_retries():
    story = Story().opened()
    story.fails(wanted.PostLive(name="status"), id="INC-0001.9.1")
    story.fails(wanted.PostLive(name="decision:1"), id="INC-0001.9.2")
    assert {RETRY, "retry:INC-0001.9.2"} <= set(story.timers), "one must not replace the other"
    story.fires("retry:INC-0001.9.2")
    assert story.wants(wanted.PostLive) == [wanted.PostLive(name="decision:1")]
    story.posted("decision:1")
    assert [f.effect_id for f in story.record.failures] == ["INC-0001.9.1"]


def test_without_a_channel_ticket_and_discord_do_not_wait_for_slack():
    story = Story()
    story.fails(wanted.OpenChannel(), "Slack answered 503")
    assert story.wants(wanted.OpenTicket) == [wanted.OpenTicket()]
    assert story.wants(wanted.TellDiscord) == [wanted.TellDiscord()]
    assert story.due(RETRY) == 60
    story.fails(wanted.OpenChannel(), "Slack answered 503", id="INC-0001.10.1")
    assert story.wants(wanted.OpenTicket) == []


def test_the_question_on_which_the_way_on_hangs_is_asked_again():
    story = verifying()
    story.looked(LookVerdict.TOO_FEW)
    story.looked(LookVerdict.TOO_FEW)
    question = story.wants(wanted.Say)[0]
    story.fails(question)
    story.fires(RETRY)
    assert story.wants(wanted.Say) == [question]
    story.say(said.ConfirmRecovery(by="U0BOB", round=1, recovered=True))
    story.say(said.RetryDue(effect_id="INC-0001.9.1"))
    assert story.wants(wanted.Say) == [], "it is answered"
    assert story.record.failures == ()


def test_an_investigation_that_failed_can_run_again():
    story = opened()
    assert story.record.investigating
    story.fails(wanted.Investigate())
    assert not story.record.investigating
    story.say(said.TryAgain(by="U0BOB", effect_id="INC-0001.9.1"))
    assert story.record.investigating
    assert story.wants(wanted.Investigate) == [wanted.Investigate()]


def test_a_retry_that_comes_after_the_end_does_nothing():
    story = Story()
    story.fails(wanted.OpenChannel())
    story.say(said.Cancel(by="U0BOB", reason="load test"))
    story.say(said.RetryDue(effect_id="INC-0001.9.1"))
    assert story.last.effects == ()


def test_what_fails_after_the_end_and_is_of_no_use_any_more_is_no_failure():
    story = mitigated().written()
    story.fails(wanted.Triage())
    assert story.record.failures == ()
    assert story.last.effects == ()
    assert story.record.status is Status.RESOLVED


def test_a_storm_of_failures_does_not_push_out_what_is_tried_again():
    def failure(n: int, kind: str) -> Failure:
        return Failure(effect_id=str(n), kind=kind, reason="r", at=NOW, effect="{}")

    all_of_them = (failure(0, "ticket.open"), *(failure(n, "say") for n in range(1, 20)))
    left = kept(all_of_them, FAILURES_KEPT)
    assert len(left) == FAILURES_KEPT
    assert left[0].kind == "ticket.open"
    assert left[-1].effect_id == "19"


@pytest.mark.parametrize(
    "effect", [wanted.PostLive(name="tree"), wanted.PostSummary(), wanted.TellDiscord()]
)
def test_however_often_it_is_given_up_its_first_id_is_known(effect: wanted.Effect):
    """By that id its performer finds what went out before."""
    story = Story()
    for id in ("INC-0001.9.1", "INC-0001.10.1", "INC-0001.11.1"):
        story.fails(effect, "Slack did not answer.", id=id)
        story.say(said.TryAgain(by="U0ALICE", effect_id=id))
        [effect] = [candidate for candidate in story.last.effects if candidate.same_as(effect)]
        assert effect.wanted_as == "INC-0001.9.1"


def test_what_is_tried_again_by_itself_keeps_its_first_id_and_stays_one_failure():
    story = opened()
    story.fails(wanted.PostLive(name="tree"))
    for id in ("INC-0001.10.1", "INC-0001.11.1"):
        story.fires(RETRY)
        [effect] = [
            candidate for candidate in story.last.effects if isinstance(candidate, wanted.PostLive)
        ]
        assert effect.wanted_as == "INC-0001.9.1"
        story.fails(effect, id=id)
    assert [failure.effect_id for failure in story.record.failures] == ["INC-0001.9.1"]


def test_a_summary_that_is_wanted_anew_is_another_one():
    story = mitigated().written()
    story.fails(wanted.PostSummary())
    story.say(said.Reopen(by="U0BOB"))
    assert not was_given_up(story.record, wanted.TellDiscord())
    effects = [effect for effect in story.last.effects if isinstance(effect, wanted.PostSummary)]
    assert all(effect.wanted_as is None for effect in effects)


def test_an_item_that_worked_takes_back_its_own_failure_alone():
    """Items have numbers up to 10: the first is not a part of the tenth."""
    story = mitigated()
    tenth = Failure(
        effect_id="INC-0001.9.1",
        kind="items.sync",
        reason="Linear answered 500",
        at=NOW,
        effect=wanted.EFFECT.dump_json(wanted.SyncItem(number=10)).decode(),
    )
    story.incident = story.record.model_copy(update={"failures": (tenth,)})
    story.say(said.EffectDone(kind="items.sync", about="1"))
    assert story.record.failures == (tenth,)
    story.say(said.EffectDone(kind="items.sync", about="10"))
    assert story.record.failures == ()


def test_who_says_sev1_again_has_somebody_waited_for_again():
    story = opened()
    story.say(said.SetSeverity(by="U0BOB", severity=Severity.SEV1))
    assert "nobody" in story.timers
    story.say(said.SetSeverity(by="U0BOB", severity=Severity.SEV2))
    story.timers.pop("nobody")  # it came, and nobody was paged for a SEV2
    story.say(said.SetSeverity(by="U0BOB", severity=Severity.SEV1))
    assert "nobody" in story.timers
