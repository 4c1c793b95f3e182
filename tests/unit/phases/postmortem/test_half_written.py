"""A post-mortem that is half written while the incident goes on: its facts do not stay behind."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from phases.messages import actions as said
from phases.postmortem.draft import draft_parts, gone_on_since
from phases.postmortem.form_parts import Parts
from phases.record.timeline import shown_timeline
from tests.support.bots.story import Story, mitigated, verifying

NAMES = {"U0ALICE": "Alice", "U0BOB": "Bob"}


def proposed(story: Story) -> Parts:
    return draft_parts(story.record, shown_timeline(story.timeline, {}), story.now, NAMES)


def opened_again(story: Story, draft: Parts) -> Parts:
    entries = shown_timeline(story.timeline, {})
    return gone_on_since(draft, story.record, entries, NAMES)


def reopened(story: Story) -> Story:
    story.say(said.Reopen(by="U0BOB"), after=3600)
    return story.measured().hotfixed().deployed().recovered()


@pytest.mark.parametrize(
    ("begun", "goes_on"), [(verifying, Story.recovered), (mitigated, reopened)]
)
def test_a_draft_that_ends_as_proposed_goes_on(
    begun: Callable[[], Story], goes_on: Callable[[Story], Story]
):
    story = begun()
    draft = proposed(story).model_copy(update={"root_cause": "the tax table"})
    goes_on(story)
    shown, fresh = opened_again(story, draft), proposed(story)
    assert shown.timeline.splitlines()[-1] == fresh.timeline.splitlines()[-1]
    assert "Recovered: " in shown.timeline.splitlines()[-1]
    assert shown.impact == fresh.impact
    assert shown.root_cause == "the tax table", "what people wrote stays"
    assert opened_again(story, shown) == shown, "once"


def test_what_people_wrote_themselves_stays():
    story = verifying()
    typed = {"timeline": "03:02 alert\n03:05 rolled back", "impact": "half of Europe, since noon"}
    draft = proposed(story).model_copy(update=typed)
    assert opened_again(story.recovered(), draft) == draft
    few = proposed(story).model_copy(update={"timeline": "", "impact": ""})
    assert opened_again(story, few) == few


def test_small_things_that_came_later_are_not_pushed_into_it():
    story = mitigated()
    draft = proposed(story)
    story.say(said.PostUpdate(by="U0BOB", text="all is well"))
    assert opened_again(story, draft).timeline == draft.timeline
