"""Services behind the incident break, too.

The channel is told, work goes on by hand, and nothing is lost.
"""

from __future__ import annotations

import os
import signal
import time

from sandbox.faults import Fault
from sandbox.page.faults_panel import COUNTING, OVERLOAD
from sandbox.slack.people import plain
from sandbox.world import World
from tests.support.bots.stage import (
    announced,
    asked,
    burn,
    declared,
    ephemeral_with,
    eventually,
    everything,
    incidents,
    messages_with,
    opened,
    runs,
    status,
)
from tests.support.redis.dump import valkey

DOWN = Fault(status=503)


async def test_without_sentry_people_decide_on_what_is_reported_until_it_is_back(
    sentry_hangs: World,
):
    world, alice = sentry_hangs, sentry_hangs.alice
    burn(world)
    world.faults.always("sentry.*", DOWN)
    began = time.monotonic()
    await alice.command("/incident checkout is failing")
    channel = await alice.channel("inc-0001-")
    decision = await alice.sees("Sentry has not answered", channel)
    assert time.monotonic() - began > 2.5, "after three seconds, not at once"
    assert "No recommendation yet" in plain(decision)
    assert "(recommended)" not in plain(decision), "never a recommendation without evidence"
    await opened(alice)

    await alice.click(decision, "incident.triage")
    form = await alice.open_modal("incident.triage")
    await alice.submit(
        form,
        {
            "users": "many",
            "features": "many",
            "names": "cart, payment",
            "report": "12 tickets: <!channel> white page",
        },
    )
    reported = plain(await alice.sees_change(decision, f"Reported by {alice.mention}"))
    assert "not measured" in reported
    assert "<!channel>" not in reported
    await eventually(
        world, lambda: "reported, not measured" in status(channel), "the pinned status says so"
    )

    # Sentry is back: the same message is completed in place, with what is measured.
    world.faults.clear()
    completed = plain(await alice.sees_change(decision, "1,050 events"))
    assert "Recommended: roll back to `1.2.0`" in completed
    assert len(messages_with(alice, channel, "Decision 1")) == 1
    await alice.command("/incident timeline", channel)
    story = plain(await ephemeral_with(alice, "timeline"))
    assert "Sentry has not answered" in story
    assert "12 tickets" in story
    assert "1,050 events" in story


async def test_an_overloaded_sentry_gets_no_milder_advice_and_the_decision_is_completed_in_place(
    small: World,
):
    """It answers with 400, 429 and 504 whoever counts events; its issues are told."""
    world, alice = small, small.alice
    burn(world)
    for call in COUNTING:
        world.faults.always(call, OVERLOAD)
    channel = await declared(alice, "checkout is failing")
    decision = await alice.sees("Recommended: roll back to `1.2.0`", channel)
    first = plain(decision)
    assert "Users and features not known; " in first
    assert "nothing unusual" not in first
    assert "SEV1" in status(channel)

    world.faults.clear()
    # Sentry came back in the midst of one look, perhaps: the next one knows the rest.
    await eventually(
        world, lambda: "not known" not in plain(alice.now(decision)), "everything is known"
    )
    completed = plain(await alice.sees_change(decision, " users; "))
    assert "Recommended: roll back to `1.2.0`" in completed
    assert len(messages_with(alice, channel, "Decision 1")) == 1


async def test_without_linear_and_pager_the_incident_goes_on_and_catches_up(small: World):
    world, alice = small, small.alice
    burn(world)
    world.faults.always("linear.*", DOWN)
    world.faults.always("pagerduty.*", DOWN)
    channel = await declared(alice, "checkout is failing")
    # Nobody can be paged: those who should be are mentioned, at once.
    mention = await alice.sees("SEV1", channel)
    await eventually(
        world,
        lambda: messages_with(alice, channel, f"{alice.mention} INC-0001"),
        "the owners are mentioned",
    )
    assert mention

    failed = await alice.sees("The ticket could not be opened", channel)
    assert "503" in plain(failed) or "fault of its own" in plain(failed), "why"
    await eventually(
        world, lambda: "The ticket could not be opened" in status(channel), "pinned as well"
    )
    decision = await alice.sees("Decision 1", channel)
    await alice.click(decision, "decision.rollback")
    await alice.sees_change(decision, "Read back from the deployer")
    assert runs(world) == "v1.2.0"

    world.faults.clear()
    await alice.click(failed, "incident.try_again")
    await eventually(world, lambda: world.linear.issues, "the ticket, later")
    comments = await eventually(
        world, lambda: world.linear.comments_on(world.linear.issues[0]), "what happened meanwhile"
    )
    assert "rollback to 1.2.0" in " ".join(c.body.lower() for c in comments)
    await eventually(
        world,
        lambda: world.linear.attachments_on(world.linear.issues[0]),
        "Sentry's issue is attached",
    )
    await eventually(
        world, lambda: "could not be opened" not in status(channel), "nobody needs to try again"
    )
    await alice.click(failed, "incident.try_again")
    await ephemeral_with(alice, "been retried already")
    assert len(world.linear.issues) == 1


async def test_valkey_is_killed_and_what_was_acked_is_there(small: World):
    world, alice = small, small.alice
    burn(world)
    channel = await declared(alice, "checkout is failing")
    decision = await alice.sees("Recommended: roll back", channel)
    pid = await eventually(world, lambda: valkey(world), "the bot's Valkey")
    os.kill(pid, signal.SIGKILL)
    refusals: list[str] = []
    while "decision.rollback" in str(alice.now(decision)):
        before = len(alice.ephemerals())
        await alice.click(alice.now(decision), "decision.rollback")

        def answered(before: int = before) -> bool:
            return len(alice.ephemerals()) > before or "decision.rollback" not in str(
                alice.now(decision)
            )

        await eventually(world, answered, "an answer to the click")
        refusals += [plain(m) for m in alice.ephemerals()[before:]]
    assert alice.toasts() == [], "no bare error of Slack's own"
    for refusal in (text for text in refusals if "Redis" in text):
        assert "Nothing was recorded" in refusal or "cannot tell whether" in refusal

    # It has come back by itself, with everything that was acknowledged.
    assert valkey(world) not in (None, pid)
    await alice.sees_change(decision, "Read back from the deployer")
    assert asked(world) == ["v1.2.0"]
    await alice.sees("Recovered", channel)
    assert len(messages_with(alice, channel, "Decision 1")) == 1
    assert len(messages_with(alice, world.workspace.channel("incidents"), "INC-0001")) == 1


async def test_no_channel_can_be_created(small: World):
    world, alice, bob = small, small.alice, small.bob
    burn(world)
    world.faults.always("slack.conversations.create", Fault(error="restricted_action"))
    await alice.command("/incident checkout is failing")
    root = await announced(alice, "INC-0001")
    assert root.get("thread_ts", root["ts"]) == root["ts"]
    incidents_channel = world.workspace.channel("incidents")

    def in_thread(words: str) -> bool:
        return any(words in plain(m) for m in alice.thread(incidents_channel, root["ts"]))

    await eventually(
        world, lambda: in_thread("Recommended: roll back"), "the decision, in the thread"
    )
    await eventually(world, lambda: in_thread("○Learn"), "the status, in the thread")
    assert incidents(world) == []
    decision = next(
        m for m in alice.thread(incidents_channel, root["ts"]) if "decision.rollback" in str(m)
    )
    await alice.click(decision, "decision.rollback")
    await alice.sees_change(decision, "Read back from the deployer")
    await eventually(world, lambda: in_thread("Recovered"), "the check, in the thread")
    roots = [
        m
        for m in everything(alice, incidents_channel)
        if m.get("thread_ts", m["ts"]) == m["ts"] and m.get("bot_id")
    ]
    assert [plain(m) for m in roots if "rolls shop back" in plain(m)] == [], (
        "not in everybody's face"
    )
    await alice.command("/incident status INC-0001", "general")
    await ephemeral_with(alice, "Recovery check")
    # Words, not an id: nothing is done by guessing.
    await alice.command("/incident fixed by hand INC-0001")
    assert world.workspace.channel("general").messages == [] or not messages_with(
        alice, world.workspace.channel("general"), "INC"
    )

    # A private one never becomes public: it runs in a direct message with who declared it.
    await bob.shortcut("incident.declare")
    form = await bob.open_modal("incident.declare")
    await bob.submit(form, {"title": "a customer's data leaks", "private": ["private"]})
    direct = await eventually(
        world,
        lambda: next(
            (c for c in world.workspace.channels.values() if c.im_user == bob.id and c.messages),
            None,
        ),
        "a DM",
    )
    await eventually(
        world, lambda: any("Decision 1" in plain(m) for m in direct.messages), "the decision, there"
    )
    for channel in world.workspace.channels.values():
        if channel is not direct:
            assert not any(
                "data leaks" in plain(m) and m.get("bot_id") for m in channel.messages
            ), channel.name
    assert not any("data leaks" in post.content for post in world.discord.posts)


async def test_a_rollback_that_fails_says_so_pages_and_is_decided_again(small: World):
    world, alice = small, small.alice
    burn(world)
    (world.folder / "broken").write_text("no space left on device\n")
    channel = await declared(alice, "checkout is failing")
    decision = await alice.sees("Recommended: roll back", channel)
    pages = len(await eventually(world, lambda: world.pagerduty.events, "a SEV1 is paged"))
    await alice.click(decision, "decision.rollback")
    failed = plain(await alice.sees_change(decision, "failed"))
    assert "no space left on device" in failed, "its last words"
    assert "exit" in failed, "why"
    assert runs(world) == "v1.3.0"
    await eventually(world, lambda: len(world.pagerduty.events) > pages, "people are paged")
    assert any("failed" in event.summary for event in world.pagerduty.events[pages:])
    assert len({event.dedup_key for event in world.pagerduty.events}) == 1, "one key an incident"

    again = await alice.sees("Decision 2", channel)
    assert "failed" in plain(again)
    completed = await alice.sees_change(again, "Recommended: investigate")
    assert "Tried already: Rollback to 1.2.0" in plain(completed), "what was done is known"
    assert "The rollback to 1.2.0 failed" in plain(completed)
    assert "A rollback would be right, but is not safe" in plain(completed)
    assert "Roll back to `1.2.0` (recommended)" not in plain(completed)
    assert "decision.rollback" in str(completed), "a person may try again"
    states = [event.state for event in world.pagerduty.events]
    assert states[pages - 1 :] == ["resolved", "triggered"], "the brake rings nobody once more"

    # The deployer itself is gone: nothing was started, and that is said, too.
    (world.folder / "broken").unlink()
    (world.folder / "current").rename(world.folder / "gone")
    await alice.click(alice.now(again), "decision.rollback")
    third = await alice.sees("Decision 3", channel)
    assert "nothing was deployed" in plain(third).lower()
    (world.folder / "gone").rename(world.folder / "current")

    # By hand, then: what people did counts, and is checked as anything else.
    third = await alice.sees_change(third, "Recommended")
    (world.folder / "current").write_text("v1.2.0\n")
    await alice.click(third, "decision.fixed")
    form = await alice.open_modal("incident.fixed")
    await alice.submit(form, {"sentence": "rolled back by hand on the box"})
    await alice.sees("Recovered", channel)
    await eventually(
        world, lambda: world.pagerduty.events[-1].state == "resolved", "nobody is called any more"
    )
