"""The Discord client against the local channel, over real HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from bot.clients.discord import Discord as Client
from bot.performers.context import registered
from phases.coordination.discord import discord_text
from phases.messages.effects import PinDiscord, TellDiscord
from phases.ports.ports import PortError
from phases.record.incident import Incident, Status
from sandbox.discord import BOT_TOKEN, PINS, Discord, discord_app
from sandbox.faults import Fault, Faults
from tests.support.values.factories import incident
from tests.support.worlds.local_http import serving
from tests.support.worlds.small_world import until


class World:
    def __init__(self, discord: Discord, faults: Faults, url: str) -> None:
        self.discord, self.faults, self.url = discord, faults, url
        self.client = Client(f"{url}/api/webhooks/1/sandbox")
        self.bot = Client(f"{url}/api/webhooks/1/sandbox", BOT_TOKEN)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    discord, faults = Discord(), Faults()
    async with serving(discord_app(discord, faults)) as url:
        world = World(discord, faults, url)
        yield world
        await world.client.aclose()
        await world.bot.aclose()


async def test_one_post_edited_in_place(world: World) -> None:
    announcer = world.client
    changes: list[int] = []
    world.discord.on_change = lambda: changes.append(1)
    id = (await announcer.post("checkout is failing: deciding", author="Firebreak INC-0001")).id
    await announcer.edit(id, "checkout is failing: recovered " + "x" * 3000)
    (post,) = world.discord.posts
    assert (post.id, post.edits, len(changes)) == (id, 1, 2)
    assert post.content.startswith("checkout is failing: recovered")
    assert len(post.content) == 2000


async def test_a_rate_limit_says_how_long_in_the_body(world: World) -> None:
    world.faults.next("discord.post", Fault(status=429, retry_after=7))
    with pytest.raises(PortError) as refused:
        await world.client.post("hello", author="Firebreak INC-0001")
    assert refused.value.retryable
    assert refused.value.retry_after == 7


@pytest.mark.parametrize(
    ("fault", "retryable", "message"),
    [
        (Fault(status=503), True, "fault of its own"),
        (Fault(lose_answer=True), True, "broke off"),
        (
            Fault(status=400, error="Cannot send an empty message"),
            False,
            "Cannot send an empty message",
        ),
    ],
)
async def test_errors_say_whether_trying_again_helps(
    world: World, fault: Fault, retryable: bool, message: str
) -> None:
    world.faults.next("discord.post", fault)
    with pytest.raises(PortError, match=message) as refused:
        await world.client.post("hello", author="Firebreak INC-0001")
    assert refused.value.retryable is retryable


async def test_a_deleted_post_and_a_deleted_webhook_are_two_things(world: World) -> None:
    assert not await world.client.edit("42", "hello")
    client = Client(f"{world.url}/api/webhooks/2/gone-secret")
    with pytest.raises(PortError, match="DISCORD_WEBHOOK_URL") as refused:
        await client.post("hello", author="Firebreak INC-0001")
    assert "gone-secret" not in refused.value.text
    await client.aclose()


async def test_a_post_is_pinned_while_it_is_wanted_and_both_may_be_said_twice(world: World) -> None:
    posted = await world.bot.post("checkout is failing", author="Firebreak INC-0001")
    assert posted.channel == "1"
    for pinned in (True, True, False, False):
        await world.bot.pin(posted.id, posted.channel, pinned=pinned)
        assert world.discord.posts[0].pinned is pinned
    # Posted by an earlier version, which kept no channel.
    await world.bot.pin(posted.id, None, pinned=True)
    assert world.discord.posts[0].pinned
    # Deleted meanwhile: nothing is left to do.
    await world.bot.pin("42", posted.channel, pinned=False)
    with pytest.raises(PortError, match="was deleted"):
        await world.bot.pin("42", posted.channel, pinned=True)


async def test_without_a_bot_token_nothing_is_pinned_and_nothing_fails(world: World) -> None:
    posted = await world.client.post("checkout is failing", author="Firebreak INC-0001")
    await world.client.pin(posted.id, posted.channel, pinned=True)
    assert not world.discord.posts[0].pinned


async def test_what_hinders_a_pin_is_said_with_its_way_out(world: World) -> None:
    posted = await world.bot.post("checkout is failing", author="Firebreak INC-0001")

    async def refused(client: Client) -> PortError:
        with pytest.raises(PortError) as error:
            await client.pin(posted.id, posted.channel, pinned=True)
        return error.value

    world.faults.next("discord.pin", Fault(status=429, retry_after=3))
    limited = await refused(world.bot)
    assert (limited.retryable, limited.retry_after) == (True, 3)
    world.discord.may_pin = False
    barred = await refused(world.bot)
    assert not barred.retryable
    assert "Missing Permissions" in barred.text
    assert "Pin Messages" in barred.text
    world.discord.may_pin, world.discord.pins_elsewhere = True, PINS
    assert "as many pins" in (await refused(world.bot)).text
    wrong = Client(f"{world.url}/api/webhooks/1/sandbox", "wrong-token-of-somebody")
    unknown = await refused(wrong)
    assert "DISCORD_BOT_TOKEN" in unknown.text
    assert "wrong-token-of-somebody" not in unknown.text
    await wrong.aclose()


async def test_after_a_lost_answer_the_post_is_found_and_not_made_twice(world: World) -> None:
    began = datetime.now(UTC)
    world.discord.post("an earlier INC-0001, before Redis was lost", "Firebreak INC-0001").at = (
        began - timedelta(days=9)
    )
    world.faults.next("discord.post", Fault(lose_answer=True))
    with pytest.raises(PortError):
        await world.bot.post("checkout is failing", author="Firebreak INC-0001")
    world.discord.post("search is slow", "Firebreak INC-0002")
    post = await world.bot.post(
        "checkout is failing",
        author="Firebreak INC-0001",
        maybe_posted_since=began + timedelta(hours=1),  # by a clock that is an hour ahead
    )
    assert (post.id, post.channel) == (world.discord.posts[1].id, "1")
    assert len(world.discord.posts) == 3


@pytest.mark.parametrize("may_read", [True, False])
async def test_where_nothing_is_found_it_is_posted(world: World, may_read: bool) -> None:
    world.discord.may_see = may_read
    made = await world.bot.post(
        "x", author="Firebreak INC-0001", maybe_posted_since=datetime.now(UTC)
    )
    assert [post.id for post in world.discord.posts] == [made.id]
    world.discord.may_see = True
    world.faults.next("discord.messages", Fault(status=503), times=3)
    with pytest.raises(PortError) as refused:  # later it can be looked for again
        await world.bot.post("x", author="Firebreak INC-0001", maybe_posted_since=datetime.now(UTC))
    assert refused.value.retryable


async def test_the_doctors_look_reads_and_writes_nothing(world: World) -> None:
    assert await world.bot.check() == "incidents"
    assert await world.bot.check_bot() == "Firebreak"
    world.discord.may_see = False
    with pytest.raises(PortError, match="Pin Messages"):
        await world.bot.check_bot()
    assert world.discord.posts == []


class SlowOnce:
    """A Discord whose first answer takes long: what it was sent lands last."""

    def __init__(self) -> None:
        self.may_land, self.shown, self.pinned, self.calls = asyncio.Event(), "", None, 0

    async def _landed(self) -> None:
        self.calls += 1
        if self.calls == 1:
            await self.may_land.wait()

    async def edit(self, id: str, text: str) -> bool:
        await self._landed()
        self.shown = text
        return True

    async def pin(self, id: str, channel: str | None, *, pinned: bool) -> None:
        await self._landed()
        self.pinned = pinned


@pytest.mark.parametrize("effect", [TellDiscord(), PinDiscord()])
async def test_of_two_replicas_the_one_that_comes_last_does_not_leave_what_is_old(
    effect: TellDiscord | PinDiscord,
) -> None:
    world, newest = SlowOnce(), [incident(discord_id="9", status=Status.MITIGATED)]

    async def incident_of(job: object) -> Incident:
        return newest[0]

    async def names(of: Incident) -> dict[str, str]:
        return {}

    ctx: Any = SimpleNamespace(incident=incident_of, names=names, announcer=world)
    perform = registered(ctx)[effect.type]
    job: Any = SimpleNamespace(attempt=1)
    slow = asyncio.create_task(perform(effect, job))
    await until(lambda: world.calls > 0)
    newest[0] = newest[0].model_copy(update={"status": Status.RESOLVED})
    await perform(effect, job)
    world.may_land.set()
    await slow
    if isinstance(effect, TellDiscord):
        assert world.shown == discord_text(newest[0], {})
    else:
        assert world.pinned is False
