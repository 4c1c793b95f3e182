"""Stories that need a real shop.

Its commits are bisected, its hotfix is deployed, and bad data is told from bad code.
"""

from __future__ import annotations

import json
import re

import pytest

from sandbox.sentry.alerts import Rule
from sandbox.shop.git import Tree
from sandbox.slack.people import plain
from sandbox.world import World
from tests.support.bots.stage import eventually, messages_with, status

pytestmark = pytest.mark.slow


async def test_one_feature_is_investigated_bisected_and_its_release_rolled_back(world: World):
    shop, alice = world.shop, world.alice
    assert shop is not None
    shop.traffic.retry = (
        0.7  # one page of three fails: enough events for a look on a slow machine, too
    )
    breakage = await shop.break_one_feature()
    channel = await alice.channel("inc-0001-")
    decision = await alice.sees(
        "Recommended: investigate, with a rollback ready beside it", channel
    )
    assert "decision.rollback" in str(decision), "offered in parallel"

    # The walk to the commit and a real `git bisect run` on the shop's repository start by
    # themselves.
    tree = await eventually(
        world, lambda: messages_with(alice, channel, "Bisect: the reproduction"), "the bisect"
    )
    text = plain(tree[-1])
    assert breakage.commit[:7] in text
    assert breakage.message.splitlines()[0] in text
    assert breakage.author.split(" <")[0] in text

    # A person stands behind the cause. A recent deploy as the cause recommends its rollback, in a
    # new round.
    await alice.click(alice.now(decision), "decision.investigate")
    await alice.command("/incident cause", channel)
    form = await alice.open_modal("incident.cause", text="Prefilled from the evidence")
    await alice.submit(form)
    again = await alice.sees("Decision 2", channel)
    assert "the cause is a recent deploy" in plain(again).lower()
    assert "Recommended: roll back" in plain(again)
    await alice.click(again, "decision.rollback")
    await alice.sees_change(again, "Read back from the deployer")
    assert shop.current_release() != breakage.release
    await alice.sees("*Recovered.*", channel)


async def test_one_customers_bad_data_is_investigated_and_mended_without_a_deploy(world: World):
    shop, alice = world.shop, world.alice
    assert shop is not None
    before = shop.current_release()
    # One person makes few.
    world.alerts.rule = Rule(name="More than 4 events in a minute", threshold=4)
    await shop.break_bad_data()
    channel = await alice.channel("inc-0001-")
    decision = await alice.sees("Recommended: investigate", channel)
    words = plain(decision)
    assert "with a rollback ready" not in words, "no release brought it, so none takes it away"
    assert "1 user" in words
    assert "Investigate (recommended)" in words
    assert shop.current_release() == before
    for user in shop.users:
        # Its digits also stand in some Unix times, which Slack's dates are made of.
        assert not re.search(rf"(?<![\w.]){re.escape(user.id)}(?![\w.])", words), (
            "end users are counts, never names"
        )
        assert user.address not in words
    await shop.repair_data()
    await alice.click(decision, "decision.fixed")
    form = await alice.open_modal("incident.fixed")
    await alice.submit(form, {"sentence": "the cart was imported again"})
    await eventually(
        world,
        lambda: (
            "Users are fine" in status(channel) or messages_with(alice, channel, "I cannot tell")
        ),
        "an end",
    )


async def test_a_hotfix_is_shipped_by_its_head_commit_and_merged_when_users_are_fine(world: World):
    shop, alice = world.shop, world.alice
    assert shop is not None
    breakage = await shop.break_one_feature()
    channel = await alice.channel("inc-0001-")
    decision = await alice.sees(
        "Recommended: investigate, with a rollback ready beside it", channel
    )
    await alice.click(decision, "decision.hotfix")
    form = await alice.open_modal("incident.hotfix", text="past the merge gates")
    assert "checks green" in json.dumps(form)
    pull = next(p for p in shop.github.pulls if p.head_ref == breakage.fix_branch)
    await alice.submit(form, {"fix": f"{breakage.fix_commit} #{pull.number}"})
    done = plain(await alice.sees_change(decision, "Read back from the deployer"))
    assert f"#{pull.number}@{breakage.fix_commit[:7]}" in done
    running = shop.current_release()
    assert running is not None
    assert breakage.fix_commit.startswith(running) or running.startswith(breakage.fix_commit)
    assert shop.deploy_log()[-1]["commit"] == breakage.fix_commit, "its head, past the merge"
    await eventually(
        world, lambda: "is not merged" in status(channel), "the next normal deploy would undo it"
    )
    (verdict,) = await eventually(
        world,
        lambda: (
            messages_with(alice, channel, "*Recovered.*")
            or messages_with(alice, channel, "Does it work for users again?")
        ),
        "a verdict of the checks",
    )
    if "Does it work for users again?" in plain(verdict):  # so few seconds are too few to tell
        await alice.click({**verdict, "channel": channel.id}, "incident.recovered")
    top = channel.pins[0]["ts"]
    offered = lambda: "incident.merge_hotfix" in json.dumps(channel.message(top))  # noqa: E731
    await eventually(world, offered, "the pinned status offers the merge")
    pinned = {**(channel.message(top) or {}), "channel": channel.id}
    await alice.click(pinned, "incident.merge_hotfix")
    await alice.sees(f"Pull request #{pull.number} is merged by", channel)
    assert (
        Tree(shop.repo).try_git("merge-base", "--is-ancestor", breakage.fix_commit, "main")
        is not None
    )
    assert not messages_with(alice, channel, f"{breakage.fix_commit} was deployed"), (
        "our own deploy is nothing new"
    )


async def test_a_bad_flag_is_found_in_sentrys_flag_log_and_turned_off(world: World):
    shop, alice = world.shop, world.alice
    assert shop is not None
    before = shop.current_release()
    await shop.turn_on_bad_flag()
    assert shop.flag_is_on()
    channel = await alice.channel("inc-0001-")
    decision = await alice.sees("Recommended: turn off flag new-pricing", channel)
    assert "Turn off flag new-pricing (recommended)" in plain(decision)
    await alice.click(alice.now(decision), "decision.turn_off")
    await alice.sees_change(decision, "done in")
    assert not shop.flag_is_on()
    assert shop.current_release() == before, "nothing was deployed"
    assert [change.by for change in world.sentry.flag_log] == ["mara@shop.example", "firebreak"]
    await eventually(
        world,
        lambda: (
            messages_with(alice, channel, "*Recovered.*")
            or messages_with(alice, channel, "I cannot tell")
        ),
        "a verdict of the checks",
    )
