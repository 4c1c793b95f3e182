"""The announcement says where an incident is, also while its channel is being replaced."""

from __future__ import annotations

from handlers import views
from phases.messages import actions as said
from phases.record.incident import Channel
from tests.support.bots.story import Story


def shown(story: Story) -> str:
    return str(views.announcement(story.record).blocks)


def test_while_it_has_no_channel_nobody_is_sent_to_a_thread():
    story = Story().opened().measured()
    assert "<#C1>" in shown(story)
    story.say(said.ChannelArchived(channel="C1", by="U0BOB", deleted=True))
    assert "its channel is being opened" in shown(story)
    story.say(said.ChannelOpened(channel=Channel(id="C9", name="a thread", thread_ts="1.2")))
    assert "in this thread" in shown(story)
