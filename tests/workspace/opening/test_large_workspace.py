"""An incident in a workspace of many channels, of which Slack tells a page at a time."""

from __future__ import annotations

from pathlib import Path

from sandbox.slack.channels import ALICE, Channel
from tests.support.bots.stage import burn, declared, eventually, messages_with, town


async def test_the_channel_of_the_announcements_is_found_at_the_end_of_a_list_that_is_rationed(
    tmp_path: Path,
) -> None:
    world = town(tmp_path)
    channels = world.workspace.channels
    incidents = channels.pop("C0INCIDENTS")
    for number in range(4000):
        id = f"C1{number:07d}"
        channels[id] = Channel(id, f"team-{number}", ALICE, 0, members=[ALICE])
    channels[incidents.id] = incidents
    world.faults.limit("slack.conversations.list", 1, seconds=2)
    async with world:
        alice = world.alice
        burn(world)
        channel = await declared(alice, "checkout is failing")
        await eventually(
            world,
            lambda: [m for m in incidents.messages if f"<#{channel.id}>" in str(m)],
            "it is announced",
        )
        pages = [call for call in world.workspace.calls if call.method == "conversations.list"]
        assert len({call.args.get("cursor") for call in pages}) == len(pages) == 5, "each page once"
        assert messages_with(alice, channel, "INCIDENTS_CHANNEL") == []
