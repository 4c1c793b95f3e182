"""After recovery the bot looks by itself.

Sentry sends no alert here, and new trouble is noticed nevertheless.
"""

from __future__ import annotations

import re

from sandbox.slack.people import plain
from sandbox.world import World
from tests.support.bots.stage import (
    ephemeral_with,
    eventually,
    everything,
    go_on_burning,
    log_lines,
    messages_with,
    status,
    ticket,
)
from tests.support.worlds.resolved import recovered


async def test_a_fire_that_comes_back_without_an_alert_opens_it_again_over_a_restart(small: World):
    alice = small.alice
    assert not small.alerts.enabled
    channel = await recovered(small)
    await eventually(
        small,
        lambda: messages_with(alice, channel, "set to resolved in the next release"),
        "everything of it is said",
    )
    small.kill_bot()
    await small.bot.until_running()
    go_on_burning(small)
    again = plain(await alice.sees("Decision 2", channel))
    assert "it is back: " in again.lower()
    assert "where up to 3 are normal" in again
    paged = await eventually(
        small, lambda: [e for e in small.pagerduty.events if "it is back" in e.summary], "paged"
    )
    assert len({event.dedup_key for event in paged}) == 1
    await eventually(small, lambda: "To decide" in status(channel), "the pinned status")
    opened = await ticket(small)
    comments = await eventually(
        small,
        lambda: [c for c in small.linear.comments_on(opened) if "It is back" in c.body],
        "the ticket follows",
    )
    assert len(comments) == 1
    assert len(messages_with(alice, channel, "Decision 2")) == 1


def looks_after(world: World, before: int) -> int:
    """Return how often the bot looked after recovery, once it is more often than `before`."""
    looks = sum("INC-0001 guard.looked" in line for line in log_lines(world))
    return looks if looks > before else 0


async def test_quiet_is_a_line_of_the_timeline_and_nobody_is_told(small: World):
    alice = small.alice
    channel = await recovered(small)
    await eventually(
        small,
        lambda: messages_with(alice, channel, "set to resolved in the next release"),
        "everything of it is said",
    )
    before = len(everything(alice, channel))
    last, text, looks = "", "", 0
    while "Still quiet" not in text:
        known = looks
        looks = await eventually(small, lambda n=known: looks_after(small, n), "it looks again")
        await alice.command("/incident timeline", channel)
        answer = await ephemeral_with(alice, "Recovered", after=last)
        last, text = answer["ts"], plain(answer)
    assert re.search(r"0 events in \d+ s, where up to 3 are normal", text)
    assert len(everything(alice, channel)) == before
    assert "Users are fine" in status(channel)
