"""Once a month one of the replicas posts the trends, over restarts and lost answers.

History and trends can also be asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.clients.slack.client import Slack
from bot.store.commit import counted_json, recall_indexes, recall_member, to_ms
from bot.store.incident_store import Store
from bot.store.past_incidents import RedisMemory
from bot.timers.monthly_trends import LATE_DAYS, MonthlyTrends
from phases.ports.ports import PortError
from phases.record.memories import PastIncident
from sandbox.faults import Fault
from sandbox.slack.people import Json, plain
from tests.support.values.memories import past_incident
from tests.support.worlds.handlers_world import house
from tests.support.worlds.slack_world import World, slack_world

FIRST = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)


@dataclass
class Month:
    """Two replicas on the first of December, and the channel that hears of it."""

    slack: World
    store: Store
    memory: RedisMemory
    replicas: list[MonthlyTrends] = field(default_factory=list[MonthlyTrends])
    at: datetime = FIRST

    def posts(self) -> list[Json]:
        channel = self.slack.workspace.channel("incidents")
        return [m for m in self.slack.alice.messages(channel) if "Incidents in" in plain(m)]


@asynccontextmanager
async def december(store: Store) -> AsyncIterator[Month]:
    async with slack_world(now=lambda: FIRST.timestamp()) as world:
        memory = RedisMemory(store)
        month = Month(world, store, memory)
        slack = Slack(world.client.token or "", world.client.base_url)
        await slack.start()
        announcements = world.workspace.channel("incidents")

        async def channel() -> str | None:
            return announcements.id

        month.replicas = [
            MonthlyTrends(store, memory, slack, channel, now=lambda: month.at) for _ in range(2)
        ]
        try:
            await slack.join(announcements.id)
            yield month
        finally:
            await slack.aclose()


async def remembered(store: Store, past: PastIncident) -> None:
    """Write a memory as the commit of its incident would."""
    member = recall_member(past.service, past.id)
    await store.redis.hset(
        f"{store.keys.prefix}:memory:{past.service}", past.id, past.model_dump_json()
    )  # pyright: ignore
    await store.redis.hset(f"{store.keys.prefix}:recall:counted", member, counted_json(past))  # pyright: ignore
    for name in recall_indexes(past):
        await store.redis.zadd(f"{store.keys.prefix}:recall:{name}", {member: to_ms(past.at)})


async def test_two_replicas_post_once_and_so_do_their_successors(store: Store):
    async with december(store) as month:
        for number in (1, 2, 3):
            await remembered(month.store, past_incident(number, 11))
        await remembered(month.store, past_incident(4, 11, private=True))
        await asyncio.gather(*(each.post() for each in month.replicas * 3))
        (posted,) = month.posts()
        assert "Incidents in November 2026: 3" in plain(posted), "a private one is left out"
        month.at += timedelta(hours=5)
        assert not any([await each.post() for each in month.replicas])
        assert len(month.posts()) == 1


async def test_a_post_whose_answer_was_lost_is_found_again(store: Store):
    async with december(store) as month:
        await remembered(month.store, past_incident(1, 11))
        month.slack.faults.next("slack.chat.postMessage", Fault(lose_answer=True))
        with pytest.raises(PortError):
            await month.replicas[0].post()
        assert not await month.replicas[1].post(), (
            "the lease of the one that was killed still holds"
        )
        await store.redis.delete("{fb}:once:trends:2026-12:lease")  # it has run out
        assert await month.replicas[1].post()
        assert len(month.posts()) == 1


@pytest.mark.parametrize(
    ("at", "posts"),
    [
        (datetime(2026, 12, 1, 8, 59, tzinfo=UTC), 0),
        (datetime(2026, 12, 3, 2, 0, tzinfo=UTC), 1),
        (datetime(2026, 12, 1 + LATE_DAYS, 0, 0, tzinfo=UTC), 0),
    ],
)
async def test_from_nine_oclock_and_some_days_late(store: Store, at: datetime, posts: int):
    async with december(store) as month:
        await remembered(month.store, past_incident(1, 11))
        month.at = at
        await month.replicas[0].post()
        assert len(month.posts()) == posts


async def test_where_nothing_happened_nothing_is_said(store: Store):
    async with december(store) as month:
        await remembered(month.store, past_incident(1, 12, at=FIRST - timedelta(hours=2)))
        assert await month.replicas[0].post()
        assert month.posts() == []


async def test_history_and_trends_are_told_to_who_asks(store: Store):
    now = datetime.now(UTC)
    for number in range(1, 13):
        await remembered(
            store,
            past_incident(
                number,
                at=now - timedelta(days=20 - number),
                service="shop" if number % 2 else "search",
            ),
        )
    await remembered(store, past_incident(13, at=now, private=True, title="private incident"))
    async with house(store) as home:
        alice = home.slack.alice

        async def answer_to(command: str) -> Any:
            await alice.command(command)
            await home.idle()
            return alice.ephemerals()[-1]

        history = await answer_to("/incident history")
        assert "*12 past incidents*, 1 to 10, newest first" in plain(history)
        assert "INC-0013" not in plain(history)
        await alice.click(history, "incident.history")
        await home.idle()
        assert "INC-0001" in plain(alice.ephemerals()[-1])
        assert "*6 past incidents of shop*, newest first" in plain(
            await answer_to("/incident history shop")
        )
        trends = plain(await answer_to("/incident trends"))
        assert ": 12 incidents" in trends
        assert "*Most fragile:* shop/cart.py" in trends
