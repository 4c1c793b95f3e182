"""The clock: one APScheduler job sweeps the due timers, without state and without a lease."""

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from apscheduler.job import Job
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from pydantic import ValidationError

from bot.connection.client import Script
from bot.outbox.dead_letters import add_timer_letter
from bot.runtime.clock_jump import ClockJumps
from bot.runtime.worker import Worker, log_crash
from bot.store.clock_rewind import LEAST_SECONDS, set_back
from bot.store.commit import member, to_ms
from bot.store.incident_store import Store
from handlers.dispatcher import Dispatcher, Recorded, TimerDue, Unknown
from phases.messages.actions import ACTION
from phases.shared.change import Refused

log = logging.getLogger(__name__)

SWEEP_SECONDS = 0.25
WATCH_SECONDS = 1.0
PARTED_SECONDS = 0.5
"""The step of the wall clock against the monotonic one that counts as a set clock."""
AT_MOST = 500
"""Timers of one look; with so many the next look comes at once."""
AT_ONCE = 16
LONGEST_WAIT_SECONDS = 60.0

DUE = Script("timers_due")
DROP = Script("timer_drop")


@dataclass(frozen=True, slots=True)
class Due:
    incident: str
    name: str
    at_ms: int
    action: str
    """JSON."""


class Clock(Worker):
    """Dispatches the actions of due timers. Any number of clocks may run on one Redis.

    Due is decided by the clock of the Redis server, or by `now`.
    `wall` is the wall clock in seconds, as `time.time`.
    """

    def __init__(
        self,
        store: Store,
        dispatcher: Dispatcher,
        *,
        now: Callable[[], datetime] | None = None,
        wall: Callable[[], float] = time.time,
        clock_jumps: ClockJumps | None = None,
    ) -> None:
        self.counts: Counter[str] = Counter()
        """`fired`, `gone`, `refused`, `unknown`, `failed`, `aside`, since the start."""
        super().__init__(log, "clock")
        self.swept_at = 0.0
        """Monotonic seconds of the last sweep that reached Redis."""
        self.job: Job | None = None
        self._store = store
        self._dispatcher = dispatcher
        self._now = now
        self._wall = wall
        self._clock_jumps = clock_jumps or ClockJumps()
        self._later: dict[tuple[str, str, int], tuple[float, float]] = {}
        """Timers whose action failed here: not before, and the wait after that (monotonic)."""

    async def run(self) -> None:
        """Sweeps every 250 ms until cancelled."""
        for name in ("apscheduler.scheduler", "apscheduler.executors.default"):
            logging.getLogger(name).setLevel(logging.ERROR)  # each run is an INFO line otherwise
        scheduler = AsyncIOScheduler(timezone=UTC, event_loop=asyncio.get_running_loop())
        self.job = scheduler.add_job(
            self.sweep,
            "interval",
            seconds=SWEEP_SECONDS,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
        )
        scheduler.start()
        try:
            await self._watch_wall_clock(self.job)
        finally:
            scheduler.shutdown(wait=False)
            await asyncio.sleep(0)  # it shuts down in the loop's next turn
            self.running = False

    async def sweep(self) -> None:
        """Says what is due, once."""
        with self.turn():
            more = True
            while more:
                due = await self._due_timers()
                self.swept_at = time.monotonic()
                # Each clock in an order of its own: two in the same order do half of it twice.
                random.shuffle(due)
                more = await self._fire_all(due) and len(due) == AT_MOST

    async def _due_timers(self) -> list[Due]:
        """Return what is due by the clock of Redis, which may have been set back meanwhile."""
        at = to_ms(self._now()) if self._now else None
        while True:
            was_set_back, clock, *flat = await self._store.run(
                DUE, at=at, limit=AT_MOST, least=round(LEAST_SECONDS * 1000)
            )
            if at is None:
                self._clock_jumps.note_redis_time(int(clock) / 1000)
            if not was_set_back:
                return _timers(flat)
            seconds, _ = await set_back(self._store)
            if seconds:
                log.warning(
                    "the clock of Redis was set back by %.1f s: what waits was moved with it",
                    seconds,
                )

    async def _fire_all(self, due: Sequence[Due]) -> bool:
        """Fire `AT_ONCE` at a time; return whether any was dealt with."""
        left, dealt = iter(due), 0

        async def fire() -> None:
            nonlocal dealt
            for timer in left:
                dealt += await self._fire(timer)

        await asyncio.gather(*(fire() for _ in range(min(AT_ONCE, len(due)))))
        return dealt > 0

    async def _fire(self, due: Due) -> bool:
        """Dispatch a timer; return whether it was dealt with, here or elsewhere."""
        key = (due.incident, due.name, due.at_ms)
        not_before, wait = self._later.get(key, (0.0, SWEEP_SECONDS))
        if time.monotonic() < not_before:
            return False
        try:
            action = ACTION.validate_json(due.action)
        except ValidationError as error:
            await self._set_aside(
                due, f"{error.error_count()} fields do not fit any action of this version"
            )
            return True
        try:
            answer = await self._dispatcher.dispatch(
                action, due.incident, TimerDue(due.incident, due.name, due.at_ms)
            )
        # A rule that fails: the timer stays, and is tried less and less often.
        except Exception as error:  # noqa: BLE001
            log_crash(log, f"timer {due.name} of {due.incident} failed", error, **_log_fields(due))
            self.counts["failed"] += 1
            wait = min(LONGEST_WAIT_SECONDS, wait * 2)
            self._later[key] = (time.monotonic() + wait, wait)
            return False
        self._later.pop(key, None)
        match answer:
            case Recorded(again=again):
                self.counts["gone" if again else "fired"] += 1
            case Refused(code="version", text=text):
                await self._set_aside(due, text)
            case Refused():
                self.counts["refused"] += 1
                log.warning(
                    "timer %s of %s refused (%s): %s",
                    due.name,
                    due.incident,
                    answer.code,
                    answer.text,
                    extra=_log_fields(due),
                )
                await self._drop(due)
            case Unknown():
                self.counts["unknown"] += 1  # it stays; the next sweep says it again
                return False
        return True

    async def _set_aside(self, due: Due, reason: str) -> None:
        """Keep the timer for another version, then drop it: it may be there twice, never not."""
        self.counts["aside"] += 1
        log.error(
            "timer %s of %s set aside: %s", due.name, due.incident, reason, extra=_log_fields(due)
        )
        await add_timer_letter(
            self._store,
            incident=due.incident,
            name=due.name,
            reason=reason,
            action=due.action,
            at_ms=due.at_ms,
        )
        await self._drop(due)

    async def _drop(self, due: Due) -> None:
        await self._store.run(DROP, member=member(due.incident, due.name), at=due.at_ms)

    async def _watch_wall_clock(self, job: Job) -> None:
        """APScheduler's trigger lives on the wall clock: set back by an hour, it would sleep."""
        monotonic, wall = time.monotonic(), self._wall()
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            passed, shown = time.monotonic() - monotonic, self._wall() - wall
            monotonic, wall = monotonic + passed, wall + shown
            self._clock_jumps.notice()
            if abs(passed - shown) > PARTED_SECONDS:
                log.warning("the wall clock was set by %+.1f s", shown - passed)
                job.modify(next_run_time=datetime.now(UTC))


def _timers(flat: Sequence[Any]) -> list[Due]:
    timers: list[Due] = []
    for name, at, action in zip(flat[::3], flat[1::3], flat[2::3], strict=True):
        incident, _, timer = name.partition("|")
        timers.append(Due(incident, timer, int(at), action))
    return timers


def _log_fields(due: Due) -> dict[str, str]:
    """Fields of a log line about one timer."""
    return {"incident": due.incident, "timer": due.name}
