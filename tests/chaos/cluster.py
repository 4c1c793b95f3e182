"""A cluster in trouble while people open incidents: its primary fails over, its slot moves.

Every acknowledged incident is there afterwards, once, with what is to be done for it.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

from bot.config.catalogue import Catalogue
from bot.store.incident_store import Store
from bot.store.incidents import Incidents
from handlers.dispatcher import Delivery, Recorded, Unknown
from phases.messages.commands import Declare
from phases.record.incident import Source
from phases.workflow import step
from tests.chaos.store import AGAIN_SECONDS, PEOPLE, Kept
from tests.support.clustered import IMPATIENT_MS, SLOT, Cluster, clustered, settled

REPLICAS = 2
"""Of the bot: each has its own connections, and hears of a move by itself."""
PART = 3
"""Keys that are moved at once; people click in between."""

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
    kept, said, over = Kept(), dict[str, str](), asyncio.Event()
    with tempfile.TemporaryDirectory(prefix="firebreak-chaos-") as folder:
        async with clustered(Path(folder), IMPATIENT_MS) as cluster:
            stores = [Store.open(cluster.url, wait_replicas=1) for _ in range(REPLICAS)]
            bots = [Incidents(store, step, Catalogue(())) for store in stores]
            people = [
                asyncio.create_task(_person(bots[n % REPLICAS], n, over, said, kept))
                for n in range(PEOPLE)
            ]
            await asyncio.sleep(0.5)
            await what(cluster)
            await asyncio.sleep(0.5)
            over.set()
            await asyncio.gather(*people)
            await _judge(stores[0], said, kept)
            for store in stores:
                await store.close()
    return kept


async def _judge(store: Store, said: dict[str, str], kept: Kept) -> None:
    incidents = await store.get(await store.ids("all"))
    titles = Counter(incident.title for incident in incidents)
    effects: list[str] = [fields["id"] for _, fields in await store.redis.xrange(store.keys.outbox)]
    owed = {id.partition(".")[0] for id in effects}
    kept.acked = len(said)
    kept.lost = sum(title not in titles or id not in owed for title, id in said.items())
    kept.doubled = sum(titles.values()) - len(titles) + len(effects) - len(set(effects))


async def _person(
    bot: Incidents, number: int, over: asyncio.Event, said: dict[str, str], kept: Kept
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
            if not isinstance(answer, Unknown):
                kept.faults.append(f"{title}: {answer}")
                return
            kept.unsure += 1
            await asyncio.sleep(AGAIN_SECONDS)
        said[title] = answer.incident.id


TROUBLES: dict[str, Trouble] = {
    "its primary is killed, the next one frozen": failed_over,
    "its slot moves key by key, and back at once": moved,
}
