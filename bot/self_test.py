"""The self-test: everything that the bot ever asks of Redis, once, on keys that are removed after.

A missing right shows only in the middle of a script, when half of it is written. The bot does not
start on such a Redis, and `firebreak doctor` says which right is missing. Nothing is guessed from
INFO, which a managed Redis may refuse or embellish.
"""

import asyncio
import logging
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from bot.config import redis_url
from bot.connection.client import (
    CONNECT_SECONDS,
    NotRecorded,
    StoreError,
    TooFewReplicas,
    connect,
    keys_under,
    store_errors,
)
from bot.connection.errors import (
    CLOSED,
    NEWEST,
    NO_CONNECTION,
    NO_SENTINEL,
    NO_TLS,
    ONLY_TLS,
    Trouble,
    trouble_of,
)
from bot.live.dirty_marks import DirtyMarks
from bot.live.edit_budget import EditBudget
from bot.metrics import what_stands
from bot.outbox.dead_letters import add_timer_letter, dead_letter_count, dead_letters, take_up
from bot.outbox.stream import PendingEntry, Queue
from bot.store.changes import Changes
from bot.store.clock_rewind import set_back
from bot.store.commit import member, to_ms
from bot.store.deploy_history import Deploys
from bot.store.dispatch_ledger import Dispatches
from bot.store.drafts import RedisDrafts
from bot.store.expiring_keys import ExpiringKeys
from bot.store.home_viewers import StoreViewers
from bot.store.incident_store import Already, Done, Loaded, Store
from bot.store.past_incidents import RedisMemory
from bot.store.short_records import KEEP, short_records
from bot.timers.scheduler import DROP, DUE
from handlers.dispatcher import Delivery, EffectEnded, TimerDue, Trigger
from phases.messages.actions import MeasureDue
from phases.messages.effects import ArchiveChannel, OpenChannel, SetTopic
from phases.postmortem.form_parts import Parts
from phases.record.findings import ChangeSeen, DeploySeen, Release
from phases.record.incident import Entry, Incident, Source, Status
from phases.record.memories import Question
from phases.shared.change import Draft

log = logging.getLogger("firebreak")

OLDEST = (6, 2)
MEND_EVICTION = "set maxmemory-policy noeviction: every key of the bot is needed"
WITHHELD = (
    "a command is renamed (rename-command) or withheld, "
    "by this Redis or by what stands before it: allow it"
)
READ_SECONDS = 5.0
ID, WHO, SERVICE = "INC-0001", "U0PROOF", "proof"
ULID = "01JNAAAAAAAAAAAAAAAAAAAAAA"


class CannotUse(Exception):
    """The bot cannot work on this Redis. The text says why, and how to mend it."""


class TooOld(NotRecorded):
    """Redis says itself that its version is too old."""


async def check_at_start(url: str, *, wait_replicas: int = 0) -> None:
    """Raise `CannotUse` where only another setting helps; trouble that may pass is logged."""
    store = slow_store(url, wait_replicas=wait_replicas)
    try:
        await _check_commits(url, store)
        await check_eviction(store.redis)
    finally:
        await store.close()


async def _check_commits(url: str, store: Store) -> None:
    try:
        await try_commits(store)
    except StoreError as error:
        trouble = await diagnose(url, store, error)
        if trouble.final:
            raise CannotUse(f"{trouble.says}. {trouble.mend}.") from error
        log.critical("nothing can be recorded now: %s. %s", trouble.says, trouble.mend)


def slow_store(url: str, *, wait_replicas: int = 0) -> Store:
    """Return a store with long limits, for commands that nobody in Slack waits for."""
    return Store(
        connect(url, read_seconds=READ_SECONDS, take_seconds=CONNECT_SECONDS),
        wait_replicas=wait_replicas,
    )


def eviction_policy(info: Mapping[str, Any]) -> str | None:
    """Return the policy by which this Redis would throw keys away when it is full; else None.

    `info` as redis-py parses INFO (https://redis.io/docs/latest/develop/reference/eviction/).
    Every key of the bot is needed: an incident, a claim, the record of a deploy.
    """
    policy = str(info.get("maxmemory_policy") or "noeviction")
    return policy if int(info.get("maxmemory") or 0) and policy != "noeviction" else None


async def check_eviction(redis: Redis) -> None:
    """Raise `CannotUse` where any key may be thrown away; log it where only expiring ones may.

    A Redis that cannot be asked now is not refused: the bot waits for it.
    """
    try:
        with store_errors():
            policy = eviction_policy(await redis.info("memory"))
    except StoreError:
        return
    if policy is None:
        return
    if not policy.startswith("volatile-"):
        raise CannotUse(
            "Redis throws any key away when it is full "
            f"(maxmemory-policy {policy}). Please {MEND_EVICTION}."
        )
    log.critical(
        "Redis throws keys away when it is full (maxmemory-policy %s): "
        "what was delivered twice may count twice then. Please %s.",
        policy,
        MEND_EVICTION,
    )


async def diagnose(url: str, store: Store, error: StoreError) -> Trouble:
    """Return the trouble behind an error.

    For an old Redis it names the version. For a connection that was cut or never came about it
    says whether TLS is why.
    """
    if isinstance(error, TooOld):
        return Trouble(error.text, NEWEST, final=True)
    if isinstance(error, TooFewReplicas):
        return Trouble(error.text, "start its replicas, or lower REDIS_WAIT_REPLICAS")
    trouble = trouble_of(error)
    if trouble in (CLOSED, NO_CONNECTION, NO_SENTINEL):
        return await _tls_trouble(redis_url.parsed(url)) or trouble
    if trouble.mend != NEWEST:
        return trouble
    server = await _server_info(store.redis)
    if "sentinel" in (server.get("redis_mode"), server.get("server_mode")):  # Redis, Valkey
        return Trouble(
            "What answers there is a sentinel",
            f"REDIS_URL: {redis_url.FORM['sentinel']}",
            final=True,
        )
    if not (version := server.get("redis_version")):
        return trouble
    mend = WITHHELD if version_of(server) >= OLDEST else NEWEST
    return Trouble(f"{trouble.says} (it is version {version})", mend, final=True)


async def _tls_trouble(at: redis_url.Address) -> Trouble | None:
    """Return the trouble where one side speaks TLS and the other does not.

    A TLS server cuts a plain connection, and a plain server waits for the rest of a TLS greeting:
    asked in the other way it answers.
    """
    if at.kind == "unix":
        return None
    for host, port in at.hosts:
        try:
            async with asyncio.timeout(READ_SECONDS):
                if await _answers(host, port, secure=not at.secure):
                    return NO_TLS if at.secure else ONLY_TLS
        except (OSError, ValueError):
            continue
    return None


async def _answers(host: str, port: int, *, secure: bool) -> bool:
    """Say whether a Redis answers there, with TLS or without."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # nothing secret is sent
    reader, writer = await asyncio.open_connection(host, port, ssl=context if secure else None)
    try:
        writer.write(b"PING\r\n")
        return secure or await reader.read(1) in (b"+", b"-")
    finally:
        writer.close()


async def try_commits(store: Store) -> None:
    """Try what must not fail in the middle: commits that use all that a commit can do.

    Raises `StoreError`, as does `try_everything`.
    """
    async with _scratch_store(store) as own:
        await _try_commits(own, Queue(own, SERVICE))


async def try_everything(store: Store) -> None:
    """Try all that the bot ever asks of Redis."""
    async with _scratch_store(store) as own:
        queue = Queue(own, SERVICE)
        held = await _try_commits(own, queue)
        await _try_outbox(own, queue, held)
        await _try_reads_and_keys(own)
        await _try_homes_and_edits(own)
        await _try_history(own)


@asynccontextmanager
async def _scratch_store(store: Store) -> AsyncIterator[Store]:
    """Give the same Redis under other keys with the same hash tag: the same rights allow them."""
    await _refuse_old(store)
    own = store.beside(f"proof:{uuid4().hex}")
    try:
        yield own
    except Exception:
        with suppress(StoreError):  # the first trouble is the one to tell
            await _remove(own)
        raise
    await _remove(own)


async def _remove(own: Store) -> None:
    keys = await keys_under(own.redis, own.keys.prefix)
    if keys:
        with store_errors():
            await own.redis.delete(*keys)


async def _refuse_old(store: Store) -> None:
    """Raise `TooOld` for a Redis that would fail in the middle of a script."""
    server = await _server_info(store.redis)
    if () < version_of(server) < OLDEST:
        raise TooOld(
            f"This Redis is too old: it is version {server['redis_version']}, and 6.2 is needed"
        )


def version_of(info: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the version that INFO names, empty where it names none.

    A Valkey names the Redis that it is like.
    """
    return tuple(int(part) for part in re.findall(r"\d+", str(info.get("redis_version") or "")))


async def _server_info(redis: Redis) -> dict[str, Any]:
    """Return what INFO says of the server; empty where the server refuses to say."""
    try:
        with store_errors():
            return dict(await redis.info("server"))
    except NotRecorded as error:
        if isinstance(error.__cause__, ResponseError):
            return {}
        raise


async def _try_commits(own: Store, queue: Queue) -> list[PendingEntry]:
    """Make three commits that use all of a commit; return the effects that are still held."""
    delivery = Delivery(("proof",))
    loaded = await own.load(None, delivery)
    await _commit(own, loaded, _opening(loaded.server_now), delivery)
    await queue.ensure_group()
    held = await queue.read(own.redis, 100, 1)
    if not held:
        raise NotRecorded("Redis keeps an effect and does not give it out again.")
    ended = EffectEnded(held[0].entry)
    loaded = await own.load(ID, ended)
    await _commit(own, loaded, _recovery(loaded), ended)
    later = loaded.server_now + timedelta(days=1)
    _, _, *due = await own.run(DUE, at=to_ms(later), limit=100)
    if not due:
        raise NotRecorded("Redis keeps a timer and does not give it out again.")
    incident, _, name = due[0].partition("|")
    rings = TimerDue(incident, name, int(due[1]))
    loaded = await own.load(ID, rings)
    await _commit(own, loaded, _cancellation(loaded), rings)
    return held[1:]


def _opening(now: datetime) -> Draft:
    incident = Incident(
        id=ID,
        number=1,
        ulid=ULID,
        title="proof",
        service=SERVICE,
        source=Source(kind="person", text="proof"),
        detected_at=now,
        declared_at=now,
    )
    draft = (
        Draft(incident, now)
        .note("declared", "proof", by=WHO)
        .want(OpenChannel(), SetTopic(), ArchiveChannel())
    )
    draft.claim("number:1").claim("open:proof:production").claim("echo:proof", seconds=60)
    return draft.timer("rings", 60, MeasureDue()).timer("waits", 60, MeasureDue())


def _recovery(loaded: Loaded) -> Draft:
    draft = _draft_of(loaded).set(recovered_at=loaded.server_now)
    return draft.enter(Entry(at=loaded.server_now, kind="note", text="proof", ref="message:1"))


def _cancellation(loaded: Loaded) -> Draft:
    draft = _draft_of(loaded).set(status=Status.CANCELLED, cancelled_at=loaded.server_now)
    draft.enter(Entry(at=loaded.server_now, kind="note", text="", hides="message:1"))
    return draft.cancel("rings", "waits").give_up_claim("open:proof:production").dirty("status")


def _draft_of(loaded: Loaded) -> Draft:
    if loaded.incident is None:
        raise NotRecorded("Redis keeps a record and does not give it out again.")
    return Draft(loaded.incident, loaded.server_now)


async def _commit(own: Store, loaded: Loaded, draft: Draft, trigger: Trigger) -> None:
    answer = await own.commit(uuid4().hex, loaded, draft.done(), trigger=trigger)
    if not isinstance(answer, Done | Already):  # Already: an earlier try, whose answer was lost
        raise NotRecorded(f"Redis took a commit and answered {type(answer).__name__}.")


async def _try_outbox(own: Store, queue: Queue, held: list[PendingEntry]) -> None:
    await add_timer_letter(
        own, incident=ID, name="proof", reason="proof", action='{"type":"measure_due"}'
    )
    for pending in held:
        await queue.renew([pending.entry])
    await queue.reclaim(0)
    for pending in held:
        await queue.retry(pending.entry, 0, limit=60)
    await queue.promote()
    for at, pending in enumerate(await queue.read(own.redis, 100, 1)):
        if at == 0:
            await queue.set_aside(pending.entry, "proof")
        elif at == 1:
            await queue.ack(pending.entry)
    await queue.hand_back()
    await queue.forget_consumers(0)
    await dead_letters(own)
    await dead_letter_count(own)
    await take_up(own)


async def _try_reads_and_keys(own: Store) -> None:
    """Try reads, timers, keys that expire, drafts, and the steps after a clock was set back."""
    now = await own.server_now()
    await own.get(await own.ids("all"))
    await own.ids("all", "open")
    await own.standing_in("all", f"service:{SERVICE}")
    await short_records(own, "open")
    await own.run(KEEP, incidents=[ID], versions=[0], records=[""])
    await own.timeline(ID)
    await own.owner("number:1")
    await own.changed()
    await own.copied()
    await own.run(DROP, member=member(ID, "proof"), at=to_ms(now))
    await set_back(own)
    await ExpiringKeys(own).first("proof", 60)
    drafts = RedisDrafts(own)
    await drafts.keep(ID, WHO, Parts(), now, writing=True)
    await drafts.of(ID)
    dispatches = Dispatches(own)
    await dispatches.first("proof")
    await dispatches.became("proof", 1)
    await dispatches.forget("proof")


async def _try_homes_and_edits(own: Store) -> None:
    viewers = StoreViewers(own)
    await viewers.opened(WHO, 60, 10)
    await viewers.to_draw()
    await viewers.drawn(WHO, "proof")
    await viewers.drawn(WHO, "")
    marks = DirtyMarks(own)
    newest, _ = await marks.since(0, 10)
    name = newest[0][0] if newest else member(ID, "status")
    begun = await marks.begin(name)
    if begun is not None:
        await marks.end(name, begun, clear=True, shows="proof")
    await marks.remember(name, "proof")
    budget = EditBudget(own)
    await budget.spend("status", "proof", changes=name)
    await budget.refused(1, "proof")
    await budget.strict()
    await what_stands(own)


async def _try_history(own: Store) -> None:
    now = await own.server_now()
    deploys = Deploys(own, watching=True)
    await deploys.record(_deploy(now), "production")
    await deploys.known(SERVICE)
    for watched in await deploys.watches():
        await deploys.ended(watched)
    changes = Changes(own)
    await changes.record(ChangeSeen(service=SERVICE, name="proof", at=now))
    await changes.known(SERVICE)
    memory = RedisMemory(own)
    await memory.recall(Question(service=SERVICE, before="INC-0002", since=now - timedelta(days=1)))
    await memory.newest(SERVICE, 1)
    await memory.since(now - timedelta(days=1))


def _deploy(now: datetime) -> DeploySeen:
    return DeploySeen(
        release=Release(version="1"),
        service=SERVICE,
        started_at=now,
        finished_at=now,
        source="webhook",
    )
