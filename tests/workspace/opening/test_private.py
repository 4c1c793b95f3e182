"""A private incident (security).

Everything said of it holds a canary, and nobody outside its channel finds one.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from sandbox.faults import Fault
from sandbox.linear.state import Issue
from sandbox.slack.channels import Channel
from sandbox.slack.people import Person, plain
from sandbox.world import World
from tests.support.bots.stage import burn, declared, ephemeral_with, eventually, messages_with
from tests.support.worlds.ci import ci

CANARY = "canary"


async def declared_in_private(person: Person, title: str) -> None:
    await person.shortcut("incident.declare")
    form = await person.open_modal("incident.declare")
    await person.submit(
        form, {"title": title, "description": f"the {CANARY} of bob", "private": ["private"]}
    )


def leaks(world: World, insider: Person, *inside: Channel) -> list[str]:
    """Places at which anybody but `insider` could read the canary, in any spelling."""
    places: dict[str, Any] = {}
    for channel in world.workspace.channels.values():
        if channel not in inside and channel.im_user != insider.id:
            places[f"#{channel.name or channel.id}"] = [
                channel.messages,
                channel.topic,
                channel.purpose,
            ]
            places[f"the name of #{channel.name}"] = channel.name
            places[f"the bookmarks of #{channel.name}"] = channel.bookmarks
    for user, messages in world.workspace.ephemerals.items():
        if user != insider.id:
            places[f"what only {user} is told"] = messages
    for user, home in world.workspace.modals.homes.items():
        if user != insider.id:
            places[f"{user}'s App Home"] = home
    places["Discord"] = [post.content for post in world.discord.posts]
    places["Linear"] = [world.linear.issues, world.linear.comments, world.linear.attachments]
    places["PagerDuty"] = world.pagerduty.events
    places["the post-mortems"] = [
        file.read_text() + file.name for file in (world.folder / "adr").iterdir()
    ]
    places["the bot's log"] = (world.folder / "bot.log").read_text()
    return [place for place, content in places.items() if CANARY in str(content).lower()]


async def test_nobody_outside_its_channel_learns_anything(small: World):
    world, alice, bob = small, small.alice, small.bob
    (world.folder / "releases").write_text("v1.3.0\nv1.2.0\n")
    burn(world)
    await declared_in_private(bob, "Canary: a signing key is public, checkout is open")
    channel = await bob.channel("inc-0001-")
    assert channel.is_private
    await bob.sees("Decision 1", channel)
    await eventually(world, lambda: bob.id in channel.members, "who declared it is in")
    assert alice.id not in channel.members, (
        "not even the owners: who is needed is invited by people"
    )
    announcements = world.workspace.channel("incidents")
    announced = await alice.sees("INC-0001", announcements)
    assert "a private incident" in plain(announced)
    assert "incident.join" not in str(announced)
    await eventually(world, lambda: world.pagerduty.events, "people are paged")
    await eventually(world, lambda: world.linear.issues, "a ticket without details")

    # Everything that can be said to it.
    await bob.command("/incident update the canary was found in a log", channel)
    bob.react(bob.say(channel, "the canary was in here since spring"))  # into its timeline
    await bob.command("/incident severity 1", channel)
    await bob.command("/incident cause canary: the key was in the repository", channel)
    await bob.sees("the key was in the repository", channel)
    decision = next(m for m in bob.messages(channel) if "decision.fixed" in str(m))
    await bob.click(decision, "decision.fixed")
    form = await bob.open_modal("incident.fixed")
    await bob.submit(form, {"sentence": "the canary key is revoked"})
    await bob.sees("Recovered", channel)

    # Questions that a stranger may ask.
    for line in (
        "list",
        "status INC-0001",
        "timeline INC-0001",
        "history",
        "history shop",
        "trends",
        "status",
        "merge INC-0001 INC-0002",
    ):
        await alice.command(f"/incident {line}")
    await alice.command("/incident cancel INC-0001 not mine")
    await ephemeral_with(alice, "There is no incident INC-0001")
    await alice.open_home()
    await eventually(world, lambda: alice.home(), "App Home")
    assert "INC-0001" not in json.dumps(alice.home())
    assert await ci(world, "v1.3.0") == {"hold": False, "incident": None}

    # An incident of the same service does not reveal the private one. It is declared at once, and
    # its triage recalls nothing.
    real = await declared(alice, "checkout is failing", "inc-0002-")
    assert "INC-0001" not in plain(next(m for m in world.workspace.ephemerals[alice.id][::-1]))
    await alice.command("/incident cancel false alarm", real)

    # Its post-mortem: what a person writes for the file, and nothing of what was said.
    await bob.command("/incident postmortem", channel)
    form = await bob.open_modal("incident.postmortem", text="Everybody who can read the folder")
    parts = {
        "timeline": "found, revoked",
        "root_cause": "a key was where it should not be",
        "monitoring": "nothing scans for keys",
        "tests": "no test can",
        "item_1": "scan for keys before a merge",
        "incident.item.kind.1": "gates",
        "incident.item.owner.1": bob.id,
        "revisit": "when it is done",
    }
    await bob.submit(form, parts)
    await bob.sees("is resolved", channel)
    await bob.open_home()
    await eventually(
        world, lambda: "scan for keys" in str(bob.home()), "what is owed, for its members"
    )
    await alice.open_home()
    await eventually(
        world, lambda: list((world.folder / "adr").iterdir()), "the post-mortem is written"
    )
    after = await declared(alice, "checkout is failing again", "inc-0003-")
    await alice.command("/incident status", after)
    for line in ("history", "history shop", "trends", "timeline"):
        await alice.command(f"/incident {line}", after)

    assert messages_with(bob, channel, "canary"), "inside it is an incident like any other"
    await bob.command("/incident history")
    assert "Canary: a signing key is public" in plain(await ephemeral_with(bob, "INC-0001")), (
        "its members look back on it"
    )

    # Its item is followed in Linear by its number alone; settled there, it is settled here.
    item = await eventually(
        world, lambda: numbered(world, "Action item 1 of INC-0001"), "its item, by number"
    )
    assert "/archives/" in item.description, "for its members: the way there"
    assert "scan for keys" not in str([world.linear.issues, world.linear.comments])
    await eventually(
        world, lambda: messages_with(bob, channel, item.identifier), "the list leads there"
    )
    world.linear.move(item.identifier, "completed", by="Bob Okafor")
    await eventually(
        world,
        lambda: messages_with(bob, channel, "done by Bob Okafor"),
        "settled there is settled here",
    )
    assert leaks(world, bob, channel) == []


def numbered(world: World, title: str) -> Issue | None:
    return next((issue for issue in world.linear.issues if issue.title == title), None)


async def test_a_private_incident_is_not_merged_with_one_that_everybody_sees(small: World):
    alice, bob = small.alice, small.bob
    await declared_in_private(bob, "Canary: a door is open")
    room = await bob.channel("inc-0001-")
    await bob.sees("Decision 1", room)
    await declared(alice, "checkout is failing", "inc-0002-")
    for keep in ("incident.merge", "incident.merge_other"):
        await bob.command("/incident merge INC-0001 INC-0002", room)
        asked = await ephemeral_with(bob, "are the same?")
        await bob.click(asked, keep)

        def refused(ts: str = asked["ts"]) -> bool:
            words = "A private and a public incident are not merged"
            return any(m["ts"] == ts and words in plain(m) for m in bob.ephemerals())

        await eventually(small, refused, "the refusal in the question's place")
    await alice.command("/incident merge INC-0002 INC-0001")
    await ephemeral_with(alice, "There is no incident INC-0001")
    assert leaks(small, bob, room) == []


async def test_the_channel_decides_who_sees_it(small: World):
    alice, bob = small.alice, small.bob
    await declared_in_private(bob, "Canary: a door is open")
    channel = await bob.channel("inc-0001-")
    await bob.sees("Decision 1", channel)
    await alice.command("/incident list")
    await ephemeral_with(alice, "No incident is open")

    bob.invite(channel, alice.id)

    async def listed(words: str) -> None:
        while True:
            after = max((m["ts"] for m in alice.ephemerals()), default="")
            await alice.command("/incident list")
            answer = await ephemeral_with(alice, "", after=after)
            if words in plain(answer):
                return
            await asyncio.sleep(0.25)  # the bot hears of it a moment later, and tells nobody

    await listed("INC-0001")
    await alice.command("/incident status INC-0001")
    await ephemeral_with(alice, "a door is open")
    alice.leave(channel)
    await listed("No incident is open")
    await alice.command("/incident status INC-0001")
    await ephemeral_with(alice, "There is no incident INC-0001")


async def test_where_no_channel_can_be_made_it_runs_in_a_direct_message(small: World):
    world, alice, bob = small, small.alice, small.bob
    world.faults.always("slack.conversations.create", Fault(error="restricted_action"))
    await declared_in_private(bob, "Canary: a door is open")

    def direct() -> Channel | None:
        every = world.workspace.channels.values()
        return next(
            (c for c in every if c.im_user == bob.id and "Decision 1" in str(c.messages)), None
        )

    await eventually(world, direct, "the decision, in a direct message")
    await alice.command("/incident list")
    await ephemeral_with(alice, "No incident is open")
    await bob.command("/incident list")
    await ephemeral_with(bob, "INC-0001")
    assert leaks(world, bob) == []
