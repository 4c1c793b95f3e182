"""Drills and private incidents in the record.

Others do not run into them, nobody is paged, nothing is deployed.
"""

from __future__ import annotations

import pytest

from handlers.views import notes
from phases.memory.recall import memory_to_keep, outcome_text
from phases.messages import actions as said
from phases.messages import effects as wanted
from phases.mitigation.deploy_hold import hold
from phases.mitigation.hotfix_merge import unmerged
from phases.mitigation.steps import NOTHING_DEPLOYED
from phases.postmortem.adr import summary
from phases.record.findings import LookVerdict
from phases.record.incident import Channel, Severity, Status
from phases.shared.resolution import missing_to_resolve
from tests.support.bots.story import Story
from tests.support.values.factories import BAD, FIX, GOOD


def drill(**fields: object) -> Story:
    return Story(drill=True, **fields)


@pytest.mark.parametrize("fields", [{"drill": True}, {"private": True}])
def test_what_stands_apart_holds_neither_service_nor_issues(fields: dict[str, bool]):
    story = Story(seeds=("41",), **fields).opened().measured()
    assert not [key for key in story.claims if key.startswith(("open:", "fingerprint:"))]


def test_a_drill_is_marked_and_calls_nobody():
    story = drill(severity=Severity.SEV1)
    assert story.record.title == "DRILL: checkout is failing"
    story.say(said.ChannelOpened(channel=Channel(id="C1", name="inc-0001-drill")))
    assert story.wants(wanted.Invite) == [wanted.Invite(people=("U0ALICE",))]
    assert "nobody was paged" in story.in_thread[0]
    story.measured()
    assert story.wants(wanted.Page) == []
    assert story.wants(wanted.TellDiscord) == []
    assert "sev1" in story.record.paged


@pytest.mark.parametrize(
    "decision",
    [
        said.DecideRollback(by="U0BOB", round=1, target=GOOD, running=BAD),
        said.DecideHotfix(by="U0BOB", round=1, fix=FIX, running=BAD),
    ],
)
def test_the_button_works_and_nothing_is_deployed(decision: said.Action):
    story = drill().opened().measured()
    story.say(decision)
    assert story.wants(wanted.StartDeploy) == []
    assert "deploying:shop" not in story.claims
    assert story.record.status is Status.VERIFYING
    action = story.record.round and story.record.round.action
    assert action is not None
    assert (action.result, action.reason) == ("done", NOTHING_DEPLOYED)
    assert "look" in story.timers
    story.looked(LookVerdict.RECOVERED)
    assert story.record.status is Status.MITIGATED
    assert hold(story.record) is None
    assert unmerged(story.record) is None
    assert missing_to_resolve(story.record) == ()
    story.say(said.Resolve(by="U0BOB"))
    assert story.record.status is Status.RESOLVED


def test_nothing_says_that_a_drill_rolled_back():
    story = drill().opened().measured().rolled_back()
    assert "Action:      rollback to 1.2.0 (drill: nothing was deployed)" in summary(
        story.record, {}
    )
    refused = story.refuses(said.Resolve(by="U0BOB"))
    shown = notes.lacking(story.record, refused.text)
    assert [e["text"]["text"] for b in shown.blocks for e in b.get("elements", [])] == [
        "Check now"
    ], "no post-mortem"
    story.looked(LookVerdict.RECOVERED)
    story.say(said.Resolve(by="U0BOB"))
    kept_of_it = memory_to_keep(story.record)
    assert kept_of_it is not None
    assert outcome_text(kept_of_it).startswith(
        "rolled back to 1.2.0 (drill: nothing was deployed), over after"
    )
    story.posted("announcement")
    assert story.record.status is Status.CLOSED
    assert [e.text for e in story.wants(wanted.Say)][-1] == "*INC-0001 is closed.*", (
        "of no action item none is done"
    )
