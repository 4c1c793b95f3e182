"""Stories of a hotfix's end.

Its pull request is merged by a click, refused with the reason, or merged by others.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from sandbox.faults import Faults
from sandbox.github.api import github_app
from sandbox.github.state import TOKEN, GitHub, Pull
from sandbox.github.webhooks import Webhooks
from sandbox.serving import bound, serving
from sandbox.slack.channels import Channel
from sandbox.slack.people import Json, plain
from sandbox.world import World
from tests.support.bots.on_github import ON_GITHUB, SECRET, deployed, started
from tests.support.bots.stage import (
    burn,
    declared,
    ephemeral_with,
    eventually,
    messages_with,
    status,
    town,
    transcript,
)

HEAD, NEXT = "f" * 40, "e" * 40
OPEN_END = "is not merged: the next normal deploy would undo it"


@pytest.fixture
def github() -> GitHub:
    made = GitHub()
    for number in (1, 2, 3):
        made.commit(f"{number}" * 40, f"Change {number}", tag=f"v1.{number}.0")
    made.pulls.append(Pull(9, "No region", HEAD, "fix/region"))
    deployed(made)
    return made


@pytest.fixture
def faults() -> Faults:
    return Faults()


@pytest.fixture
async def world(tmp_path: Path, github: GitHub, faults: Faults) -> AsyncIterator[World]:
    listening = bound(0)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    env = {"GITHUB_API_URL": url, "GITHUB_TOKEN": TOKEN, "GITHUB_WEBHOOK_SECRET": SECRET}
    services = ON_GITHUB.replace('deploy = "v{version}"', 'deploy = "{version}"')
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(
            serving(github_app(github, faults), listening, lambda: None)
        )
        made = await stack.enter_async_context(town(tmp_path, services=services, env=env))
        hooks = Webhooks(github, f"{made.bot_url}/webhooks/github", SECRET)
        stack.push_async_callback(hooks.stop)
        try:
            yield made
        finally:
            print(transcript(made))  # pytest shows it where a story fails


async def shipped(world: World, github: GitHub) -> Channel:
    """The hotfix of pull request #9 runs, and users are fine."""
    alice = world.alice
    burn(world)
    channel = await declared(alice, "checkout is failing")
    decision = await alice.sees("Recommended: roll back", channel)
    await alice.click(decision, "decision.hotfix")
    form = await alice.open_modal("incident.hotfix", text="Branch or pull request")
    await alice.submit(form, {"fix": f"{HEAD} #9"})
    github.finish(await started(world, github, "hotfix.yml"))
    await alice.sees(f"Hotfix #9@fffffff {OPEN_END}", channel)
    await eventually(world, lambda: "Users are fine" in status(channel), "users are fine")
    return channel


def pinned(channel: Channel) -> Json:
    message = channel.message(channel.pins[0]["ts"])
    assert message is not None
    return {**message, "channel": channel.id}


async def test_merged_by_a_click(world: World, github: GitHub) -> None:
    channel = await shipped(world, github)
    await world.bob.click(pinned(channel), "incident.merge_hotfix")
    await ephemeral_with(world.bob, "Only the owners of this service merge its hotfixes")
    assert not github.pulls[0].merged

    await world.alice.click(pinned(channel), "incident.merge_hotfix")
    await world.alice.sees("Pull request #9 is merged by", channel)
    assert (github.pulls[0].merged, github.pulls[0].merged_by) == (True, "firebreak[bot]")
    await eventually(
        world, lambda: "is not merged" not in status(channel), "the line ends in the status"
    )
    await eventually(
        world, lambda: "merge_hotfix" not in json.dumps(channel.messages), "no button is left"
    )
    await eventually(
        world, lambda: OPEN_END not in world.discord.posts[-1].content, "and on Discord"
    )


async def test_items_and_merge_close_it_together_and_it_is_said_once(
    world: World, github: GitHub
) -> None:
    channel, alice = await shipped(world, github), world.alice
    await alice.command("/incident postmortem", channel)
    form = await alice.open_modal("incident.postmortem", text="Action item 1")
    parts = {
        "monitoring": "Nobody watched.",
        "tests": "No test without a region.",
        "root_cause": "No region.",
    }
    await alice.submit(form, {**parts, "item_1": "a test without a region"})
    await alice.sees("INC-0001 is resolved", channel)

    def items() -> Json:
        return messages_with(alice, channel, "action item")[-1]

    def left() -> list[str]:
        rows = [block["accessory"] for block in items()["blocks"] if "accessory" in block]
        return [row["value"] for row in rows if row["action_id"] == "incident.item_done"]

    await eventually(
        world, lambda: messages_with(alice, channel, "action items done"), "the list of items"
    )
    for number in range(len(left()), 0, -1):
        await alice.click(items(), "incident.item_done", left()[0])
        await eventually(world, lambda n=number: len(left()) == n - 1, "one less")
    assert "Before INC-0001 closes: hotfix #9@fffffff is not merged" in plain(items())
    assert not messages_with(alice, channel, "INC-0001 is closed")

    github.merge(github.pulls[0], "ada")
    await alice.sees("*INC-0001 is closed.*", channel)
    await eventually(world, lambda: "Closed" in status(channel), "the status")
    closed = [
        m
        for m in messages_with(alice, channel, "INC-0001 is closed")
        if "action_id" not in str(m) and "○" not in plain(m)
    ]
    assert len([m for m in closed if plain(m).startswith("*INC-0001 is closed.*")]) == 1


async def test_a_refused_merge_says_why(world: World, github: GitHub, faults: Faults) -> None:
    channel = await shipped(world, github)
    pull = github.pulls[0]
    pull.blocked = "At least 1 approving review is required by reviewers with write access."
    await world.alice.click(pinned(channel), "incident.merge_hotfix")
    await world.alice.sees(
        "Pull request #9 was not merged: GitHub does not allow it yet (“At least 1 approving",
        channel,
    )

    pull.blocked = ""
    github.push(pull, NEXT)
    await eventually(
        world,
        lambda: messages_with(
            world.alice, channel, "has moved on since it was shipped: fffffff → eeeeeee"
        ),
        "it",
    )
    pull.checks = "SUCCESS"
    await eventually(
        world,
        lambda: "incident.merge_hotfix" in json.dumps(pinned(channel)),
        "the button is there again",
    )
    await world.alice.click(pinned(channel), "incident.merge_hotfix")
    await world.alice.sees(
        "its head has moved from fffffff to eeeeeee since it was shipped", channel
    )
    assert not pull.merged
    assert "is not merged" in status(channel)


async def test_merged_by_somebody_else_is_noticed(world: World, github: GitHub) -> None:
    channel = await shipped(world, github)
    github.merge(github.pulls[0], "ada")
    await world.alice.sees(
        "Pull request #9 is merged by ada. The next normal deploy keeps the hotfix.", channel
    )
    await eventually(
        world, lambda: "is not merged" not in status(channel), "the line ends in the status"
    )
    assert len(messages_with(world.alice, channel, "is merged by")) == 1
