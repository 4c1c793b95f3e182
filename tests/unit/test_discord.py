"""The Discord client against the local channel, over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from local_http import serving

from bot.clients.discord import Discord as Client
from phases.ports import Announcer, PortError
from sandbox.discord import Discord, discord_app
from sandbox.faults import Fault, Faults


class World:
    def __init__(self, discord: Discord, faults: Faults, url: str) -> None:
        self.discord, self.faults, self.url = discord, faults, url
        self.client = Client(f"{url}/api/webhooks/1/sandbox")


@pytest.fixture
async def world() -> AsyncIterator[World]:
    discord, faults = Discord(), Faults()
    async with serving(discord_app(discord, faults)) as url:
        world = World(discord, faults, url)
        yield world
        await world.client.aclose()


async def test_one_post_edited_in_place(world: World) -> None:
    announcer: Announcer = world.client
    changes: list[int] = []
    world.discord.on_change = lambda: changes.append(1)
    id = await announcer.post("checkout is failing: deciding")
    await announcer.edit(id, "checkout is failing: recovered " + "x" * 3000)
    (post,) = world.discord.posts
    assert (post.id, post.edits, len(changes)) == (id, 1, 2)
    assert post.content.startswith("checkout is failing: recovered")
    assert len(post.content) == 2000


async def test_a_rate_limit_says_how_long_in_the_body(world: World) -> None:
    world.faults.next("discord.post", Fault(status=429, retry_after=7))
    with pytest.raises(PortError) as refused:
        await world.client.post("hello")
    assert refused.value.retryable
    assert refused.value.retry_after == 7


@pytest.mark.parametrize(
    ("fault", "retryable", "said"),
    [
        (Fault(status=503), True, "fault of its own"),
        (Fault(lose_answer=True), True, "broke off"),
        (Fault(status=400, error="Cannot send an empty message"), False, "Cannot send an empty message"),
    ],
)
async def test_errors_say_whether_trying_again_helps(world: World, fault: Fault, retryable: bool, said: str) -> None:
    world.faults.next("discord.post", fault)
    with pytest.raises(PortError, match=said) as refused:
        await world.client.post("hello")
    assert refused.value.retryable is retryable


async def test_a_deleted_post_and_a_deleted_webhook_are_two_things(world: World) -> None:
    with pytest.raises(PortError, match="was deleted"):
        await world.client.edit("42", "hello")
    client = Client(f"{world.url}/api/webhooks/2/gone-secret")
    with pytest.raises(PortError, match="DISCORD_WEBHOOK_URL") as refused:
        await client.post("hello")
    assert "gone-secret" not in refused.value.text
    await client.aclose()
