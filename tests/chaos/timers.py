"""1,000 timers due at once, and two clocks as processes, one of them killed.

None is lost, none is doubled, and the delays are measured.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bot.config.catalogue import Catalogue
from bot.connection.client import connect
from bot.connection.embedded import embedded
from bot.store.incident_store import Loaded, Store
from bot.store.incidents import Incidents
from bot.timers.scheduler import Clock
from phases.messages.actions import NobodyActed
from phases.messages.effects import EFFECT, Page
from phases.record.incident import Incident, Severity, Source, Status
from phases.record.service import Service
from phases.shared.change import Draft
from phases.workflow import step
from tests.chaos.town import eventually

HEARTBEAT_SECONDS = 0.005
AHEAD_SECONDS = 3.0


@dataclass
class Fired:
    timers: int
    lost: int
    doubled: int
    p99: float
    """Seconds from due to its commit."""
    blocked_ms: float
    """The longest that the loop of the clock that lived was not free."""


async def thousand(timers: int = 1000, *, always: bool = False) -> Fired:
    """`always`: fsync at each write, else `everysec`."""
    with tempfile.TemporaryDirectory(prefix="firebreak-chaos-") as folder:
        async with embedded(Path(folder) / "valkey") as url:
            redis = connect(url)
            await redis.config_set("appendfsync", "always" if always else "everysec")
            due = await _set(url, timers)
            clocks = [await _clock(url) for _ in range(2)]
            await asyncio.sleep(max(0.0, (due - datetime.now(UTC)).total_seconds()) + 0.3)
            clocks[0].kill()

            async def none_left() -> bool:
                return not await redis.zcard("{fb}:timers")

            await eventually(none_left, "every timer to be dealt with", 60)
            clocks[1].terminate()
            blocked = float((await clocks[1].communicate())[0] or b"0")
            await clocks[0].wait()
            left = await redis.zcard("{fb}:timers")
            lates, pages = await _read(url, due)
            await redis.aclose()
            await redis.connection_pool.disconnect()
    p99 = sorted(lates)[int(len(lates) * 0.99) - 1] if lates else 0.0
    return Fired(
        timers, left + timers - len(pages), sum(n - 1 for n in pages.values()), p99, blocked
    )


async def _set(url: str, timers: int) -> datetime:
    """Make so many SEV1 incidents that nobody acts on, whose pages all fall due in one moment."""
    store = Store.open(url)
    now = await store.server_now()
    due = now + timedelta(seconds=AHEAD_SECONDS + timers / 200)
    for number in range(1, timers + 1):
        incident = Incident(
            id=f"INC-{number:04d}",
            number=number,
            ulid=f"{number:026d}",
            title="it burns",
            service=f"s{number}",
            severity=Severity.SEV1,
            status=Status.DECIDING,
            source=Source(kind="person", text="/incident"),
            detected_at=now,
            declared_at=now,
        )
        draft = Draft(incident, now).timer("nobody", (due - now).total_seconds(), NobodyActed())
        await store.commit(f"set-{number}", Loaded(None, 0, now), draft.done())
    await store.close()
    return due


async def _read(url: str, due: datetime) -> tuple[list[float], dict[str, int]]:
    """Return each page's delay, and the number of times that each incident wanted one."""
    store, lates, pages = Store.open(url), list[float](), dict[str, int]()
    for _, fields in await store.redis.xrange(store.keys.outbox):
        if isinstance(EFFECT.validate_python(json.loads(fields["effect"])), Page):
            pages[fields["incident"]] = pages.get(fields["incident"], 0) + 1
            lates.append(int(fields["created"]) / 1000 - due.timestamp())
    await store.close()
    return lates, pages


async def _clock(url: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.chaos.timers", url, stdout=asyncio.subprocess.PIPE
    )


async def _run(url: str) -> None:
    """A clock as in the bot; prints its longest block when it is told to end."""
    store = Store.open(url)
    clock = Clock(store, Incidents(store, step, Catalogue((Service(name="s"),))))
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    running = asyncio.create_task(clock.run())
    longest = 0.0
    while not ended.is_set():
        before = time.perf_counter()
        await asyncio.sleep(HEARTBEAT_SECONDS)
        longest = max(longest, time.perf_counter() - before - HEARTBEAT_SECONDS)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    print(f"{longest * 1000:.1f}")
    await store.close()


if __name__ == "__main__":
    asyncio.run(_run(sys.argv[1]))
