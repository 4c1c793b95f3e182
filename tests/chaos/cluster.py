"""A cluster in trouble while people open incidents: its primary fails over, its slot moves.

Every acknowledged incident is there afterwards, once, with what is to be done for it.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from bot.config.catalogue import Catalogue
from bot.connection.client import StoreError
from bot.store.incident_store import Store
from bot.store.incidents import Incidents
from handlers.dispatcher import Delivery, Recorded
from phases.messages.commands import Declare
from phases.record.incident import Incident, Source
from phases.record.timeline import Shown
from phases.workflow import step
from tests.chaos.kill import Outcome, Way, batch
from tests.chaos.life import faults, life
from tests.chaos.store import AGAIN_SECONDS, PEOPLE, Kept, to_be_said_again
from tests.chaos.town import Town
from tests.support.redis.clustered import IMPATIENT_MS, SLOT, Cluster, clustered, settled

REPLICAS = 2
"""Of the bot: each has its own connections, and hears of a move by itself."""
BETWEEN_SECONDS = 2.0
"""Of quiet after each trouble: the bots go on."""
PART = 3
"""Keys that are moved at once; people click in between."""

Answer = TypeVar("Answer")
Trouble = Callable[[Cluster], Awaitable[None]]


async def failed_over(cluster: Cluster) -> None:
    """The primary is killed and comes back; the next one is frozen, and wakes up as the old one."""
    first = await cluster.primary()
    first.kill()
    second = await settled(cluster, cluster.partner(first), alone=True)
    await asyncio.sleep(0.3)
    first.again()
    await settled(cluster, second)
    second.freeze(True)
    await settled(cluster, first, alone=True, without=second)
    second.freeze(False)
    await settled(cluster, first)


async def moved(cluster: Cluster) -> None:
    """Its slot goes to another shard key by key, and back as a whole."""
    home = await cluster.primary()
    away, _ = await cluster.others(home)
    await cluster.begin_to_move(home, away)
    while True:
        if not await cluster.move_keys(home, away, PART):
            break
        await asyncio.sleep(0.01)
    await cluster.end_to_move(away)
    await settled(cluster, away)
    await asyncio.sleep(0.3)
    await away.ask("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", SLOT, SLOT, "NODE", home.id)
    await settled(cluster, home)


async def trouble(what: Trouble) -> Kept:
    """Raises `AssertionError` where it does not work again afterwards."""
    outcome, acked, over = Kept(), dict[str, str](), asyncio.Event()
    with tempfile.TemporaryDirectory(prefix="firebreak-chaos-") as folder:
        async with clustered(Path(folder), IMPATIENT_MS) as cluster:
            stores = [Store.open(cluster.url, wait_replicas=1) for _ in range(REPLICAS)]
            bots = [Incidents(store, step, Catalogue(())) for store in stores]
            people = [
                asyncio.create_task(_person(bots[n % REPLICAS], n, over, acked, outcome))
                for n in range(PEOPLE)
            ]
            await asyncio.sleep(0.5)
            await what(cluster)
            await asyncio.sleep(0.5)
            over.set()
            await asyncio.gather(*people)
            await _judge(stores[0], acked, outcome)
            for store in stores:
                await store.close()
    return outcome


async def _judge(store: Store, acked: dict[str, str], outcome: Kept) -> None:
    incidents = await store.get(await store.ids("all"))
    titles = Counter(incident.title for incident in incidents)
    effects: list[str] = [fields["id"] for _, fields in await store.redis.xrange(store.keys.outbox)]
    owed = {id.partition(".")[0] for id in effects}
    outcome.acked = len(acked)
    outcome.lost = sum(title not in titles or id not in owed for title, id in acked.items())
    outcome.doubled = sum(titles.values()) - len(titles) + len(effects) - len(set(effects))


async def _person(
    bot: Incidents, number: int, over: asyncio.Event, acked: dict[str, str], outcome: Kept
) -> None:
    """Open one incident after the other, each until it is acknowledged, as the same delivery."""
    count = 0
    while not over.is_set():
        count += 1
        title = f"person {number} opens {count}"
        action = Declare(
            ulid=f"{number:013}{count:013}",
            title=title,
            service=f"shop-{number}-{count}",
            source=Source(kind="person", text="/incident"),
        )
        trigger = Delivery((f"trigger:{number}.{count}",))
        while not isinstance(answer := await bot.dispatch(action, None, trigger), Recorded):
            if not to_be_said_again(answer):
                outcome.faults.append(f"{title}: {answer}")
                return
            outcome.unsure += 1
            await asyncio.sleep(AGAIN_SECONDS)
        acked[title] = answer.incident.id


class PatientStore(Store):
    """Who judges asks until the cluster answers."""

    async def get(self, incidents: Iterable[str]) -> list[Incident]:
        ids = list(incidents)
        return await _answered(lambda: super(PatientStore, self).get(ids))

    async def timeline(self, incident: str) -> list[Shown]:
        return await _answered(lambda: super(PatientStore, self).timeline(incident))


async def _answered(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    while True:
        try:
            return await ask()
        except StoreError:
            await asyncio.sleep(AGAIN_SECONDS)


class ClusterTown(Town):
    """Its bots wait for a replica, as operators of a cluster should let them."""

    def __init__(self, folder: Path, **options: Any) -> None:
        super().__init__(folder, **options)
        self.store = PatientStore(self.store.redis)

    def environment(self, outside: str) -> dict[str, str]:
        return {**super().environment(outside), "REDIS_WAIT_REPLICAS": "1"}


async def lives(services: int) -> Outcome:
    """Whole lives with real bots, while the slot moves and its primary fails over, all the time."""
    made: list[Cluster] = []

    @asynccontextmanager
    async def kept_in(folder: Path) -> AsyncIterator[str]:
        async with clustered(folder, IMPATIENT_MS) as cluster:
            made.append(cluster)
            yield cluster.url

    async def beside(town: Town) -> None:
        [cluster] = made
        while True:
            for what in TROUBLES.values():
                task = asyncio.create_task(what(cluster))
                try:
                    await asyncio.shield(task)
                finally:
                    await task  # what is judged is a cluster that is whole again
                await asyncio.sleep(BETWEEN_SECONDS)

    way = Way(ClusterTown, life, faults)
    return await batch([], services=services, beside=beside, way=way, kept_in=kept_in)


TROUBLES: dict[str, Trouble] = {
    "its primary is killed, the next one frozen": failed_over,
    "its slot moves key by key, and back at once": moved,
}
