"""Phase 5 in the record: the wait, the checks, their results, and the person who is asked."""

from __future__ import annotations

from datetime import timedelta

import pytest

from phases.messages import actions as said
from phases.messages import effects as wanted
from phases.record.findings import HypothesisKind, Investigation, LookVerdict, Picture, Verdict
from phases.record.incident import Status
from tests.support.bots.story import Story, mitigated, verifying
from tests.support.values.factories import look, nothing_unusual, service

FIXED = said.DecideFixed(by="U0BOB", round=1, sentence="flag new-pricing off")


def asked() -> Story:
    """Twice too few events: a person is asked."""
    story = verifying()
    story.looked(LookVerdict.TOO_FEW)
    story.looked(LookVerdict.TOO_FEW)
    return story


# --- when -----------------------------------------------------------------------------------------


def test_the_clock_starts_when_the_deploy_has_finished():
    story = verifying()
    assert story.due("look") == 300
    assert story.record.round is not None
    assert story.record.round.clock_started_at == story.now


def test_the_clock_starts_when_fixed_another_way_is_said():
    story = Story().opened().measured()
    story.say(FIXED)
    assert story.record.status is Status.VERIFYING
    assert story.due("look") == 300
    assert story.in_channel == [
        "<@U0BOB> fixed it another way: flag new-pricing off. First check in 5 min."
    ]


def test_the_waits_are_the_services():
    story = Story(service(recheck_after_seconds=20, recheck_until_seconds=40)).opened().measured()
    story.say(FIXED)
    assert story.due("look") == 20
    assert "First check in 20 s." in story.in_channel[0]
    story.looked(LookVerdict.TOO_FEW)
    assert 18 <= story.due("look") <= 20


@pytest.mark.parametrize("number", [1, 2])
def test_a_round_moves_with_a_clock_that_was_set_back_and_its_action_with_it(number: int):
    story = verifying()
    wait = timedelta(minutes=5 * number)
    before = story.record.round
    assert before is not None
    assert before.action is not None
    story.now += wait - timedelta(hours=1)
    story.say(said.LookDue(round=1, number=number), after=0)
    after = story.record.round
    assert after is not None
    assert after.action is not None
    assert after.clock_started_at == story.now - wait
    assert before.action.finished_at is not None
    assert after.action.finished_at is not None
    assert before.action.finished_at - after.action.finished_at == timedelta(hours=1)
    assert before.action.at - after.action.at == timedelta(hours=1)
    if number == 1:
        story.say(said.Looked(round=1, look=look(LookVerdict.TOO_FEW, 1, at=story.now)), after=0)
        assert story.due("look") == 300


def test_a_round_stays_where_it_is_while_the_clock_goes_on():
    story = verifying()
    before = story.record.round
    for late in (0, 2, 3600):
        story.now += timedelta(seconds=300 + late)
        story.say(said.LookDue(round=1, number=1), after=0)
        assert story.record.round == before


# --- what a look leads to -------------------------------------------------------------------------


def test_the_first_clean_look_is_recovery():
    story = verifying()
    story.looked(LookVerdict.RECOVERED)
    assert story.record.status is Status.MITIGATED
    assert story.record.recovered_at == story.now
    assert story.in_channel == [
        (
            "*Recovered.* 14.3 → 0 events a minute over 4 min. 0 events where up to 3 are normal, "
            "about 57 if nothing had changed."
        )
    ]
    assert story.on_ticket == [
        (
            "Recovered. 14.3 → 0 events a minute over 4 min. 0 events where up to 3 are normal, "
            "about 57 if nothing had changed."
        )
    ]
    assert "look" not in story.timers


def test_the_picture_of_a_recovery_is_kept_and_shown_with_it_and_a_persons_word_has_none():
    story = verifying()
    shown = Picture(begin=story.now, until=story.now, seconds=180, counts=(0, 40, 0))
    story.say(said.Looked(round=1, look=look(), picture=shown))
    assert story.record.picture == shown
    assert [message.picture for message in story.wants(wanted.Say)] == [True]
    by_hand = asked()
    by_hand.say(said.ConfirmRecovery(by="U0ALICE", round=1, recovered=True))
    assert by_hand.record.picture is None
    assert not any(message.picture for message in by_hand.wants(wanted.Say))


@pytest.mark.parametrize("first", [LookVerdict.NOT_RECOVERED, LookVerdict.TOO_FEW])
def test_a_first_look_that_is_not_clean_waits_for_the_second(first: LookVerdict):
    story = verifying()
    story.looked(first)
    assert story.record.status is Status.VERIFYING
    assert story.due("look") == pytest.approx(300, abs=2)
    assert story.in_channel == [], "no change of state: it goes into the thread"
    assert "The second check decides." in story.in_thread[0]
    story.looked(LookVerdict.RECOVERED)
    assert story.record.status is Status.MITIGATED


def test_a_second_look_that_is_not_clean_opens_a_round_pages_and_rules_out_what_was_tried():
    story = verifying()
    story.say(
        said.Investigated(
            investigation=Investigation(
                hypotheses=(
                    said_hypothesis("H1", HypothesisKind.RELEASE, "Release 1.3.0 caused it"),
                    said_hypothesis(
                        "H2", HypothesisKind.DATA, "Traffic or one customer's data caused it"
                    ),
                )
            )
        )
    )
    story.looked(LookVerdict.NOT_RECOVERED)
    story.looked(LookVerdict.NOT_RECOVERED)
    assert story.record.status is Status.DECIDING
    assert [r.verdict for r in story.record.rounds] == ["not recovered", None]
    why = story.record.rounds[-1].why
    assert why.startswith(
        "not recovered: rollback to 1.2.0 did not help. 14.3 → 10 events a minute over 4 min. "
        "40 events where"
    )
    assert story.record.rounds[-1].recommendation is None, (
        "the old picture recommended what has just not helped"
    )
    assert len(story.pages) == 1
    assert "rollback to 1.2.0 did not help" in story.pages[0]
    assert story.wants(wanted.Triage) == [wanted.Triage()]
    assert story.roots == 1
    assert story.in_channel == []
    judged = {h.id: h for h in story.record.hypotheses}
    assert judged["H1"].verdict is Verdict.RULED_OUT
    assert judged["H2"].verdict is Verdict.OPEN
    assert judged["H3"].says == "rollback to 1.2.0 ends it"
    assert judged["H3"].verdict is Verdict.RULED_OUT
    assert "nobody" in story.timers, "a SEV1 waits for somebody again"


def said_hypothesis(id: str, kind: HypothesisKind, says: str):
    from phases.record.findings import Hypothesis

    return Hypothesis(id=id, kind=kind, says=says, verdict=Verdict.OPEN)


def test_what_was_ruled_out_stays_so_when_the_evidence_is_walked_again():
    story = verifying()
    story.looked(LookVerdict.NOT_RECOVERED)
    story.looked(LookVerdict.NOT_RECOVERED)
    release = said_hypothesis("H1", HypothesisKind.RELEASE, "Release 1.3.0 caused it")
    story.say(said.Investigated(investigation=Investigation(hypotheses=(release,))))
    judged = {h.says: h.verdict for h in story.record.hypotheses}
    assert judged == {
        "Release 1.3.0 caused it": Verdict.RULED_OUT,
        "rollback to 1.2.0 ends it": Verdict.RULED_OUT,
    }


def test_a_persons_judgement_is_not_taken_back_by_a_look():
    story = verifying()
    release = said_hypothesis("H1", HypothesisKind.RELEASE, "Release 1.3.0 caused it")
    story.say(said.Investigated(investigation=Investigation(hypotheses=(release,))))
    story.say(said.JudgeHypothesis(by="U0BOB", id="H1", verdict=Verdict.SUPPORTED))
    story.looked(LookVerdict.NOT_RECOVERED)
    story.looked(LookVerdict.NOT_RECOVERED)
    assert story.record.hypotheses[0].verdict is Verdict.SUPPORTED


def test_a_first_look_made_late_decides_as_the_second_would():
    story = verifying()
    story.now += (story.timers["look"].at - story.now) * 3  # the bot was down for ten minutes
    story.looked(LookVerdict.NOT_RECOVERED)
    assert story.record.status is Status.DECIDING, "two looks a second apart are one look"


def test_a_look_at_a_round_that_is_over_changes_nothing():
    story = verifying()
    story.looked(LookVerdict.RECOVERED)
    lines = len(story.timeline)
    story.say(said.Looked(round=1, look=look(LookVerdict.NOT_RECOVERED, 2)))
    assert story.record.status is Status.MITIGATED
    assert story.last.effects == ()
    assert len(story.timeline) == lines


# --- too few, out of reach ------------------------------------------------------------------------


def test_twice_too_few_events_and_a_person_is_asked():
    story = asked()
    assert story.record.status is Status.VERIFYING
    assert story.record.round is not None
    assert story.record.round.verdict == "ask a person"
    assert [e.ask for e in story.wants(wanted.Say)] == ["recovered"]
    assert story.in_channel[0].startswith("*I cannot tell: too few events.* ")
    assert story.in_channel[0].endswith("Does it work for users again?")
    assert "look" not in story.timers


def test_sentry_out_of_reach_is_said_at_once_tried_each_minute_and_never_recovery():
    story = verifying()
    story.looked(LookVerdict.UNREACHABLE)
    assert story.in_channel == [
        "*Not checked yet.* Sentry could not be queried (no answer). I retry every minute."
    ]
    assert story.due("look") == 60
    tried = 1
    while "look" in story.timers:
        story.looked(LookVerdict.UNREACHABLE)
        tried += 1
        if "look" in story.timers:
            assert story.in_channel == [], "said once"
    assert story.record.status is Status.VERIFYING
    assert story.record.round is not None
    assert story.record.round.verdict == "ask a person"
    assert "I have stopped trying. Does it work for users again?" in story.in_channel[0]
    assert story.record.round.clock_started_at is not None
    passed = (story.now - story.record.round.clock_started_at).total_seconds()
    assert 20 * 60 <= passed <= 21 * 60 + tried
    assert 14 <= tried <= 17


def test_out_of_reach_again_after_an_answer_is_said_again():
    story = verifying()
    story.looked(LookVerdict.UNREACHABLE)
    story.looked(LookVerdict.TOO_FEW)
    story.looked(LookVerdict.UNREACHABLE)
    assert len(story.in_channel) == 1


def test_a_look_that_could_not_even_be_made_is_one_out_of_reach():
    story = verifying()
    story.fires("look")
    story.fails(
        wanted.LookAgain(round=1, number=1), "the bot failed (KeyError); its log says where"
    )
    assert story.due("look") == 60
    assert story.record.failures == (), "it is tried again by itself; there is nothing to click"
    assert "the bot failed (KeyError)" in story.in_channel[0]


def test_where_sentry_shows_nothing_a_person_is_asked_in_the_end():
    story = Story().opened().measured(nothing_unusual())
    story.say(FIXED)
    story.looked(LookVerdict.TOO_FEW)
    story.looked(LookVerdict.TOO_FEW)
    story.say(said.ConfirmRecovery(by="U0BOB", round=1, recovered=True))
    assert story.record.status is Status.MITIGATED


# --- people ---------------------------------------------------------------------------------------


def test_a_persons_word_is_marked_as_not_measured():
    story = asked()
    story.say(said.ConfirmRecovery(by="U0BOB", round=1, recovered=True))
    assert story.record.status is Status.MITIGATED
    assert story.record.round is not None
    assert story.record.round.verdict == "confirmed by a person"
    assert story.in_channel == ["*Recovered.* <@U0BOB> says so (not measured)."]


def test_no_it_is_not_over():
    story = asked()
    story.say(said.ConfirmRecovery(by="U0BOB", round=1, recovered=False))
    assert story.record.status is Status.DECIDING
    assert "<@U0BOB> says it is not over (not measured)" in story.record.rounds[-1].why
    assert len(story.pages) == 1
    assert "not measured" in story.record.hypotheses[-1].found


def test_yes_is_not_taken_while_it_is_measured_but_no_is():
    story = verifying()
    early = story.refuses(said.ConfirmRecovery(by="U0BOB", round=1, recovered=True))
    assert early.text.startswith("The check is not over yet")
    story.say(said.ConfirmRecovery(by="U0BOB", round=1, recovered=False))
    assert story.record.status is Status.DECIDING, (
        "nobody has to wait ten minutes while users are hit"
    )


def test_a_second_answer_is_too_late():
    story = asked()
    story.say(said.ConfirmRecovery(by="U0BOB", round=1, recovered=True))
    late = story.refuses(said.ConfirmRecovery(by="U0ALICE", round=1, recovered=False))
    assert late.text == "That question is answered. Nothing was changed."


def test_a_question_that_stood_open_without_a_channel_is_asked_when_there_is_one():
    story = Story().measured(nothing_unusual())
    story.say(FIXED)
    story.looked(LookVerdict.TOO_FEW)
    story.looked(LookVerdict.TOO_FEW)
    assert story.wants(wanted.Say) == []
    channel = said.ChannelOpened.model_validate({"channel": {"id": "C1", "name": "inc"}})
    story.say(channel)
    assert [e.ask for e in story.wants(wanted.Say)] == ["recovered"]


def test_checking_now_informs_and_leads_on_only_by_a_click():
    story = verifying()
    story.say(said.RecheckNow(by="U0BOB"))
    assert story.wants(wanted.LookAgain) == [wanted.LookAgain(round=1, number=0)]
    story.looked(LookVerdict.RECOVERED, 0)
    assert story.record.status is Status.VERIFYING
    assert story.in_channel[0].startswith("*Checked.* Recovered: 14.3 → 0")
    story.looked(LookVerdict.NOT_RECOVERED, 0)
    assert [e.ask for e in story.wants(wanted.Say)] == ["not over"]
    assert "look" in story.timers, "the looks that are due are as they were"


def test_checking_now_while_a_person_is_asked_asks_again_with_the_new_numbers():
    story = asked()
    story.say(said.RecheckNow(by="U0BOB"))
    story.looked(LookVerdict.RECOVERED, 0)
    assert [e.ask for e in story.wants(wanted.Say)] == ["recovered"]


def test_checking_now_in_the_next_round_looks_at_what_was_done_last():
    story = asked()
    story.say(said.ConfirmRecovery(by="U0BOB", round=1, recovered=False))
    story.say(said.RecheckNow(by="U0BOB"))
    assert story.wants(wanted.LookAgain) == [wanted.LookAgain(round=1, number=0)]


def test_before_any_action_there_is_nothing_to_check():
    assert (
        "nothing to check" in Story().opened().measured().refuses(said.RecheckNow(by="U0BOB")).text
    )


def test_a_fix_forward_keeps_the_first_recovery():
    story = mitigated()
    first = story.record.recovered_at
    story.hotfixed(forward=True).deployed()
    assert story.record.status is Status.VERIFYING
    story.recovered()
    assert story.record.recovered_at == first, "users were fine all the while"
    assert story.record.guard_until is not None
    assert (story.record.guard_until - story.now).total_seconds() == 3600


def test_a_fix_forward_that_broke_it_again_was_no_recovery():
    story = mitigated()
    story.hotfixed(forward=True).deployed()
    story.looked(LookVerdict.NOT_RECOVERED)
    story.looked(LookVerdict.NOT_RECOVERED)
    assert story.record.recovered_at is None
    assert story.record.status is Status.DECIDING
