"""A SEV4 is declared as one: a thread, and a channel when it grows."""

from __future__ import annotations

from sandbox.slack.people import plain
from sandbox.world import World
from tests.support.bots.stage import announced, eventually, incidents


async def test_a_sev4_stays_in_a_thread_until_it_grows(small: World):
    world, alice = small, small.alice
    await alice.shortcut("incident.declare")
    form = await alice.open_modal("incident.declare")
    await alice.submit(form, {"title": "the shop's logo is grey", "severity": "4"})
    root = await announced(alice, "INC-0001")
    await eventually(
        world,
        lambda: [m for m in alice.thread("incidents", root["ts"]) if "Decision 1" in plain(m)],
        "the decision stands in the thread",
    )
    assert incidents(world) == [], "no channel of its own"

    await alice.command("/incident severity 2 INC-0001", "incidents")
    channel = await alice.channel("inc-0001-")
    await alice.sees("Decision 1", channel)
    await eventually(
        world,
        lambda: [m for m in alice.thread("incidents", root["ts"]) if "It has grown" in plain(m)],
        "the thread says where it goes on",
    )
    await alice.sees(f"<#{channel.id}>", "incidents")
