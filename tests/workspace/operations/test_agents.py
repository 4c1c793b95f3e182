"""An agent works beside the people: by the SDK's own client, over stdin and stdout."""

from __future__ import annotations

import sys

from mcp import Client, StdioServerParameters

from sandbox.world import World
from tests.support.bots.forked import firebreak
from tests.support.bots.stage import burn, declared, eventually, messages_with


def door(world: World, person: str) -> StdioServerParameters:
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "bot", "mcp", "--person", person, "--agent", "tracer"],
        env=dict(world.bot.env),
    )


async def test_a_tracer_agent_adds_what_it_found(small: World):
    world, alice = small, small.alice
    burn(world)
    channel = await declared(alice, "checkout is failing")
    async with Client(door(world, world.bob.id)) as agent:
        (listed,) = (await agent.call_tool("list_incidents", {})).structured_content["result"]
        id = listed["id"]
        added = await agent.call_tool(
            "add_hypothesis", {"id": id, "says": "The tax table of eu-west is empty"}
        )
        assert not added.is_error, added.content
        link = {"id": id, "text": "0 rows in tax_eu_west", "url": "https://db.example.com/q/1"}
        assert not (await agent.call_tool("add_evidence", link)).is_error
    await eventually(
        world,
        lambda: messages_with(alice, channel, "by agent tracer"),
        "the tree names who said it",
    )
    await alice.command("/incident timeline", channel)
    await eventually(
        world,
        lambda: any("0 rows in tax_eu_west" in str(message) for message in alice.ephemerals()),
        "the evidence is in the timeline",
    )


async def test_who_is_no_member_has_no_agent(small: World):
    code, _, complaint = await firebreak("mcp", "--person", "U0NOBODY", env=small.bot.env)
    assert code == 1
    assert "U0NOBODY is not a full member of this workspace." in complaint
