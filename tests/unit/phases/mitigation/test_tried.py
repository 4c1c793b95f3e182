"""Actions tried in an incident.

The next decision knows them, and does not blandly recommend one again.
"""

from __future__ import annotations

import pytest

from phases.messages import actions as said
from phases.ports.ports import HotfixRef
from phases.record.findings import Choice, LookVerdict, Release
from phases.record.incident import ActionKind, Round, RoundAction
from phases.root_cause.steps import recommended_by_cause
from phases.shared.rounds import broken_rollbacks, shipped_hotfixes, tried_sentences
from tests.support.bots.story import Story, verifying
from tests.support.values.factories import NOW, one_feature
from tests.support.worlds.sentry_world import Repository, world


def deciding() -> Story:
    return Story().opened().measured()


@pytest.mark.parametrize(
    ("result", "says"),
    [
        ("failed", "Tried already: Rollback to 1.2.0, 2026-11-22 03:02 UTC, failed."),
        (
            "unknown",
            "Tried already: Rollback to 1.2.0, 2026-11-22 03:02 UTC, with an unknown result.",
        ),
    ],
)
def test_a_rollback_that_failed_is_told_to_the_next_decision(result: str, says: str):
    story = deciding().rolled_back()
    assert tried_sentences(story.record) == (), "it is under way"
    story.deployed(result, "exit 1.")
    assert tried_sentences(story.record) == (says,)
    assert broken_rollbacks(story.record) == ("1.2.0",)


def test_why_an_older_one_failed_is_told_beside_it():
    story = deciding().rolled_back().deployed("failed", "exit 1.")
    story.measured().rolled_back().deployed("failed", "exit 2.")
    newest, older = tried_sentences(story.record)
    assert newest.endswith(", failed.")
    assert older.endswith(", failed: exit 1.")


def test_what_was_not_started_broke_nothing():
    story = deciding().rolled_back()
    story.say(
        said.DeployNotStarted(
            deploy_id="inc-0001-inc1-1", running="1.3.1", reason="1.3.1 runs by now"
        )
    )
    assert tried_sentences(story.record) == (
        "Tried already: Rollback to 1.2.0, 2026-11-22 03:02 UTC, was not started.",
    )
    assert broken_rollbacks(story.record) == ()


def test_what_was_never_started_is_told_once_however_often_it_was_clicked():
    story = deciding()
    for _ in range(3):
        story.rolled_back()
        refused = "nothing was started: GitHub refused the request (422) (No ref found for: main)."
        story.say(said.DeployNotStarted(deploy_id=story.deploy, reason=refused))
        story.measured()
    assert story.record.rounds[-1].why == (
        "nothing was deployed: GitHub refused the request (422) (No ref found for: main)"
    )
    assert len(tried_sentences(story.record)) == 1


def test_what_did_not_help_is_told_and_what_helped_for_a_while():
    story = verifying()
    story.looked(LookVerdict.NOT_RECOVERED)
    story.looked(LookVerdict.NOT_RECOVERED)
    assert tried_sentences(story.record) == (
        "Tried already: Rollback to 1.2.0, 2026-11-22 03:02 UTC, did not help.",
    )
    story.measured().hotfixed()
    story.deployed()
    assert shipped_hotfixes(story.record) == {"hotfix fix/tax@aaaaaaa"}
    story.looked(LookVerdict.RECOVERED)
    assert tried_sentences(story.record)[0].endswith("helped for a while.")


def test_a_confirmed_cause_does_not_recommend_a_rollback_that_failed():
    story = Story().opened().measured(one_feature())
    named = said.NameCause(by="U0BOB", text="the tax table is empty", release="1.3.0")
    story.rolled_back().deployed("failed", "exit 1")
    story.measured(one_feature())
    story.say(named)
    assert recommended_by_cause(story.record) is None
    fresh = Story().opened().measured(one_feature())
    fresh.say(named)
    assert recommended_by_cause(fresh.record) is not None


def acted(kind: ActionKind, to: str, result: str) -> Round:
    fields = {
        "kind": kind,
        "by": "U1",
        "at": NOW,
        "to_release": Release(version=to),
        "result": result,
    }
    return Round(number=1, opened_at=NOW, why="triage", action=RoundAction.model_validate(fields))


async def test_measured_again_after_a_failed_rollback_it_is_braked_said_loudly_and_still_offered():
    async with world() as w:
        w.deployed("v2", 600)
        w.deployed("v3", 8)
        w.burn("/cart", "/pay")
        report = await w.triage(rounds=(acted(ActionKind.ROLLBACK, "v2", "failed"),))
    recommendation = report.recommendation
    assert (recommendation.choice, recommendation.loud) == (Choice.INVESTIGATE, True)
    assert recommendation.brakes == ("The rollback to v2 failed: the deploy itself may be broken.",)
    assert recommendation.against[0].startswith("Tried already: Rollback to v2")
    assert (recommendation.offer_rollback, recommendation.target) == (
        True,
        Release(version="v2"),
    ), "a person may try again"


async def test_a_fix_shipped_in_vain_is_no_known_fix_any_more_but_a_newer_commit_of_it_is():
    fix = HotfixRef(name="fix-cart", commit="a" * 40, subject="Fixes SHOP-1")
    async with world(source=Repository(branches=[fix])) as w:
        w.deployed("v2", 600)
        w.deployed("v3", 8)
        w.burn("/cart")
        tried_it = acted(ActionKind.HOTFIX, fix.release.version, "failed")
        again = await w.triage(rounds=(tried_it,))
        w.source = Repository(branches=[fix.model_copy(update={"commit": "b" * 40})])
        newer = await w.triage(rounds=(tried_it,))
    assert again.recommendation.choice is Choice.INVESTIGATE
    assert again.recommendation.against[0].startswith("Tried already: Hotfix fix-cart@aaaaaaa")
    assert newer.recommendation.choice is Choice.HOTFIX
