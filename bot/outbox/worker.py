"""The worker of the outbox: performs effects at least once, and reports how each one ended."""

import asyncio
import logging
import os
import random
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from uuid import uuid4

from pydantic import ValidationError
from redis.asyncio import Redis

from bot.connection.client import StoreError, connect
from bot.outbox.dead_letters import take_up
from bot.outbox.stream import PendingEntry, Queue
from bot.outbox.turns import SystemTurns, decides
from bot.runtime.backoff import patient
from bot.runtime.clock_jump import passed
from bot.runtime.worker import Worker, end_if_cancelled, log_crash
from bot.store.commit import from_ms
from bot.store.incident_store import Store
from bot.store.job import Job, Performer
from handlers.dispatcher import Dispatcher, EffectEnded, Recorded, Unknown
from phases.messages.base import Action, Effect
from phases.messages.effects import EFFECT
from phases.messages.results import EffectFailed
from phases.ports.ports import PortError
from phases.shared.change import Refused

log = logging.getLogger(__name__)

# docs/code.md, "What makes it safe", 5
RENEW_SECONDS = 5.0
RECLAIM_SECONDS = 15.0
SURE = 2 / 3
"""Of `RECLAIM_SECONDS`: what was read or renewed within so long is surely still ours."""
PERFORM_SECONDS = 30.0
PATIENT_SECONDS = 20.0
"""Of them an effect may wait for systems that ask to slow down."""
FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 120.0
GIVE_UP_SECONDS = 15 * 60.0
CRASHES_MOST = 3
"""Tries of an effect whose performer fails in a way nobody thought of."""
DELIVERIES_MOST = 5
"""Workers that may die while they hold an entry, before it is taken for the reason."""
HELD_MOST = 200
BLOCK_SECONDS = 1.0
PROMOTE_SECONDS = 0.5
DRAIN_SECONDS = 5.0
CONSUMER_SECONDS = 300.0
TAKE_UP_SECONDS = 60.0
"""Between two looks at the dead letters.

An older replica may set an effect aside once more until it is replaced.
"""


class Outbox:
    """Runs effects until it is cancelled.

    `performers` go by the effect's type. `url` is where the store lives: reading blocks, so it has
    a client of its own. `alone` says that nobody else uses this Redis (the embedded one): what is
    held at the start belonged to a bot that is dead, and is taken over at once.
    """

    def __init__(
        self,
        store: Store,
        dispatcher: Dispatcher,
        performers: Mapping[str, Performer],
        turns: SystemTurns,
        *,
        url: str,
        alone: bool = False,
    ) -> None:
        self.counts: Counter[str] = Counter()
        """`done`, `again`, `refused`, `retried`, `failed`, `crashed`, `aside`, since the start."""
        self.ended: Counter[tuple[str, str]] = Counter()
        """The same by the effect's type: (type, result)."""
        self.running = False
        self._store = store
        self._dispatcher = dispatcher
        self._performers = performers
        self._turns = turns
        self._url = url
        self._alone = alone
        self.consumer = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        self._queue = Queue(store, self.consumer)
        self._held: dict[str, asyncio.Task[None]] = {}
        self._sure: dict[str, float] = {}
        """Entry → when it was surely ours, in seconds that go on while the machine sleeps."""
        self._room = asyncio.Event()
        self._put_off = asyncio.Event()

    async def run(self) -> None:
        """Run until cancelled. Running effects may then finish for 5 s; the rest is handed back."""
        blocking = connect(self._url, read_seconds=BLOCK_SECONDS + 2, connections=2)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(blocking.connection_pool.disconnect)
            stack.push_async_callback(self._drain)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._forever("read", lambda: self._read_stream(blocking)))
                group.create_task(self._forever("renew", self._renew))
                group.create_task(self._forever("reclaim", self._reclaim))
                group.create_task(self._forever("promote", self._promote))
                group.create_task(self._forever("take up", self._take_up))

    # --- loops ------------------------------------------------------------------------------------

    async def _forever(self, what: str, body: Callable[[], Awaitable[None]]) -> None:
        loop = Worker(log, f"outbox, {what}")
        while True:
            with loop.turn():
                await body()
            self.running = loop.running
            if not loop.running:
                await asyncio.sleep(random.uniform(0.3, 1))

    async def _read_stream(self, blocking: Redis) -> None:
        while len(self._held) >= HELD_MOST:
            self._room.clear()
            await self._room.wait()
        # The first read, and one after trouble, waits for nothing: /readyz waits for its end.
        wait_ms = round(BLOCK_SECONDS * 1000) if self.running else 1
        asked = passed()
        for held in await self._queue.read(blocking, min(50, HELD_MOST - len(self._held)), wait_ms):
            self._start(held, asked)

    async def _renew(self) -> None:
        await asyncio.sleep(RENEW_SECONDS)
        if self._held:
            await self._renew_ours(list(self._held))

    async def _reclaim(self) -> None:
        await self._queue.ensure_group()
        idle = 0 if self._alone else round(RECLAIM_SECONDS * 1000)
        asked = passed()
        for held in await self._queue.reclaim(idle):
            self._start(held, asked)
        self._alone = False
        await self._queue.forget_consumers(CONSUMER_SECONDS)
        await asyncio.sleep(RENEW_SECONDS)

    async def _promote(self) -> None:
        next_one = await self._queue.promote()
        wait = PROMOTE_SECONDS if next_one is None else min(PROMOTE_SECONDS, next_one + 0.005)
        with suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self._put_off.wait()
        self._put_off.clear()

    async def _take_up(self) -> None:
        await take_up(self._store)
        await asyncio.sleep(TAKE_UP_SECONDS)

    def _start(self, held: PendingEntry, asked: float) -> None:
        self._sure[held.entry] = asked
        if held.entry in self._held:  # our own, reclaimed after this process stood still
            return
        task = asyncio.create_task(self._run_entry(held), name=f"effect {held.fields.get('id')}")
        self._held[held.entry] = task

    async def _renew_ours(self, entries: list[str]) -> list[str]:
        """Renew the entries that are still ours, and return them."""
        asked = passed()
        ours = await self._queue.renew(entries)
        self._sure.update({entry: asked for entry in ours if entry in self._held})
        return ours

    async def _drain(self) -> None:
        self.running = False
        tasks = list(self._held.values())
        if tasks:
            await asyncio.wait(tasks, timeout=DRAIN_SECONDS)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=DRAIN_SECONDS)
        try:
            if handed := await self._queue.hand_back():
                log.warning("outbox: %s effects handed back unfinished", handed)
        except StoreError as error:
            log.warning(
                "outbox: nothing handed back, it is reclaimed after %s s: %s",
                RECLAIM_SECONDS,
                error.text,
            )

    # --- one effect -------------------------------------------------------------------------------

    async def _run_entry(self, held: PendingEntry) -> None:
        pending = held
        try:
            while True:
                try:
                    await self._perform(pending)
                    return
                except StoreError as error:
                    end_if_cancelled()
                    log.error(
                        "outbox: effect %s waits for Redis: %s", held.fields.get("id"), error.text
                    )
                    await asyncio.sleep(random.uniform(0.5, 2))
                    # It may have been done by then, and only not be known.
                    pending = pending.again()
        finally:
            self._held.pop(held.entry, None)
            self._sure.pop(held.entry, None)
            self._room.set()

    async def _perform(self, held: PendingEntry) -> None:
        decoded = _decode(held)
        if isinstance(decoded, str):
            self._count("unknown", "aside")
            log.error(
                "outbox: entry %s (%s) set aside: %s", held.entry, held.fields.get("id"), decoded
            )
            await self._queue.set_aside(held.entry, decoded)
            return
        effect, job = decoded
        performer = self._performers.get(effect.type)
        if performer is None:
            await self._fail(held, effect, job, "this bot cannot do that")
            return
        if held.deliveries > DELIVERIES_MOST:
            await self._fail(
                held, effect, job, f"the bot stopped {DELIVERIES_MOST} times while it did this"
            )
            return
        try:
            turns = self._turns.of(effect)
            async with turns.turn(first=decides(effect)):
                # After standing still (a machine asleep, a long wait without Redis) the effect may
                # be another worker's. Begun here as well it would be done twice: a first try does
                # not look for what is done.
                doubted = passed() - self._sure[held.entry] > SURE * RECLAIM_SECONDS
                if doubted and not await self._renew_ours([held.entry]):
                    text = "effect %s was taken over by another worker"
                    log.warning(text, job.effect_id, extra=_log_fields(held))
                    return
                with patient(PATIENT_SECONDS):
                    async with asyncio.timeout(PERFORM_SECONDS):
                        action = await performer(effect, job)
        except PortError as error:
            await self._not_done(held, effect, job, error.text, error.retryable, error.retry_after)
        except TimeoutError:
            await self._not_done(
                held, effect, job, f"not done within {PERFORM_SECONDS:.0f} s", True, None
            )
        except Exception as error:  # noqa: BLE001  whatever it is, the effect must end, and does
            await self._crashed(held, effect, job, error)
        else:
            await self._commit_result(held, effect, job, action)

    async def _commit_result(
        self, held: PendingEntry, effect: Effect, job: Job, action: Action
    ) -> None:
        try:
            answer = await self._dispatch_result(action, job, held)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001  a rule that fails on this result
            await self._crashed(held, effect, job, error)
            return
        match answer:
            case Recorded(again=again):
                self._count(effect.type, "again" if again else "done")
            case Refused(code="taken"):
                # What it chose belongs to another by now: it has to choose again.
                await self._not_done(held, effect, job, answer.text, True, None)
            case Refused(code="version", text=text):
                await self._set_aside(held, effect, text)
            case Refused():
                self._count(effect.type, "refused")
                log.warning(
                    "%s: %s of effect %s refused (%s): %s",
                    job.incident,
                    action.type,
                    job.effect_id,
                    answer.code,
                    answer.text,
                    extra=_log_fields(held),
                )
                await self._queue.ack(held.entry)

    async def _not_done(
        self,
        held: PendingEntry,
        effect: Effect,
        job: Job,
        reason: str,
        retryable: bool,
        retry_after: float | None,
    ) -> None:
        if retryable:
            wait = max(_backoff(job.attempt), retry_after or 0)
            if await self._queue.retry(held.entry, wait, limit=GIVE_UP_SECONDS) != "over":
                self._count(effect.type, "retried")
                self._put_off.set()
                log.info(
                    "effect %s (%s) again in %.1f s: %s",
                    job.effect_id,
                    effect.type,
                    wait,
                    reason,
                    extra=_log_fields(held),
                )
                return
        await self._fail(held, effect, job, reason)

    async def _crashed(
        self, held: PendingEntry, effect: Effect, job: Job, error: Exception
    ) -> None:
        log_crash(log, f"effect {job.effect_id} ({effect.type}) failed", error, **_log_fields(held))
        self._count(effect.type, "crashed")
        if held.crashes + 1 < CRASHES_MOST:
            again = await self._queue.retry(
                held.entry, _backoff(job.attempt), limit=GIVE_UP_SECONDS, crashed=True
            )
            if again != "over":
                self._put_off.set()
                return
        await self._fail(
            held, effect, job, f"the bot failed ({type(error).__name__}); its log says where"
        )

    async def _fail(self, held: PendingEntry, effect: Effect, job: Job, reason: str) -> None:
        self._count(effect.type, "failed")
        log.warning(
            "effect %s (%s) failed: %s", job.effect_id, effect.type, reason, extra=_log_fields(held)
        )
        failed = EffectFailed(
            effect_id=job.effect_id,
            kind=effect.type,
            reason=reason,
            effect=held.fields["effect"],
            at=datetime.now(UTC),
            wanted_at=job.created,
        )
        try:
            answer = await self._dispatch_result(failed, job, held)
        except StoreError:
            raise
        # A rule that fails on failures: the entry is kept where people see it.
        except Exception as error:  # noqa: BLE001
            log.error(
                "%s: failure of %s could not be recorded: %s",
                job.incident,
                job.effect_id,
                type(error).__name__,
                extra=_log_fields(held),
            )
            self._count(effect.type, "aside")
            await self._queue.set_aside(
                held.entry, f"its failure could not be recorded ({type(error).__name__})"
            )
            return
        if isinstance(answer, Refused) and answer.code == "version":
            await self._set_aside(held, effect, answer.text)
        elif isinstance(answer, Refused):
            log.warning(
                "%s: failure of effect %s refused: %s",
                job.incident,
                job.effect_id,
                answer.text,
                extra=_log_fields(held),
            )
            await self._queue.ack(held.entry)

    async def _set_aside(self, held: PendingEntry, effect: Effect, reason: str) -> None:
        """Its incident's record is another version's: what it wants is kept for that one."""
        self._count(effect.type, "aside")
        log.error(
            "outbox: effect %s (%s) set aside: %s", held.fields.get("id"), effect.type, reason
        )
        await self._queue.set_aside(held.entry, reason)

    def _count(self, kind: str, result: str) -> None:
        self.counts[result] += 1
        self.ended[kind, result] += 1

    async def _dispatch_result(
        self, action: Action, job: Job, held: PendingEntry
    ) -> Recorded | Refused:
        """Says it until it is answered: the effect is done, and only its result may be missing."""
        pause = 0.2
        while True:
            answer = await self._dispatcher.dispatch(action, job.incident, EffectEnded(held.entry))
            if not isinstance(answer, Unknown):
                return answer
            end_if_cancelled()
            await asyncio.sleep(random.uniform(0.5, 1) * pause)
            pause = min(pause * 2, 5)


def _decode(held: PendingEntry) -> tuple[Effect, Job] | str:
    """The effect and its job, or why it cannot be read."""
    try:
        effect = EFFECT.validate_json(held.fields["effect"])
        created = from_ms(int(held.fields["created"]))
        whose, id = held.fields["incident"], held.fields["id"]
        return effect, Job(whose, id, created, held.attempt, effect.wanted_as)
    except KeyError as error:
        return f"field {error} is missing"
    except ValidationError as error:
        return f"{error.error_count()} fields do not fit any effect of this version"
    except ValueError:
        return "a number is no number"


def _backoff(attempt: int) -> float:
    """Seconds before the next try: 1, 2, 4 … 120, a little scattered."""
    return min(
        LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2 ** min(attempt - 1, 10)
    ) * random.uniform(0.9, 1.1)


def _log_fields(held: PendingEntry) -> dict[str, str]:
    """Fields of a log line about one effect: whose it is, and which delivery of it."""
    return {"incident": held.fields["incident"], "entry": held.entry}
