"""Phase 6 in the record: the gate, the post-mortem, the end of an incident, and its leftovers."""

from __future__ import annotations

import pytest

from phases.memory.recall import memory_to_keep
from phases.messages import actions as said
from phases.messages import effects as wanted
from phases.record.documents import ActionItem, Adr
from phases.record.findings import Bisect, Investigation, LookVerdict
from phases.record.incident import Status
from tests.support.bots.story import Story, mitigated, verifying
from tests.support.values.factories import postmortem

SUBMIT = said.SubmitPostmortem(postmortem=postmortem())
NUMBERED = said.AdrNumbered(repository="/srv/shop/docs/adr", number=2)
WRITTEN = said.AdrWritten(adr=Adr(number=2, path="docs/adr/0002-inc-0001.md"))
CANCEL = said.Cancel(by="U0BOB", reason="a load test.")


# --- the gate -------------------------------------------------------------------------------------


def test_resolving_names_everything_that_is_missing():
    text = verifying().refuses(said.Resolve(by="U0BOB")).text
    assert text.startswith("INC-0001 cannot be resolved yet. Missing:")
    assert "recovery: the check after the last action has not ended" in text
    assert "the root cause" in text
    assert "the post-mortem" in text


def test_users_who_are_fine_are_not_enough():
    story = mitigated()
    story.say(said.NameCause(by="U0BOB", text="the tax table is empty"))
    assert "the post-mortem" in story.refuses(said.Resolve(by="U0BOB")).text


def test_the_post_mortem_resolves_what_is_verified():
    story = mitigated().written()
    assert story.record.status is Status.RESOLVED
    assert story.record.cause is not None
    assert story.record.cause.text == "the tax table of eu-west was empty"
    assert story.in_channel == [], "the summary says it"
    assert story.wants(wanted.PostSummary) == [wanted.PostSummary()]
    assert memory_to_keep(story.record) is not None  # the commit brings the memory with it
    assert story.wants(wanted.CloseTicket) == [wanted.CloseTicket()]
    assert story.wants(wanted.SetTopic) == [wanted.SetTopic()]
    assert "open:shop:production" not in story.claims
    assert set(story.timers) == {"archive", "ticket", "guard"}, (
        "its action items are looked at in Linear, its issues in Sentry"
    )


def test_written_while_verifying_it_resolves_with_the_clean_look_in_one_message():
    story = verifying().written()
    assert story.record.status is Status.VERIFYING
    assert story.in_channel == ["ADR-0002 is written. INC-0001 resolves when recovery is verified."]
    story.looked(LookVerdict.RECOVERED)
    assert story.record.status is Status.RESOLVED
    assert len(story.in_channel) == 1
    assert story.in_channel[0].startswith("*Recovered.* ")
    assert story.in_channel[0].endswith(" INC-0001 is resolved.")
    assert story.wants(wanted.PostSummary) == [wanted.PostSummary(said=True)]


def test_a_known_cause_is_not_overwritten_by_the_post_mortem():
    story = mitigated()
    story.say(said.NameCause(by="U0BOB", text="the import job died"))
    story.written()
    assert story.record.cause is not None
    assert story.record.cause.text == "the import job died"


# --- the post-mortem ------------------------------------------------------------------------------


def test_before_the_bleeding_has_stopped_it_is_not_written():
    assert "once the bleeding has stopped" in Story().opened().measured().refuses(SUBMIT).text


@pytest.mark.parametrize(
    ("part", "empty", "words"),
    [
        ("timeline", " ", "the timeline"),
        ("root_cause", "", "the root cause"),
        ("monitoring", "\n", "why monitoring did not catch it earlier"),
        ("tests", "", "why it slipped through tests and CI"),
        ("items", (), "the action items"),
        ("items", (ActionItem(kind="tests", text=" "),), "the action items"),
        ("revisit", "", "when to look at this again"),
    ],
)
def test_no_part_is_ever_empty(part: str, empty: object, words: str):
    refused = mitigated().refuses(said.SubmitPostmortem(postmortem=postmortem(**{part: empty})))
    assert (
        refused.text == f"Say {words}: no part of a post-mortem is ever empty. Nothing was changed."
    )


def test_submitted_twice_it_is_written_once():
    story = mitigated()
    story.say(SUBMIT)
    assert story.wants(wanted.NumberAdr) == [wanted.NumberAdr()]
    assert "is being written" in story.refuses(SUBMIT).text
    story.say(NUMBERED)
    assert story.claims["adr:/srv/shop/docs/adr:2"] is None
    assert story.wants(wanted.WriteAdr) == [wanted.WriteAdr(number=2)]
    story.say(WRITTEN)
    story.say(WRITTEN)
    assert story.last.effects == ()
    assert "is resolved" in story.refuses(SUBMIT).text


def test_where_writing_failed_it_can_be_submitted_again_or_tried_again():
    story = mitigated()
    story.say(SUBMIT)
    story.fails(wanted.NumberAdr(), "the directory cannot be read")
    assert story.pages == [], "nobody is woken for paperwork"
    assert story.in_channel == [
        "The post-mortem's number could not be found: the directory cannot be read."
    ]
    story.say(SUBMIT)
    assert story.wants(wanted.NumberAdr) == [wanted.NumberAdr()]
    assert story.record.failures == ()


def test_of_a_cancelled_incident_none_is_written():
    story = verifying()
    story.say(SUBMIT)
    story.say(CANCEL)
    story.say(NUMBERED)
    assert story.last.claims == ()
    assert story.last.effects == ()


def test_a_file_that_was_written_while_it_was_cancelled_is_known_and_says_nothing():
    story = verifying()
    story.say(SUBMIT)
    story.say(NUMBERED)
    story.say(CANCEL)
    story.say(WRITTEN)
    assert story.record.adr is not None
    assert story.in_channel == []


# --- ends -----------------------------------------------------------------------------------------


def test_cancelling_needs_a_reason_and_frees_everything():
    story = Story(seeds=("41",)).opened().measured()
    assert "needs a reason" in story.refuses(CANCEL.model_copy(update={"reason": " . "})).text
    story.say(CANCEL)
    assert story.in_channel == ["INC-0001 was cancelled by <@U0BOB>: a load test."]
    assert story.wants(wanted.CloseTicket) == [wanted.CloseTicket(cancelled=True)]
    assert story.wants(wanted.TellDiscord) == [wanted.TellDiscord()]
    assert story.wants(wanted.SetTopic) == [wanted.SetTopic()]
    assert set(story.claims) == {"linear:t1"}
    assert set(story.timers) == {"archive", "shrink"}
    assert "decision:1" in story.last.dirty, "its buttons go"


def test_a_deploy_under_way_cannot_be_cancelled_away():
    story = Story().opened().measured().rolled_back()
    assert "it cannot be taken back" in story.refuses(CANCEL).text
    assert "deploying:shop" in story.claims


def test_while_it_is_checked_it_can_be_cancelled_and_no_look_follows():
    story = verifying()
    story.say(CANCEL)
    assert set(story.timers) == {"archive", "shrink"}
    story.say(said.LookDue(round=1, number=1))
    assert story.last.effects == ()


def test_a_bisect_is_stopped_with_the_incident_and_followed_until_it_has():
    running = Bisect(id="inc-0001-inc1-bisect-1", good="1.2.0", bad="1.3.0")
    story = mitigated()
    story.say(said.Investigated(investigation=Investigation(good="1.2.0", bad="1.3.0")))
    story.say(said.BisectMoved(bisect=running))
    story.written()
    stop = wanted.FollowBisect(bisect_id="inc-0001-inc1-bisect-1", cancel=True)
    assert story.wants(wanted.FollowBisect) == [stop]
    story.fails(stop)
    assert story.record.bisect is not None
    assert story.record.bisect.state == "failed"
    assert story.record.failures == ()


def test_an_end_forgets_failures_that_nobody_can_use_any_more():
    story = mitigated()
    story.fails(wanted.Investigate(), id="INC-0001.5.1")
    story.fails(wanted.CommentTicket(text="x"), id="INC-0001.5.2")
    story.written()
    assert [f.kind for f in story.record.failures] == ["ticket.catch_up"]


def test_the_summary_can_be_tried_again_after_the_end():
    story = mitigated().written()
    story.fails(wanted.PostSummary(), "channel_not_found")
    assert [f.kind for f in story.record.failures] == ["post.summary"]
    story.say(said.TryAgain(by="U0BOB", effect_id="INC-0001.9.1"))
    assert story.wants(wanted.PostSummary) == [wanted.PostSummary()]


def test_the_second_of_two_who_resolve_is_told():
    story = mitigated().written()
    assert "INC-0001 is resolved" in story.refuses(said.Resolve(by="U0BOB")).text
