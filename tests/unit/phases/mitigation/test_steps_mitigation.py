"""Phase 3 in the record.

One action on production a round, stale clicks, the deploy to its end, and others' deploys.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from phases.messages import actions as said
from phases.messages import effects as wanted
from phases.mitigation.decision import who_may
from phases.mitigation.deploy_hold import hold
from phases.mitigation.hotfix_merge import unmerged
from phases.record.findings import DeployOutput, DeployProof, LookVerdict, Release
from phases.record.incident import ActionKind, Status
from tests.support.bots.story import Story, mitigated, verifying
from tests.support.values.factories import BAD, COMMANDS, FIX, GOOD, deploy_seen, service

ROLLBACK = said.DecideRollback(by="U0BOB", round=1, target=GOOD, running=BAD)
HOTFIX = said.DecideHotfix(by="U0BOB", round=1, fix=FIX, running=BAD)
FIXED = said.DecideFixed(by="U0BOB", round=1, sentence="flag off")


def deciding() -> Story:
    return Story().opened().measured()


# --- the decision ---------------------------------------------------------------------------------


def test_a_rollback_takes_the_service_starts_once_and_says_who_from_and_to():
    story = deciding()
    story.say(ROLLBACK)
    assert story.record.status is Status.MITIGATING
    assert "deploying:shop" in story.claims
    assert story.wants(wanted.StartDeploy) == [
        wanted.StartDeploy(
            deploy_id="inc-0001-inc1-1", kind=ActionKind.ROLLBACK, running=BAD, to=GOOD
        )
    ]
    assert story.in_channel == ["<@U0BOB> rolls shop back from 1.3.0 to 1.2.0."]
    assert story.on_ticket == story.in_channel
    assert "decision:1" in story.last.dirty


def test_a_hotfix_is_shipped_by_its_head_commit():
    story = deciding()
    story.say(HOTFIX)
    assert story.wants(wanted.StartDeploy)[0].to.commit == "a" * 40
    assert story.in_channel == ["<@U0BOB> ships hotfix fix/tax@aaaaaaa over 1.3.0."]
    bare = HOTFIX.model_copy(update={"fix": Release(version="hotfix x@1")})
    assert "has none" in deciding().refuses(bare).text


def test_without_a_hotfix_command_the_refusal_says_what_to_do_instead():
    story = Story(service(deploy=COMMANDS.model_copy(update={"hotfix": ()}))).opened().measured()
    assert "Ship it by hand, then say *Fixed another way*" in story.refuses(HOTFIX).text


def test_without_a_deployer_the_refusal_says_what_to_do_instead():
    story = Story(service(deployer=None, deploy=None)).opened().measured()
    assert "Deploy by hand" in story.refuses(ROLLBACK).text


@pytest.mark.parametrize("version", ["", "-rf", "1.2.0; reboot", "a" * 300])
def test_what_cannot_be_a_release_is_never_deployed(version: str):
    story = deciding()
    assert (
        "not a release"
        in story.refuses(ROLLBACK.model_copy(update={"target": Release(version=version)})).text
    )
    assert "deploying:shop" not in story.claims


def test_rolling_back_to_what_runs_is_refused():
    assert (
        deciding().refuses(ROLLBACK.model_copy(update={"running": GOOD})).text
        == "1.2.0 is what runs now. Nothing was done."
    )


def test_where_nobody_knows_what_runs_the_deployer_says_it_when_it_starts():
    story = deciding()
    story.say(ROLLBACK.model_copy(update={"running": None}))
    assert "from what runs now (not known yet) to 1.2.0" in story.in_channel[0]
    story.say(said.DeployStarted(deploy_id="inc-0001-inc1-1", running=BAD))
    assert story.record.round is not None
    assert story.record.round.action is not None
    assert story.record.round.action.from_release == BAD
    story.deployed()
    assert story.record.rolled_back == ("1.3.0",), "or the next triage would take it for healthy"


def test_break_glass_is_said_on_one_line_and_paged():
    story = deciding()
    story.say(ROLLBACK.model_copy(update={"break_glass": "no owner answers"}))
    assert story.in_channel == [
        "<@U0BOB> rolls shop back from 1.3.0 to 1.2.0. Break glass: no owner answers"
    ]
    assert len(story.pages) == 1
    assert "broke the glass" in story.pages[0]


def test_who_may():
    assert who_may(("U0ALICE",), "U0ALICE") is None
    assert who_may((), "U0BOB") is None
    refused = who_may(("U0ALICE",), "U0BOB")
    assert refused is not None
    assert "<@U0ALICE>" in refused.text


def test_acting_in_the_first_seconds_opens_the_round_by_itself():
    story = Story().opened()
    story.say(ROLLBACK)
    assert story.record.status is Status.MITIGATING
    assert [e.name for e in story.wants(wanted.PostLive)] == ["decision:1"]
    looking = Story().opened()
    looking.say(said.DecideInvestigate(by="U0BOB", round=1))
    assert looking.wants(wanted.Investigate) == [wanted.Investigate()]
    assert looking.record.round is not None
    assert looking.record.round.investigate_by == "U0BOB"


def test_investigate_is_recorded_and_uses_up_nothing():
    story = deciding()
    story.say(said.DecideInvestigate(by="U0BOB", round=1))
    assert story.record.status is Status.DECIDING
    assert story.in_channel == []
    assert story.on_ticket == ["<@U0BOB> investigates first. Rollback and hotfix stay open."]
    story.say(ROLLBACK)
    assert story.record.status is Status.MITIGATING


def test_fixed_another_way_starts_the_investigation_that_waited_for_a_rollback():
    story = deciding()
    assert not story.record.investigating
    story.say(FIXED)
    assert story.wants(wanted.Investigate) == [wanted.Investigate()]
    assert (
        "Say in a sentence" in deciding().refuses(FIXED.model_copy(update={"sentence": " "})).text
    )


# --- clicks that come too late --------------------------------------------------------------------


def test_of_two_people_at_once_the_second_is_told_who_what_and_when():
    story = deciding()
    story.say(ROLLBACK)
    late = story.refuses(HOTFIX.model_copy(update={"by": "U0ALICE"}))
    assert late.code == "state"
    assert late.text == (
        "One action in production at a time: <@U0BOB> decided: rollback to 1.2.0, 2026-11-22 "
        "03:02 UTC (waiting), and it is under way. Nothing was done."
    )


def test_while_it_is_checked_the_refusal_shows_the_way_to_decide_again():
    text = verifying().refuses(FIXED).text
    assert "/incident recheck" in text
    assert "decide again" in text


def test_while_a_person_is_asked_the_refusal_says_so():
    story = verifying()
    story.looked(LookVerdict.TOO_FEW)
    story.looked(LookVerdict.TOO_FEW)
    assert "answer there first" in story.refuses(FIXED).text


def test_a_button_of_an_old_round_is_refused_with_what_was_done_in_it():
    story = deciding().rolled_back().deployed("failed", "exit 1")
    stale = story.refuses(FIXED)
    assert stale.code == "stale"
    assert "That was decision 1, which is over." in stale.text
    assert "<@U0ALICE> decided: rollback to 1.2.0, 2026-11-22 03:02 UTC (failed)." in stale.text
    assert "Decision 2 is open" in stale.text


def test_a_button_after_recovery_is_refused_but_a_form_fixes_forward():
    story = mitigated()
    assert "already" not in story.refuses(HOTFIX).text
    assert story.refuses(HOTFIX).code == "stale"
    story.hotfixed(forward=True)
    assert story.record.status is Status.MITIGATING
    assert story.record.rounds[-1].why == "fix forward"
    assert (
        "One action in production at a time"
        in story.refuses(HOTFIX.model_copy(update={"forward": True})).text
    )


def test_on_a_cancelled_incident_every_click_is_refused_with_why():
    story = deciding()
    story.say(said.Cancel(by="U0BOB", reason="load test"))
    for click in (ROLLBACK, HOTFIX, FIXED, said.DecideInvestigate(by="U0BOB", round=1)):
        assert (
            story.refuses(click).text == "INC-0001 was cancelled: load test. Nothing was changed."
        )


# --- the deploy -----------------------------------------------------------------------------------


def test_a_deploy_is_asked_about_until_it_ends():
    story = deciding().rolled_back()
    story.say(said.DeployStarted(deploy_id="inc-0001-inc1-1"))
    assert story.due("deploy") == 2
    story.fires("deploy")
    assert story.wants(wanted.FollowDeploy) == [wanted.FollowDeploy(deploy_id="inc-0001-inc1-1")]
    story.say(said.DeployProgressed(deploy_id="inc-0001-inc1-1", lines=("checking out",)))
    assert story.due("deploy") == 2
    assert story.in_channel == [], "progress is an edit"


def test_what_a_deploy_prints_is_one_message_in_its_decisions_thread_kept_to_the_end():
    story = deciding().rolled_back()
    story.say(said.DeployStarted(deploy_id="inc-0001-inc1-1"))
    story.say(said.DeployProgressed(deploy_id="inc-0001-inc1-1"))
    assert story.wants(wanted.PostLive) == [], "nothing is printed yet"
    first, more = DeployOutput(lines=("fetching",)), DeployOutput(lines=("fetching", "building"))
    story.say(said.DeployProgressed(deploy_id="inc-0001-inc1-1", output=first))
    assert story.wants(wanted.PostLive) == [wanted.PostLive(name="progress:1")]
    story.say(said.DeployProgressed(deploy_id="inc-0001-inc1-1", output=first))
    assert "progress:1" not in story.last.dirty, "nothing new"
    story.say(said.DeployProgressed(deploy_id="inc-0001-inc1-1", output=more))
    assert story.wants(wanted.PostLive) == [], "once"
    assert "progress:1" in story.last.dirty

    end = DeployOutput(lines=("building", "[exit code 1]"), cut=True)
    proof = DeployProof(before="1.3.0", after="1.3.0")
    story.say(
        said.DeployFinished(deploy_id="inc-0001-inc1-1", result="failed", proof=proof, output=end)
    )
    assert "progress:1" in story.last.dirty
    assert story.record.rounds[0].action.output == end  # pyright: ignore[reportOptionalMemberAccess]
    assert story.record.rounds[0].action.result == "failed"  # pyright: ignore[reportOptionalMemberAccess]


def test_the_newest_lines_in_the_decision_change_every_few_seconds_at_most():
    story = deciding().rolled_back()
    story.say(said.DeployStarted(deploy_id="inc-0001-inc1-1"))
    shown: list[bool] = []
    for n in range(8):
        story.say(
            said.DeployProgressed(deploy_id="inc-0001-inc1-1", lines=(f"layer {n}",)), after=2
        )
        shown.append("decision:1" in story.last.dirty)
    assert shown == [True, False, False, True, False, False, True, False]


def test_a_deploy_that_is_over_before_it_is_asked_about_shows_its_output_too():
    story = deciding().rolled_back()
    story.say(said.DeployStarted(deploy_id="inc-0001-inc1-1"))
    proof = DeployProof(before="1.3.0", after="1.2.0")
    output = DeployOutput(lines=("up", "[exit code 0]"))
    story.say(
        said.DeployFinished(deploy_id="inc-0001-inc1-1", result="done", proof=proof, output=output)
    )
    assert story.wants(wanted.PostLive) == [wanted.PostLive(name="progress:1")]
    assert story.record.status is Status.VERIFYING


def test_an_end_that_is_told_before_its_start_is_told_with_it_and_the_investigation_begins():
    """The process that started it died before recording that.

    GitHub's webhook asked for the deploy's state.
    """
    story = deciding().rolled_back()
    proof = DeployProof(before="1.3.0", after="1.2.0", started_at=story.now + timedelta(seconds=2))
    story.say(
        said.DeployFinished(deploy_id="inc-0001-inc1-1", result="done", proof=proof), after=12
    )
    assert story.wants(wanted.Investigate) == [wanted.Investigate()]
    assert story.in_channel == ["Deployed: 1.3.0 → 1.2.0 in 10 s. First check in 5 min."]
    deploys = [entry.text for entry in story.last.entries if entry.kind == "deploy"]
    assert [text.partition(":")[0] for text in deploys] == ["Deploy started", "Deployed"]
    assert story.say(said.DeployStarted(deploy_id="inc-0001-inc1-1")).entries == (), (
        "late words about an ended one"
    )


def test_done_says_from_to_how_long_and_when_people_hear_again():
    story = verifying()
    assert story.record.status is Status.VERIFYING
    assert story.in_channel == ["Deployed: 1.3.0 → 1.2.0 in 12 s. First check in 5 min."]
    assert story.record.rolled_back == ("1.3.0",)
    assert "deploying:shop" not in story.claims
    assert "deploy" not in story.timers


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ("failed", "rollback to 1.2.0 failed: exit 1"),
        (
            "unknown",
            (
                "rollback to 1.2.0 has an unknown result and will not be retried "
                "automatically: exit 1"
            ),
        ),
    ],
)
def test_failed_or_unknown_pages_and_opens_a_round_that_says_why(result: str, words: str):
    story = deciding().rolled_back().deployed(result, "exit 1.")
    assert story.record.status is Status.DECIDING
    assert story.record.rounds[-1].why == words
    assert story.pages == [f"INC-0001 checkout is failing: {words}"]
    assert "deploying:shop" not in story.claims
    assert story.in_channel == []
    assert story.roots == 1
    assert story.wants(wanted.Triage) == [wanted.Triage()]
    assert story.wants(wanted.StartDeploy) == [], "never started again by itself"
    assert story.record.investigating, "now the cause is all there is"


def test_not_started_because_something_else_runs_opens_a_round_without_a_page():
    story = deciding().rolled_back()
    story.say(
        said.DeployNotStarted(
            deploy_id="inc-0001-inc1-1", running="1.3.1", reason="1.3.1 runs by now, not 1.3.0"
        )
    )
    assert story.record.rounds[-1].why == "nothing was deployed: 1.3.1 runs by now, not 1.3.0"
    assert story.pages == []
    assert "deploying:shop" not in story.claims
    assert story.roots == 1


def test_not_started_because_the_deployer_refused_is_a_rollback_that_failed():
    story = deciding().rolled_back()
    story.say(said.DeployNotStarted(deploy_id="inc-0001-inc1-1", reason="no such tag"))
    assert len(story.pages) == 1
    assert story.wants(wanted.Investigate) == [wanted.Investigate()], (
        "the rollback it waited for does not come"
    )


def test_a_fix_forward_that_was_not_started_leaves_users_as_fine_as_they_were():
    story = mitigated()
    recovered = story.record.recovered_at
    story.hotfixed(forward=True)
    story.say(said.DeployNotStarted(deploy_id=story.deploy, reason="the branch is gone"))
    assert story.record.status is Status.MITIGATED
    assert story.record.recovered_at == recovered
    assert story.pages == []
    assert story.in_channel == ["*Nothing was deployed:* the branch is gone. Users are still fine."]
    story.hotfixed(forward=True)
    assert story.record.status is Status.MITIGATING, "and it can be tried again"


def test_a_fix_forward_that_failed_is_no_recovery_any_more():
    story = mitigated()
    story.hotfixed(forward=True).deployed("failed")
    assert story.record.recovered_at is None
    assert story.record.status is Status.DECIDING


@pytest.mark.parametrize(
    "effect",
    [
        wanted.StartDeploy(
            deploy_id="inc-0001-inc1-1",
            kind=ActionKind.ROLLBACK,
            running=BAD,
            to=GOOD,
        ),
        wanted.FollowDeploy(deploy_id="inc-0001-inc1-1"),
    ],
)
def test_a_deploy_that_was_lost_cannot_be_started_by_a_click_on_try_again(effect: wanted.Effect):
    story = deciding().rolled_back()
    story.fails(effect, "the deployer does not answer")
    assert story.record.failures == ()
    assert [e for e in story.wants(wanted.Say) if e.try_again] == []
    assert story.record.rounds[0].action is not None
    assert story.record.rounds[0].action.result == "unknown"
    assert len(story.pages) == 1
    assert "stale" in story.refuses(said.TryAgain(by="U0BOB", effect_id="INC-0001.9.1")).code


def test_late_words_about_a_deploy_that_ended_change_nothing():
    story = verifying()
    for late in (
        said.DeployStarted(deploy_id="inc-0001-inc1-1"),
        said.DeployTick(deploy_id="inc-0001-inc1-1"),
        said.DeployProgressed(deploy_id="inc-0001-inc1-1", lines=("x",)),
        said.DeployNotStarted(deploy_id="inc-0001-inc1-1", reason="x"),
    ):
        story.say(late)
        assert story.last.effects == ()
        assert story.last.timers == ()
        assert story.record.status is Status.VERIFYING


# --- what stays open after a deploy ---------------------------------------------------------------


def test_a_hotfix_past_its_merge_says_that_it_can_be_lost():
    story = deciding().hotfixed().deployed()
    line = "Hotfix fix/tax@aaaaaaa is not merged: the next normal deploy would undo it."
    assert line in story.in_channel[0]
    assert line in story.noted
    assert unmerged(story.record) == line
    story.recovered()
    story.say(said.DeployedByOthers(deploy=deploy_seen("1.4.0", story.now)))
    assert story.in_channel == [
        f"*Careful:* 1.4.0 was deployed by ci, 2026-11-22 03:07 UTC. {line} Is it still in?"
    ]


def test_after_a_rollback_a_deploy_by_others_is_warned_about():
    story = mitigated()
    assert (
        hold(story.record)
        == "Hold: shop is rolled back to 1.2.0; a deploy could bring the trouble back."
    )
    story.say(said.DeployedByOthers(deploy=deploy_seen("1.4.0", story.now)))
    assert story.in_channel == [
        (
            "*Careful:* 1.4.0 was deployed by ci, 2026-11-22 03:07 UTC, over the rollback to "
            "1.2.0: it could bring the trouble back."
        )
    ]
    assert hold(story.record) == (
        "Hold: 1.4.0 was deployed over the rollback to 1.2.0; it could bring the trouble back."
    )
    assert story.wants(wanted.Say)[0].mention == ("U0ALICE",)
    story.say(said.DeployedByOthers(deploy=deploy_seen("1.3.0", story.now)))
    assert "This incident rolled it back." in story.in_channel[0]


def test_who_deploys_what_was_rolled_back_to_puts_nothing_at_risk():
    story = mitigated()
    again = deploy_seen("1.2.0", story.now + timedelta(hours=1))
    story.say(said.DeployedByOthers(deploy=again), after=3600)
    assert story.in_channel == []
    assert hold(story.record) == (
        "Hold: shop is rolled back to 1.2.0; a deploy could bring the trouble back."
    )


def test_what_is_deployed_after_our_deploy_failed_is_somebody_elses():
    """Somebody pressed *Re-run* in GitHub: the same run and release, seconds after it failed.

    https://docs.github.com/en/actions/managing-workflow-runs/re-running-workflows-and-jobs
    """
    story = deciding().rolled_back().deployed("failed", "the run failed").measured()
    again = deploy_seen("1.2.0", story.now + timedelta(seconds=5))
    story.say(said.DeployedByOthers(deploy=again), after=30)
    (asked,) = story.wants(wanted.Say)
    assert asked.text.startswith("1.2.0 was deployed by ci")
    assert asked.ask == "foreign deploy"
    ours = deciding().rolled_back().deployed()
    ours.say(said.DeployedByOthers(deploy=deploy_seen("1.2.0", ours.now)))
    assert ours.in_channel == []


def test_resolved_is_not_fixed_deploys_wait_until_somebody_says_so():
    story = mitigated().written()
    assert story.record.status is Status.RESOLVED
    assert hold(story.record) is not None
    story.say(said.DeployedByOthers(deploy=deploy_seen("1.4.0", story.now)))
    assert story.in_channel[0].startswith("*Careful:* 1.4.0 was deployed by ci")
    assert story.wants(wanted.Say)[0].mention == ("U0ALICE",)
    assert story.wants(wanted.Say)[0].ask == "fixed"
    story.say(said.CauseFixed(by="U0BOB"))
    assert story.in_channel == [
        "<@U0BOB> says that the cause is fixed: deploys are no longer on hold."
    ]
    assert hold(story.record) is None
    assert "has said so already" in story.refuses(said.CauseFixed(by="U0ALICE")).text
    story.say(said.DeployedByOthers(deploy=deploy_seen("1.5.0", story.now)), after=3600)
    assert story.last.effects == ()


def test_who_said_it_was_fixed_spoke_of_what_was_rolled_back_then():
    story = mitigated()
    story.say(said.CauseFixed(by="U0BOB"))
    assert hold(story.record) is None
    story.rolled_back(running=Release(version="1.4.0"), forward=True).deployed()
    assert hold(story.record) is not None
    assert (
        "Deploys are no longer on hold"
        in deciding().hotfixed().deployed().recovered().refuses(said.CauseFixed(by="U0BOB")).text
    )


def test_closed_holds_nothing():
    story = mitigated().written()
    for number, _ in enumerate(story.record.postmortem.items if story.record.postmortem else (), 1):
        story.say(said.MarkItem(by="U0BOB", number=number, done=True))
    assert story.record.status is Status.CLOSED
    assert hold(story.record) is None


def test_the_hold_ends_with_the_fix_or_the_incident_and_where_the_rollback_did_not_help():
    fixed = mitigated()
    fixed.hotfixed(forward=True).deployed()
    assert hold(fixed.record) is None
    wrong = verifying()
    wrong.say(said.ConfirmRecovery(by="U0BOB", round=1, recovered=False))
    assert hold(wrong.record) is None


def test_a_deploy_by_others_while_it_is_decided_is_asked_about_once():
    story = deciding()
    deploy = deploy_seen("1.4.0", story.now)
    story.say(said.DeployedByOthers(deploy=deploy))
    assert story.in_channel == ["1.4.0 was deployed by ci, 2026-11-22 03:02 UTC. Is that the fix?"]
    assert [e.ask for e in story.wants(wanted.Say)] == ["foreign deploy"]
    other_source = deploy.model_copy(
        update={"source": "sentry", "started_at": story.now + timedelta(seconds=40)}
    )
    story.say(said.DeployedByOthers(deploy=other_source))
    assert story.last.effects == ()
    later = deploy.model_copy(update={"started_at": story.now + timedelta(hours=1)})
    story.say(said.DeployedByOthers(deploy=later))
    assert len(story.in_channel) == 1


def test_our_own_deploy_told_by_ci_is_not_asked_about():
    story = verifying()
    story.say(said.DeployedByOthers(deploy=deploy_seen("1.2.0", story.now)))
    assert story.last.effects == ()
    story.recovered()
    story.say(said.DeployedByOthers(deploy=deploy_seen("1.2.0", story.now + timedelta(hours=2))))
    assert len(story.in_thread) == 1, "the same version hours later is somebody else's"


def test_where_nothing_was_deployed_by_us_a_deploy_is_a_line_in_the_thread():
    story = deciding()
    story.say(FIXED)
    story.recovered()
    story.say(said.DeployedByOthers(deploy=deploy_seen("1.4.0", story.now)))
    assert story.in_channel == []
    assert len(story.in_thread) == 1
