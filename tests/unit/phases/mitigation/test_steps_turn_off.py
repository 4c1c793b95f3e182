"""*Turn it off*: what it starts, how it ends, and what is refused."""

from __future__ import annotations

import pytest

from phases.memory.recall import past_incident, recurring_pattern
from phases.messages import actions as said
from phases.messages import effects as wanted
from phases.record.changes import ChangeSeen
from phases.record.findings import (
    Choice,
    DeployProof,
    HypothesisKind,
    Investigation,
    LookVerdict,
    Verdict,
)
from phases.record.incident import ActionKind, Status
from phases.record.memories import Question
from phases.root_cause.change_hypothesis import change_hypothesis
from phases.shared.rounds import not_taken_back
from phases.verification.releases import running_release
from tests.support.bots.story import Story
from tests.support.values.factories import NOW, service
from tests.support.values.flagged import FLAG, TURN_OFF, flagged

SWITCHED = service().model_copy(update={"turn_off": TURN_OFF})


def decided(story: Story | None = None, change: ChangeSeen = FLAG) -> Story:
    story = story or Story(SWITCHED)
    story.opened().measured(flagged(change))
    story.say(said.DecideTurnOff(by="U0ALICE", round=1, change=change.name))
    return story


def ended(story: Story, result: str = "done", reason: str = "") -> Story:
    story.say(said.DeployStarted(deploy_id=story.deploy))
    fields = {"deploy_id": story.deploy, "result": result, "reason": reason, "proof": DeployProof()}
    story.say(said.DeployFinished.model_validate(fields), after=3)
    return story


def test_it_is_started_once_and_followed_and_the_check_begins_at_its_end() -> None:
    story = decided()
    assert story.wants(wanted.StartTurnOff) == [
        wanted.StartTurnOff(deploy_id=story.deploy, change="new-pricing")
    ]
    assert not story.wants(wanted.StartDeploy)
    assert story.record.status is Status.MITIGATING
    assert "deploying:shop" in story.claims
    assert "turns off flag new-pricing" in story.in_channel[0]
    ended(story)
    assert story.record.status is Status.VERIFYING
    assert story.in_channel[0].startswith("Turned off flag new-pricing in ")
    assert "deploying:shop" not in story.claims
    assert story.record.round is not None
    assert story.record.round.action is not None
    assert story.record.round.action.kind is ActionKind.TURN_OFF
    assert running_release(story.record.round) is None, "no other release runs"
    story.recovered()
    assert story.record.status is Status.MITIGATED
    assert story.record.rolled_back == ()


@pytest.mark.parametrize("result", ["failed", "unknown"])
def test_one_that_went_wrong_pages_people_and_is_decided_again(result: str) -> None:
    story = ended(decided(), result, "it hung past its limit of 1 min and was stopped")
    assert any("turning off flag new-pricing" in page.lower() for page in story.pages)
    assert story.record.round is not None
    assert story.record.round.number == 2
    assert story.record.status is Status.DECIDING


def test_what_was_not_started_is_said_as_not_turned_off() -> None:
    story = decided()
    story.say(said.DeployNotStarted(deploy_id=story.deploy, reason="no such command"))
    assert "nothing was turned off: no such command" in story.record.rounds[1].why


def test_only_a_change_that_the_bot_was_told_of_is_turned_off() -> None:
    story = Story(SWITCHED).opened().measured(flagged())
    typed = said.DecideTurnOff(by="U0ALICE", round=1, change="drop-everything")
    assert story.refuses(typed).text.startswith("That change is not known")
    odd = FLAG.model_copy(update={"name": "--all"})
    story = Story(SWITCHED).opened().measured(flagged(odd))
    decision = said.DecideTurnOff(by="U0ALICE", round=1, change="--all")
    assert "cannot safely be passed" in story.refuses(decision).text


def test_without_a_command_and_for_what_has_no_off_it_is_done_by_hand() -> None:
    story = Story().opened().measured(flagged())
    decision = said.DecideTurnOff(by="U0ALICE", round=1, change="new-pricing")
    assert "Turn off flag new-pricing by hand" in story.refuses(decision).text
    pool = FLAG.model_copy(update={"kind": "config", "name": "pool", "old": "20", "new": "5"})
    story = Story(SWITCHED).opened().measured(flagged(pool))
    decision = said.DecideTurnOff(by="U0ALICE", round=1, change="pool")
    assert "Set setting pool back to 20 by hand" in story.refuses(decision).text


def test_one_action_at_a_time_and_in_a_drill_nothing_is_run() -> None:
    story = decided()
    again = said.DecideTurnOff(by="U0BOB", round=1, change="new-pricing")
    assert story.refuses(again).code == "state"
    drill = decided(Story(SWITCHED, drill=True))
    assert not drill.wants(wanted.StartTurnOff)
    assert drill.record.status is Status.VERIFYING


def test_a_flag_that_was_turned_off_in_vain_is_no_suspect_any_more() -> None:
    story = ended(decided())
    story.looked(LookVerdict.NOT_RECOVERED)
    story.looked(LookVerdict.NOT_RECOVERED)
    assert not_taken_back((FLAG,), story.record) == ()
    later = FLAG.model_copy(update={"at": story.now})
    assert not_taken_back((later,), story.record) == (later,), "somebody turned it on again"


def test_a_change_by_others_is_said_once_and_measured_until_somebody_acts() -> None:
    story = Story(SWITCHED).opened().measured()
    action = said.ChangedByOthers(change=FLAG)
    story.say(action)
    assert story.in_thread == ["Flag new-pricing was turned on by mara, 2026-11-22 02:56 UTC."]
    assert story.wants(wanted.Triage)
    story.say(action)
    assert story.in_thread == []
    story = decided()
    ours = FLAG.model_copy(update={"at": story.now, "old": "on", "new": "off"})
    story.say(said.ChangedByOthers(change=ours))
    assert story.in_thread == [], "the bot's own"


def test_the_timeline_has_the_change_at_its_own_time() -> None:
    story = Story(SWITCHED).opened().measured(flagged())
    (line,) = [entry for entry in story.timeline if entry.kind == "change"]
    assert (line.at, line.text) == (FLAG.at, "Flag new-pricing was turned on by mara")


def test_the_tree_and_the_memory_name_the_flag() -> None:
    hypothesis = change_hypothesis(flagged())
    assert hypothesis is not None
    assert hypothesis.kind is HypothesisKind.CONFIGURATION
    assert hypothesis.says == "Flag new-pricing caused it"
    assert (hypothesis.verdict, hypothesis.url) == (Verdict.SUPPORTED, FLAG.url)
    story = ended(decided())
    story.recovered()
    memory = past_incident(story.record)
    assert (memory.change, memory.worked) == ("flag new-pricing", "turn off")
    earlier = [memory.model_copy(update={"id": f"INC-{n}"}) for n in (7, 8)]
    asked = Question(
        service=memory.service, before="INC-9", since=NOW.replace(year=2020), change=memory.change
    )
    assert recurring_pattern(earlier, (), asked) == (
        "Third fire that flag new-pricing brought in 90 days; turning it off worked each time."
    )
    assert flagged().recommendation.choice is Choice.TURN_OFF


def test_a_flag_that_was_turned_off_in_vain_is_no_longer_suspected() -> None:
    story = decided()
    change = change_hypothesis(flagged())
    assert change is not None
    investigation = Investigation(hypotheses=(change.model_copy(update={"id": "H1"}),))
    story.say(said.Investigated(investigation=investigation))
    ended(story)
    story.looked(LookVerdict.NOT_RECOVERED)
    story.looked(LookVerdict.NOT_RECOVERED)
    assert story.record.hypotheses[0].says == "Flag new-pricing caused it"
    assert story.record.hypotheses[0].verdict is Verdict.RULED_OUT
