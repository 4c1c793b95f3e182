"""After a right rollback: late events of the old release wake nobody, and a real return is found.

Sentry's own name for either does not matter.

In each story the bot is killed (kill -9) when the alarm is recorded, or while it burns again.
"""

from __future__ import annotations

import pytest

from sandbox.faults import Fault
from sandbox.slack.channels import Channel
from sandbox.slack.people import plain
from sandbox.world import World
from tests.support.bots.stage import PEOPLE, eventually, go_on_burning, messages_with, status
from tests.support.worlds.resolved import recovered

LINE = "not a return"


async def quiet_again(world: World, every: float = 0.05) -> Channel:
    """Roll back, recover, and wait for every message of it.

    From now on Sentry reports what it calls a regression. `every`: seconds between the errors of
    a page while it burned.
    """
    channel = await recovered(world, every=every)
    await eventually(
        world,
        lambda: messages_with(world.alice, channel, "set to resolved in the next release"),
        "everything of it is said",
    )
    world.alerts.rule, world.alerts.issue_webhooks, world.alerts.enabled = None, True, True
    return channel


def straggler(world: World) -> None:
    """One event of an old tab."""
    world.sentry.load("KeyError: 'region'", users=PEOPLE[:1], release="shop@1.3.0", transaction="/")


async def alarm(world: World) -> None:
    """An alert rule of that team fires on every event, whatever release it has."""
    assert (await world.alerts.event_alert(world.sentry.events[-1])).status == 200


async def restarted(world: World) -> None:
    world.kill_bot()
    await world.bot.until_running()


def nobody_was_woken(world: World, channel: Channel) -> None:
    assert "Users are fine" in status(channel)
    assert not messages_with(world.alice, channel, "Decision 2")
    assert not [
        e for e in world.pagerduty.events if "back" in e.summary or "fires again" in e.summary
    ]


def opened_once(world: World, channel: Channel) -> None:
    assert len(messages_with(world.alice, channel, "Decision 2")) == 1
    paged = [e for e in world.pagerduty.events if "it is back" in e.summary]
    assert len({event.dedup_key for event in paged}) == 1


async def test_one_straggler_is_one_line_in_the_thread(small: World):
    channel = await quiet_again(small)
    straggler(small)
    [issue] = small.sentry.issues.values()
    assert issue.status == "resolved", "Sentry does not call it a regression"
    await alarm(small)
    await restarted(small)
    (line,) = await eventually(small, lambda: messages_with(small.alice, channel, LINE), "one line")
    assert "1 of 1.3.0, which no longer runs" in plain(line)
    assert line["thread_ts"] != line["ts"], "in the thread"
    nobody_was_woken(small, channel)


async def test_thirty_stragglers_of_the_old_release_are_one_line_too(small: World):
    """With an alarm for each, and the bot killed in their midst.

    It burned so loud that thirty are few, however long after recovery they come.
    """
    channel = await quiet_again(small, every=0.01)
    for number in range(30):
        straggler(small)
        await alarm(small)
        if number == 15:
            await restarted(small)
    await eventually(small, lambda: messages_with(small.alice, channel, LINE), "one line")
    # Something that comes behind all of it: the look at the last alarm has been made by then.
    await small.alice.command("/incident timeline", channel)
    await eventually(small, lambda: small.alice.ephemerals(), "the bot answers")
    assert len(messages_with(small.alice, channel, LINE)) == 1
    nobody_was_woken(small, channel)


@pytest.mark.parametrize("release", ["shop@1.2.0", "shop@1.1.0"])
async def test_a_return_in_the_running_release_or_an_older_one_is_found_though_sentry_tells_of_none(
    small: World, release: str
):
    channel = await quiet_again(small)
    go_on_burning(small, release=release)
    await restarted(small)
    again = plain(await small.alice.sees("Decision 2", channel))
    assert "it is back: " in again.lower()
    assert not [d for d in small.alerts.deliveries if d.action == "unresolved"], (
        "to Sentry that is no regression"
    )
    await eventually(
        small, lambda: [e for e in small.pagerduty.events if "it is back" in e.summary], "paged"
    )
    await eventually(small, lambda: "To decide" in status(channel), "the pinned status")
    opened_once(small, channel)


async def test_an_alarm_of_a_return_opens_it_at_once(small: World):
    channel = await quiet_again(small)
    go_on_burning(small, release="shop@1.2.0")
    await alarm(small)
    await restarted(small)
    await small.alice.sees("Decision 2", channel)
    await eventually(
        small, lambda: [e for e in small.pagerduty.events if "it is back" in e.summary], "paged"
    )
    opened_once(small, channel)


async def test_while_sentry_is_away_it_is_said_and_nobody_is_paged_until_it_answers(small: World):
    channel = await quiet_again(small)
    straggler(small)
    small.faults.always("sentry.*", Fault(status=503))
    await alarm(small)
    await restarted(small)
    message = await small.alice.sees("cannot be queried whether it is back", channel)
    assert "nobody is paged until it answers" in plain(message)
    nobody_was_woken(small, channel)
    await restarted(small)
    small.faults.clear()
    await eventually(
        small, lambda: messages_with(small.alice, channel, LINE), "then it is looked at"
    )
    nobody_was_woken(small, channel)
    assert len(messages_with(small.alice, channel, "cannot be queried whether it is back")) == 1


async def test_while_sentry_is_away_a_return_waits_for_it_and_opens_the_incident_then(small: World):
    channel = await quiet_again(small)
    small.faults.always("sentry.*", Fault(status=503))
    go_on_burning(small, seconds=90, release="shop@1.2.0", every=0.1)
    await alarm(small)
    await small.alice.sees("cannot be queried whether it is back", channel)
    await restarted(small)
    nobody_was_woken(small, channel)
    small.faults.clear()
    await small.alice.sees("Decision 2", channel)
    await eventually(
        small, lambda: [e for e in small.pagerduty.events if "it is back" in e.summary], "paged"
    )
    opened_once(small, channel)
