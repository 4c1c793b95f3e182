"""A hotfix's open pull request is merged by a click or by people, refused, moved on, or closed.

Each is said once.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from phases.messages import actions as said
from phases.messages import effects as wanted
from phases.mitigation.hotfix_merge import LONGEST_SECONDS, LOOK_SECONDS, unmerged
from phases.record.findings import DeployProof, MergeState, Release
from phases.record.incident import Status
from tests.support.bots.story import Story
from tests.support.values.factories import NOW

HEAD = "ab" * 20
FIX = Release(version="hotfix #12@abababa", commit=HEAD)
LINE = "Hotfix #12@abababa is not merged: the next normal deploy would undo it."
OPEN = MergeState(head=HEAD)
MERGED = MergeState(merged=True, at=NOW, by="ada", head=HEAD, holds=True)


def shipped(fix: Release = FIX, merge: MergeState | None = None) -> Story:
    story = Story().opened().measured()
    story.say(said.DecideHotfix(by="U0ALICE", round=1, fix=fix, running=Release(version="1.3.0")))
    story.say(said.DeployStarted(deploy_id="inc-0001-inc1-1"))
    proof = DeployProof(before="1.3.0", after=fix.version)
    story.say(
        said.DeployFinished(deploy_id="inc-0001-inc1-1", result="done", proof=proof, merge=merge)
    )
    return story


def fine() -> Story:
    return shipped(merge=OPEN).recovered()


def resolved() -> Story:
    story = fine().written()
    assert story.record.status is Status.RESOLVED
    return story


def merge_reported(story: Story, state: MergeState | None) -> Story:
    story.say(said.MergeSeen(round=1, state=state))
    return story


@pytest.mark.parametrize("begin", [fine, resolved])
def test_merged_by_a_click_at_the_commit_that_was_shipped(begin: object):
    story: Story = begin()  # type: ignore[operator]
    assert unmerged(story.record) == LINE
    story.say(said.MergeHotfix(by="U0ALICE", round=1))
    assert story.wants(wanted.MergePullRequest) == [
        wanted.MergePullRequest(round=1, number=12, commit=HEAD)
    ]
    assert "merging it already" in story.refuses(said.MergeHotfix(by="U0BOB", round=1)).text
    merge_reported(story, MERGED.model_copy(update={"by": "firebreak[bot]"}))
    assert story.in_channel == [
        "Pull request #12 is merged by <@U0ALICE>. The next normal deploy keeps the hotfix."
    ]
    assert unmerged(story.record) is None
    assert "merge" not in story.timers
    assert (
        "merged already by <@U0ALICE>" in story.refuses(said.MergeHotfix(by="U0BOB", round=1)).text
    )
    merge_reported(story, MERGED)  # the webhook, after it
    assert story.last.effects == ()


def test_a_refusal_is_said_with_its_reason_and_can_be_tried_again():
    story = fine()
    story.say(said.MergeHotfix(by="U0ALICE", round=1))
    story.say(
        said.MergeRefused(
            round=1, reason="its checks are still running. Merge it when they are green."
        )
    )
    assert story.in_channel == [
        (
            "Pull request #12 was not merged: its checks are still running. Merge it when they "
            "are green."
        )
    ]
    assert unmerged(story.record) == LINE
    story.say(said.MergeHotfix(by="U0BOB", round=1))
    (effect,) = story.wants(wanted.MergePullRequest)
    story.fails(effect, "GitHub cannot be reached")
    assert story.in_channel == ["Pull request #12 was not merged: GitHub cannot be reached."]
    assert story.record.failures == ()


def test_a_merge_by_people_is_noticed_and_looked_for():
    story = fine()
    assert story.due("merge") <= LOOK_SECONDS
    story.fires("merge")
    assert story.wants(wanted.LookAtMerge) == [wanted.LookAtMerge(round=1)]
    merge_reported(story, OPEN)
    assert story.last.entries == ()
    story.fires("merge")
    (effect,) = story.wants(wanted.LookAtMerge)
    story.fails(effect, "GitHub cannot be reached")
    assert (story.in_channel, story.record.failures) == ([], ())
    assert "merge" in story.timers, "it is looked at again"
    merge_reported(story, MERGED)
    assert story.in_channel == [
        "Pull request #12 is merged by ada. The next normal deploy keeps the hotfix."
    ]


def test_looks_become_rarer_and_end():
    story = resolved()
    story.now += timedelta(days=1)
    merge_reported(story, OPEN)
    assert LOOK_SECONDS < story.due("merge") <= LONGEST_SECONDS
    story.now += timedelta(days=30)
    del story.timers["merge"]
    merge_reported(story, OPEN)
    assert "merge" not in story.timers


def test_merged_while_it_was_deployed_it_is_never_said_to_be_open():
    story = shipped(merge=MERGED)
    assert "not merged" not in story.in_channel[0]
    assert unmerged(story.record) is None
    assert "merge" not in story.timers


@pytest.mark.parametrize(
    ("holds", "said_of_it"),
    [
        (True, "the rest of it has never run in production"),
        (False, "look whether the fix is still in"),
        (None, "look whether the fix is still in"),
    ],
)
def test_a_head_that_moved_is_said(holds: bool | None, said_of_it: str):
    story = fine()
    moved = MergeState(head="cd" * 20)
    merge_reported(story, moved)
    assert story.in_thread == [
        "Pull request #12 has moved on since it was shipped: abababa → cdcdcdc."
    ]
    assert (
        unmerged(story.record)
        == f"{LINE} Its pull request has moved on to cdcdcdc since it was shipped."
    )
    merge_reported(story, moved)
    assert story.in_thread == []
    merge_reported(story, moved.model_copy(update={"merged": True, "by": "ada", "holds": holds}))
    assert "abababa → cdcdcdc" in story.in_channel[0]
    assert said_of_it in story.in_channel[0]


def test_closed_without_a_merge_is_said_once_and_a_person_may_say_that_it_is_in():
    story = fine()
    merge_reported(story, MergeState(closed=True, head=HEAD))
    assert story.in_channel == [
        (
            "*Careful:* Pull request #12 was closed without a merge: the next normal deploy "
            "would undo the hotfix."
        )
    ]
    merge_reported(story, MergeState(closed=True, head=HEAD))
    assert story.in_channel == []
    story.say(said.HotfixIsIn(by="U0BOB", round=1))
    assert story.in_channel == [
        "<@U0BOB> says that pull request #12 is merged. The next normal deploy keeps the hotfix."
    ]
    assert unmerged(story.record) is None


def test_a_branch_is_merged_by_people_and_seen_in_the_clone_or_said():
    story = shipped(Release(version="hotfix fix/tax@abababa", commit=HEAD)).recovered()
    assert "shipped from a branch" in story.refuses(said.MergeHotfix(by="U0ALICE", round=1)).text
    merge_reported(story, MergeState(merged=True))
    assert story.in_channel == [
        "Hotfix fix/tax@abababa is merged. The next normal deploy keeps the hotfix."
    ]


def test_nothing_is_merged_while_it_is_decided_again_or_where_something_else_runs():
    story = shipped()
    story.say(said.ConfirmRecovery(by="U0BOB", round=1, recovered=False))
    assert "Nothing was merged" in story.refuses(said.MergeHotfix(by="U0ALICE", round=1)).text
    rolled = Story().opened().measured().rolled_back().deployed().recovered()
    assert "no longer running" in rolled.refuses(said.MergeHotfix(by="U0ALICE", round=1)).text
    merge_reported(rolled, MERGED)
    assert rolled.last.effects == ()


def test_a_deploy_of_ours_that_others_know_by_its_commit_is_ours():
    story = shipped(merge=OPEN)
    deploy = {
        "release": Release(version=HEAD, commit=HEAD),
        "service": "shop",
        "started_at": story.now,
        "source": "github",
    }
    story.say(said.DeployedByOthers.model_validate({"deploy": deploy}))
    assert story.last.effects == ()


def test_the_merge_is_what_closes_it_where_nothing_else_is_open():
    story = resolved()
    story.say(said.MarkItem(by="U0ALICE", number=1))
    assert story.record.status is Status.RESOLVED, "the next normal deploy would undo the hotfix"
    merge_reported(story, MERGED)
    story.say(said.EffectDone(kind="say"))  # what was said in the channel is there
    assert story.record.status is Status.CLOSED
    assert unmerged(story.record) is None
