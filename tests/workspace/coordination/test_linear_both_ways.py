"""Linear and Slack say the same.

Changes in Linear are read here, and action items are followed to the end.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sandbox.faults import Fault
from sandbox.linear.state import Issue
from sandbox.slack.channels import Channel
from sandbox.slack.people import Json, Person, plain
from sandbox.world import World
from tests.support.bots.stage import burn, declared, eventually, messages_with, status
from tests.support.redis.dump import redis_of


def ticket(world: World) -> Issue:
    return world.linear.issues[0]


def comments(world: World) -> str:
    return "\n".join(comment.body for comment in world.linear.comments_on(ticket(world)))


def roots(world: World, channel: Channel, words: str) -> list[Json]:
    return [m for m in world.alice.messages(channel) if m.get("bot_id") and words in plain(m)]


async def opened(world: World) -> Channel:
    burn(world)
    channel = await declared(world.alice, "checkout is failing")
    await eventually(world, lambda: world.linear.issues, "the ticket")
    await eventually(
        world, lambda: ticket(world).priority == 1 and "Triage:" in comments(world), "in step"
    )
    return channel


async def resolved(world: World, *items: str, owner: str = "", due: date | None = None) -> Channel:
    """Lead an incident from the alert to the written post-mortem.

    The first of its action items has an owner and is due.
    """
    alice = world.alice
    channel = await opened(world)
    decision = await alice.sees("Recommended: roll back", channel)
    await alice.click(decision, "decision.rollback")
    await alice.sees("*Recovered.*", channel)
    await alice.command("/incident postmortem", channel)
    form = await alice.open_modal("incident.postmortem", text="Root cause")
    rows = {
        f"item_{number}": items[number - 1] if number <= len(items) else "" for number in (1, 2, 3)
    }
    first = {"incident.item.owner.1": owner, "incident.item.due.1": due.isoformat() if due else ""}
    entered = {
        "monitoring": "No alert.",
        "tests": "No test.",
        **rows,
        **{name: value for name, value in first.items() if value},
    }
    await alice.submit(form, entered)
    await alice.sees("PRODUCTION INCIDENT —", channel)
    return channel


async def overdue(world: World, name: str) -> None:
    """Make a timer due, or all whose name begins so.

    Its place in the sorted set is now.
    """
    redis: Any = redis_of(world)
    timers = [
        timer
        for timer in await redis.zrange("{fb}:timers", 0, -1)
        if timer.startswith(f"INC-0001|{name}")
    ]
    for timer in timers:
        await redis.zadd("{fb}:timers", {timer: 0}, xx=True)
    await redis.aclose()
    assert timers, f"{name} is set"


async def test_what_people_move_in_linear_is_heard_in_slack_and_nothing_bounces(small: World):
    world, alice = small, small.alice
    channel = await opened(world)

    def attached(begins: str) -> bool:
        return any(a.title.startswith(begins) for a in world.linear.attachments_on(ticket(world)))

    await eventually(world, lambda: attached("Sentry"), "the Sentry issue hangs on the ticket")
    await eventually(world, lambda: attached(f"Slack: #{channel.name}"), "and the channel")
    assert (ticket(world).state.type, ticket(world).priority) == ("started", 1)

    # Priority there is severity here, by that person's name.
    world.linear.prioritise("ENG-1", 3, by="Bob Okafor")
    await alice.sees("SEV1 → SEV3, says Bob Okafor in Linear", channel)
    await eventually(world, lambda: "SEV3" in status(channel), "the status says so")
    # And severity here is priority there.
    await alice.command("/incident severity 2", channel)
    await eventually(world, lambda: ticket(world).priority == 2, "the ticket's priority follows")

    # A closed ticket does not end the incident. The missing parts are said, and the ticket is
    # opened again.
    world.linear.move("ENG-1", "completed", by="Bob Okafor")
    answer = plain(await alice.sees("Bob Okafor closed ENG-1 in Linear", channel))
    assert "INC-0001 is not over" in answer
    assert "the post-mortem" in answer
    await eventually(world, lambda: ticket(world).state.type == "started", "it is open again")
    assert "is not over" in comments(world)

    # A delivery that comes twice, and a late one of before, change nothing.
    priority = next(d for d in world.linear_webhooks.deliveries if b'"priority": 3' in d.body)
    again = await world.linear_webhooks.redeliver(priority)
    assert again.status == 200
    stale = type(priority)(id="another", body=priority.body, status=None)
    assert (await world.linear_webhooks.redeliver(stale)).status == 200
    assert all(d.status == 200 for d in world.linear_webhooks.deliveries)
    await alice.command("/incident update Still here", channel)
    await eventually(
        world, lambda: "Still here" in comments(world), "the update, after everything else"
    )
    await eventually(world, lambda: "SEV2" in status(channel), "the status says what is true")
    assert (
        ticket(world).priority,
        len(messages_with(alice, channel, "says Bob Okafor in Linear")),
    ) == (
        2,
        1,
    )
    assert len(messages_with(alice, channel, "closed ENG-1")) == 1

    await alice.command("/incident cancel a load test", channel)
    await eventually(world, lambda: ticket(world).state.type == "canceled", "a false alarm")


async def test_a_ticket_that_linear_would_not_open_is_opened_later_and_tells_everything(
    small: World,
):
    world, alice = small, small.alice
    burn(world)
    world.faults.always("linear.*", Fault(error="RATELIMITED", status=200, retry_after=600))
    channel = await declared(alice, "checkout is failing")
    failed = plain(await alice.sees("The ticket could not be opened", channel))
    assert "slow down" in failed
    assert "I keep trying" in failed
    await eventually(world, lambda: "✗Ticket" in status(channel), "shown")
    await alice.command("/incident update Card payments fail", channel)
    world.kill_bot()
    await world.bot.until_running()
    world.faults.clear()
    await overdue(world, "retry:")
    await eventually(world, lambda: world.linear.issues, "the ticket, later")
    await eventually(
        world, lambda: "Card payments fail" in comments(world), "what happened meanwhile"
    )
    await eventually(
        world, lambda: "could not be opened" not in status(channel), "nothing is pending"
    )
    assert len(world.linear.issues) == 1

    # Comments that could not be made come in one, once.
    world.faults.always("linear.*", Fault(error="RATELIMITED", retry_after=3600))
    await alice.command("/incident update Refunds fail as well", channel)
    await eventually(world, lambda: "The ticket is not up to date" in status(channel), "shown")
    await alice.command("/incident update And vouchers", channel)
    world.faults.clear()
    await overdue(world, "retry:")
    await eventually(
        world, lambda: "While Linear was out of reach" in comments(world), "one comment"
    )
    for words in ("Refunds fail as well", "And vouchers"):
        assert len(re.findall(words, comments(world))) == 1, words


async def test_action_items_are_followed_to_the_end_over_a_restart(small: World):
    world, alice = small, small.alice
    due = (datetime.now(UTC) - timedelta(days=3)).date()
    items = ("price a cart without region", "alert after one minute", "canary for 5 minutes")
    channel = await resolved(world, *items, owner=alice.id, due=due)
    await eventually(world, lambda: len(world.linear.below(ticket(world))) == 3, "three sub-issues")
    await eventually(world, lambda: ticket(world).state.type == "completed", "the ticket is closed")
    assert "PRODUCTION INCIDENT" in comments(world), "with the resolution"
    first, second, third = world.linear.below(ticket(world))
    assert (first.due_date, first.assignee and first.assignee.name) == (
        due.isoformat(),
        "Alice Reyes",
    )
    listed = await alice.sees("0 of 3 action items done", channel)

    # One is closed by a button here, one in Linear, one in Linear while the bot is dead and its
    # webhook is lost.
    done = next(e for e in buttons(listed) if '"item":2' in e["value"])
    await alice.click(listed, "incident.item_done", value=done["value"])
    await eventually(world, lambda: second.state.type == "completed", "the sub-issue follows")
    world.linear.move(first.identifier, "completed", by="Bob Okafor")
    await alice.sees_change(listed, "2 of 3 action items done")
    assert "done by Bob Okafor" in plain(alice.now(listed))
    world.kill_bot()
    world.linear_webhooks.enabled = False
    world.linear.move(third.identifier, "canceled")
    await world.bot.until_running()
    await overdue(world, "ticket")
    await alice.sees("is closed", channel)
    await alice.sees_change(listed, "2 of 3 action items done, 1 dropped")
    (adr,) = (world.folder / "adr").glob("*.md")
    await eventually(
        world, lambda: "Status: done" in adr.read_text(), "the post-mortem's file says so"
    )
    assert "[x] tests: price a cart without region" in adr.read_text()
    assert len(roots(world, channel, "*INC-0001 is closed.*")) == 1


async def test_who_is_late_is_reminded_once_a_week_and_once_a_time(small: World):
    world, alice = small, small.alice
    due = (working_morning(world, alice) - timedelta(days=9)).date()
    await resolved(world, "price a cart without region", owner=alice.id, due=due)
    await eventually(world, lambda: world.linear.below(ticket(world)), "the sub-issue")

    def direct() -> list[Json]:
        direct_channels = [c for c in world.workspace.channels.values() if c.im_user == alice.id]
        return [m for c in direct_channels for m in alice.messages(c) if "overdue" in plain(m)]

    await overdue(world, "items")
    reminder = (await eventually(world, direct, "a direct message"))[0]
    assert "price a cart without region" in plain(reminder)
    assert "9 days ago" in plain(reminder)
    world.kill_bot()
    await world.bot.until_running()
    await overdue(world, "items")  # the next one is a week away: nothing is due
    await alice.click(reminder, "incident.item_done")
    await eventually(
        world, lambda: world.linear.below(ticket(world))[0].state.type == "completed", "settled"
    )
    assert len(direct()) == 1


def working_morning(world: World, person: Person) -> datetime:
    """A person for whom it is ten on a working day, whenever the story runs."""
    now = datetime.now(UTC)
    there = now.replace(hour=10)
    while there.weekday() >= 5:
        there -= timedelta(days=1)
    world.workspace.user(person.id)["tz_offset"] = round((there - now).total_seconds())
    return there


def buttons(message: Json) -> list[Json]:
    accessories: list[Any] = [b.get("accessory") for b in message["blocks"]]
    return [accessory for accessory in accessories if accessory]
