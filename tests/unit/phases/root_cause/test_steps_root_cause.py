"""Phase 2 in the record.

The tree, the bisect, the cause that a person confirms, and its recommendation.
"""

from __future__ import annotations

import pytest

from phases.messages import actions as said
from phases.messages import effects as wanted
from phases.record.findings import (
    Bisect,
    Choice,
    Hypothesis,
    HypothesisKind,
    Investigation,
    Recommendation,
    Release,
    Suspect,
    Verdict,
)
from phases.record.incident import Status
from tests.support.bots.story import Story, mitigated, verifying
from tests.support.values.factories import one_feature, service

RELEASE = Hypothesis(
    id="H1",
    kind=HypothesisKind.RELEASE,
    says="Release 1.3.0 caused it",
    verdict=Verdict.SUPPORTED,
    confidence=0.9,
    found="Trouble began 3 min after its deploy started.",
)
FOUND = said.Investigated(
    investigation=Investigation(
        hypotheses=(RELEASE,), good="1.2.0", bad="1.3.0", walk=("Crashes in shop/pay.py:12.",)
    )
)
CULPRIT = Suspect(
    sha="c0ffee1234",
    author="Mara",
    subject="simplify tax",
    url="https://git.example.com/c0ffee1234",
)
CAUSE = said.NameCause(by="U0BOB", text="the tax table of eu-west is empty", release="1.3.0")


def investigated() -> Story:
    story = Story().opened().measured(one_feature())
    story.say(FOUND)
    return story


def bisect(state: str, **fields: object) -> said.BisectMoved:
    given = {
        "id": "inc-0001-inc1-bisect-1",
        "good": "1.2.0",
        "bad": "1.3.0",
        "state": state,
        **fields,
    }
    return said.BisectMoved(bisect=Bisect.model_validate(given))


def test_what_failed_is_not_begun_anew_with_every_look_at_sentry():
    story = Story().opened()
    story.say(said.Triaged(report=one_feature()))
    assert len(story.wants(wanted.Investigate)) == 1
    story.fails(wanted.Investigate(), "the clone is not there")
    story.say(said.Triaged(report=one_feature()))
    assert story.wants(wanted.Investigate) == [], "it says so, with *Try again*"
    story.say(said.DecideInvestigate(by="U0BOB", round=1))
    assert len(story.wants(wanted.Investigate)) == 1, "a person asks for it"


# --- the tree -------------------------------------------------------------------------------------


def test_the_tree_is_posted_once_when_there_is_a_decision_and_something_to_show():
    story = Story().opened()
    story.say(said.Triaged(report=one_feature()))
    story.say(FOUND)
    assert story.wants(wanted.PostLive) == [], (
        "it belongs under the decision, which is not posted yet"
    )
    story.posted("decision:1")
    assert [e.name for e in story.wants(wanted.PostLive)] == ["tree"]
    story.say(FOUND)
    assert story.wants(wanted.PostLive) == []
    assert "tree" in story.last.dirty


def test_what_the_walk_found_is_in_the_timeline():
    assert "Crashes in shop/pay.py:12." in [e.text for e in investigated().timeline]


def test_a_second_walk_tells_only_what_the_first_had_not():
    place = "Crashes in shop/pay.py:7 in pay: return cart['total'] / cart['n']."
    blame = "Last touched by 9ff0a6f65 “Pay faster”: new in 1.3.0."
    story = investigated()
    for walk in ((place,), (f"{place} {blame}",), (f"{place} {blame}",), (place,)):
        story.say(said.Investigated(investigation=Investigation(walk=walk)))
    texts = [entry.text for entry in story.timeline]
    assert [text for text in texts if "pay.py:7" in text or "touched" in text] == [place, blame]


def test_of_the_callers_only_what_the_release_brought_is_in_the_timeline():
    old = "Called from shop/routes.py:17. Last touched by f51e545e0 “First page” by Mara: old."
    new = "Called from shop/cart.py:9. Last touched by 9ff0a6f65 “Pay faster”: new in 1.3.0."
    story = investigated()
    walk = ("Crashes in shop/pay.py:12.", old, new)
    story.say(said.Investigated(investigation=Investigation(walk=walk)))
    texts = [entry.text for entry in story.timeline]
    assert new in texts
    assert old not in texts


def test_people_add_judge_and_are_not_overruled():
    story = investigated()
    story.say(said.AddHypothesis(by="U0BOB", says="the cache of eu-west is cold"))
    assert [h.id for h in story.record.hypotheses] == ["H1", "H2"]
    story.say(
        said.JudgeHypothesis(
            by="U0BOB", id="H1", verdict=Verdict.RULED_OUT, reason="rolled back on staging"
        )
    )
    story.say(FOUND)
    judged = story.record.hypotheses[0]
    assert (judged.verdict, judged.by, judged.found) == (
        Verdict.RULED_OUT,
        "U0BOB",
        "rolled back on staging",
    )
    assert (
        "There is no hypothesis H9."
        in story.refuses(said.JudgeHypothesis(by="U0BOB", id="H9", verdict=Verdict.OPEN)).text
    )
    assert "in a sentence" in story.refuses(said.AddHypothesis(by="U0BOB", says=" ")).text


def test_twelve_hypotheses_are_enough():
    story = investigated()
    for n in range(11):
        story.say(said.AddHypothesis(by="U0BOB", says=f"idea {n}"))
    assert (
        "rule one out first" in story.refuses(said.AddHypothesis(by="U0BOB", says="one more")).text
    )


# --- the bisect -----------------------------------------------------------------------------------


def test_a_bisect_starts_where_there_are_ends_and_a_reproduction():
    story = investigated()
    assert story.wants(wanted.StartBisect) == [
        wanted.StartBisect(bisect_id="inc-0001-inc1-bisect-1", good="1.2.0", bad="1.3.0")
    ]
    without = Story(service(bisect=())).opened().measured(one_feature())
    without.say(FOUND)
    assert without.wants(wanted.StartBisect) == []


def test_a_bisect_is_followed_until_it_names_a_commit():
    story = investigated()
    story.say(bisect("running", step=1, steps=5))
    assert story.due("bisect") == 2
    story.fires("bisect")
    assert story.wants(wanted.FollowBisect) == [
        wanted.FollowBisect(bisect_id="inc-0001-inc1-bisect-1")
    ]
    story.say(bisect("found", step=3, steps=5, culprit=CULPRIT))
    assert "bisect" not in story.timers
    assert story.in_channel == []
    assert story.in_thread == [
        (
            "Bisect names `c0ffee123` “simplify tax” by Mara. Is that the cause? *This is the "
            "cause* above confirms it."
        )
    ]
    assert story.last.entries[0].url == "https://git.example.com/c0ffee1234"
    assert story.record.cause is None, "a commit is not yet why; a person confirms"
    story.say(bisect("failed"))
    assert story.last.effects == (), "what ended stays ended"


@pytest.mark.parametrize("state", ["cannot tell", "failed", "cancelled"])
def test_an_end_without_a_culprit_is_said_in_the_thread(state: str):
    story = investigated()
    story.say(bisect(state, reason="exit 125 everywhere"))
    assert story.in_thread == [f"Bisect {state}: exit 125 everywhere"]
    assert story.on_ticket == []


def test_a_person_stops_it():
    story = investigated()
    story.say(said.CancelBisect(by="U0BOB"))
    assert story.wants(wanted.FollowBisect) == [
        wanted.FollowBisect(bisect_id="inc-0001-inc1-bisect-1", cancel=True)
    ]
    assert Story().opened().refuses(said.CancelBisect(by="U0BOB")).text == "No bisect is running."


def test_what_cannot_be_started_or_followed_has_failed():
    story = investigated()
    story.fails(
        wanted.StartBisect(bisect_id="inc-0001-inc1-bisect-1", good="1.2.0", bad="1.3.0"),
        "no clone",
    )
    assert story.record.bisect is not None
    assert story.record.bisect.state == "failed"


# --- the cause ------------------------------------------------------------------------------------


def test_a_cause_is_a_persons_word_with_the_evidence_that_held():
    story = investigated()
    story.say(CAUSE)
    assert story.record.cause is not None
    assert story.record.cause.by == "U0BOB"
    assert story.record.cause.evidence == ("Trouble began 3 min after its deploy started.",)
    assert "Say the cause" in story.refuses(CAUSE.model_copy(update={"text": " \n"})).text


def test_a_confirmed_cause_that_is_a_recent_deploy_recommends_its_rollback_in_a_new_round():
    story = investigated()
    story.say(CAUSE)
    assert [r.number for r in story.record.rounds] == [1, 2]
    newest = story.record.rounds[-1]
    assert newest.why == "the cause is a recent deploy: the tax table of eu-west is empty"
    assert newest.recommendation is not None
    assert newest.recommendation.choice is Choice.ROLLBACK
    assert story.roots == 1, "the new decision says it"
    assert story.on_ticket == [
        "Root cause, confirmed by <@U0BOB>: the tax table of eu-west is empty"
    ]
    story.say(CAUSE.model_copy(update={"text": "the tax table of eu-west was never filled"}))
    assert len(story.record.rounds) == 2, "said better, not decided again"
    story.say(said.Triaged(report=one_feature()))
    assert story.record.rounds[-1].recommendation == newest.recommendation, (
        "measuring again does not take it back"
    )


def test_a_cause_proven_by_the_bisect_counts_like_one_named_by_release():
    story = investigated()
    story.say(bisect("found", culprit=CULPRIT))
    story.say(said.NameCause(by="U0BOB", text="tax was simplified away", commit="c0ffee1234"))
    assert len(story.record.rounds) == 2


@pytest.mark.parametrize(
    "spoken",
    [
        said.NameCause(by="U0BOB", text="one customer's data"),
        said.NameCause(by="U0BOB", text="another release", release="1.1.0"),
        said.NameCause(by="U0BOB", text="no bisect found that", commit=""),
    ],
)
def test_another_cause_opens_no_round(spoken: said.NameCause):
    story = investigated()
    story.say(spoken)
    assert len(story.record.rounds) == 1
    assert len(story.in_channel) == 1


def test_a_braked_rollback_is_not_recommended_by_its_cause_either():
    braked = Recommendation(
        choice=Choice.INVESTIGATE,
        target=Release(version="1.2.0"),
        brakes=("A one-way path changed.",),
    )
    story = Story().opened().measured(one_feature(recommendation=braked))
    story.say(CAUSE)
    assert len(story.record.rounds) == 1


def test_while_a_rollback_is_checked_its_cause_opens_no_round():
    story = investigated().rolled_back().deployed()
    story.say(CAUSE)
    assert story.record.status is Status.VERIFYING
    assert len(story.record.rounds) == 1


def test_after_an_action_a_cause_is_only_a_cause():
    story = verifying()
    story.say(CAUSE)
    assert story.record.status is Status.VERIFYING
    assert len(story.record.rounds) == 1
    done = mitigated()
    done.say(CAUSE)
    assert done.record.status is Status.MITIGATED, "not resolved: there is no post-mortem"
