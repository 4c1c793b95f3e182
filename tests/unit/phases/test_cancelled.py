"""What a cancelled incident leaves behind is said, because nobody takes it back by itself."""

from __future__ import annotations

import pytest

from phases.messages import actions as said
from tests.support.bots.story import Story, mitigated, verifying


def cancelled(story: Story, reason: str = "load test") -> str:
    story.say(said.Cancel(by="U0BOB", reason=reason))
    (text,) = story.in_channel
    return text


def test_what_was_done_to_production_stays_and_is_said():
    assert cancelled(verifying()).endswith(
        "load test. Production stays as it is: rolled back to 1.2.0."
    )
    story = mitigated().hotfixed(forward=True).deployed()
    assert cancelled(story).endswith("Production stays as it is: shipped hotfix fix/tax@aaaaaaa.")


@pytest.mark.parametrize("drill", [True, False])
def test_where_nothing_was_deployed_nothing_stays(drill: bool):
    story = Story(drill=drill).opened().measured()
    if drill:
        story.rolled_back()
    else:
        story.say(said.DecideFixed(by="U0BOB", round=1, sentence="restarted it"))
    assert cancelled(story) == "INC-0001 was cancelled by <@U0BOB>: load test."


def test_a_reason_keeps_the_end_that_a_person_gave_it():
    story = Story().opened().measured()
    assert cancelled(story, "was it a test?").endswith(": was it a test?")
    refused = story.refuses(said.Resolve(by="U0BOB"))
    assert refused.text == "INC-0001 was cancelled: was it a test? Nothing was changed."
