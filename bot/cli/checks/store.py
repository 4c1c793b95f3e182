"""The store: Redis does all that the bot asks of it, what it survives, what was set aside."""

import fcntl
import os
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from bot.cli.checks import Finding, broken, unproven, works
from bot.cli.checks.durability import fsync_of, survives, without_info
from bot.config.settings import Settings
from bot.connection.client import StoreError, store_errors
from bot.connection.cluster import PrimaryPool
from bot.connection.embedded import ValkeyError, embedded
from bot.connection.errors import CLUSTER
from bot.outbox.dead_letters import dead_letter_count, dead_letters
from bot.self_test import (
    MEND_EVICTION,
    diagnose,
    eviction_policy,
    slow_store,
    try_everything,
    version_of,
)
from bot.store.incident_store import Store

SHOWN = 10
MEND_ASIDE = (
    "written by another version of the bot: run the newest one, which takes it up by itself; "
    "if this is the newest, do it by hand"
)
MEND_RECORDS = (
    "written by another version of the bot: run the newest one; "
    "until then nothing can be said to them here"
)
MEND_FOLDER = "DATA_DIR: choose a folder that is kept and can be written"
MEND_LAX = "REDIS_WAIT_REPLICAS=1 asks for the same and holds everywhere; or use a newer Redis"
MEND_ALONE = "give that primary a replica, on another machine"
PAGE = 500
HOLDS_SCRIPTS = (6, 2, 14)
"""The oldest version, of those that were tried, that holds scripts to min-replicas-to-write.

6.2.5 does not.
"""
WORKS = "commits, effects, timers and claims were tried on it"


async def store(settings: Settings, stack: AsyncExitStack) -> list[Finding]:
    if settings.redis_url is not None:
        url, name = settings.redis_url.get_secret_value(), "Redis"
    else:
        assert settings.data_dir is not None  # settings: one of the two is required
        folder, name = settings.data_dir, "Embedded Valkey"
        if _in_use(folder):
            says = f"{folder} is in use: the bot runs on it (stop it to see what was set aside)"
            return [works(name, says)]
        try:
            url = await stack.enter_async_context(embedded(folder))
        except ValkeyError as error:
            return [broken(name, str(error), MEND_FOLDER)]
    opened = slow_store(url, wait_replicas=settings.redis_wait_replicas)
    stack.push_async_callback(opened.close)
    try:
        await try_everything(opened)
        letters = await _letters(opened)
        records = await _records(opened)
    except StoreError as error:
        trouble = await diagnose(url, opened, error)
        return [broken(name, f"{trouble.says}.", trouble.mend)]
    server = await _server(opened, name, settings.redis_wait_replicas)
    return [*server, *_of_cluster(opened), records, *letters]


def _of_cluster(opened: Store) -> list[Finding]:
    """Return which node of a cluster has the bot's keys, as the cluster itself said."""
    pool = opened.redis.connection_pool
    if not isinstance(pool, PrimaryPool) or pool.slot.primary is None:
        return []
    host, port = pool.slot.primary
    says = f"slot {pool.slot.number} has every key of the bot, and {host}:{port} serves it"
    if not pool.slot.replicas:
        return [
            unproven(
                "Cluster",
                f"{says}, without a replica: if it is lost, the bot stands still",
                MEND_ALONE,
            )
        ]
    return [works("Cluster", f"{says}; replicas: {pool.slot.replicas}")]


async def _letters(opened: Store) -> list[Finding]:
    """Return the newest effects that were set aside, with the advice under the last of them."""
    count, letters = await dead_letter_count(opened), (await dead_letters(opened))[:SHOWN]
    if not count:
        return [works("Outbox", "nothing was set aside")]
    advice = f"{count} in all: {MEND_ASIDE}" if count > SHOWN else MEND_ASIDE
    return [
        unproven(
            "Outbox",
            f"set aside {letter.at:%Y-%m-%d %H:%M} UTC: "
            f"{letter.effect_id} of {letter.incident}: {letter.reason}",
            advice if letter is letters[-1] else "",
        )
        for letter in letters
    ]


async def _server(opened: Store, name: str, wait_replicas: int) -> list[Finding]:
    """Return what INFO and CONFIG say.

    The bot needs neither: it does all the same with a user without them, or on a managed Redis.
    """
    try:
        with store_errors():
            info: dict[str, Any] = await opened.redis.info()
    except StoreError as error:
        return [works(name, WORKS), *without_info(error.text, wait_replicas)]
    version = info.get("valkey_version") or info.get("redis_version", "?")
    findings = [works(name, f"{WORKS} (version {version})")]
    if policy := eviction_policy(info):
        says = f"throws keys away when it is full (maxmemory-policy {policy})."
        findings.append(broken(name, says, MEND_EVICTION))
    if int(info.get("cluster_enabled") or 0) and not _of_cluster(opened):
        says = (
            "is one node of a cluster: where its slots move or it fails over, the bot stands still"
        )
        findings.append(unproven(name, says, CLUSTER))
    limited = "min_slaves_good_slaves" in info  # only where min-replicas-to-write is set
    if limited and () < version_of(info) < HOLDS_SCRIPTS:
        says = (
            "this version does not hold scripts, and so the bot's commits, to min-replicas-to-write"
        )
        findings.append(unproven(name, says, MEND_LAX))
    return [*findings, survives(info, await fsync_of(opened.redis), wait_replicas)]


async def _records(opened: Store) -> Finding:
    """Check that this version can read every incident."""
    ids = await opened.ids("all")
    for at in range(0, len(ids), PAGE):
        await opened.get(ids[at : at + PAGE])
    unreadable = [id for id in ids if id in opened.unreadable]
    if not unreadable:
        return works("Incidents", f"{len(ids)}, all of them readable")
    more = f" and {len(unreadable) - SHOWN} more" if len(unreadable) > SHOWN else ""
    says = f"cannot be read by this version: {', '.join(unreadable[:SHOWN])}{more}."
    return broken("Incidents", says, MEND_RECORDS)


def _in_use(folder: Path) -> bool:
    """Say whether a bot runs on the folder: then its server holds the lock."""
    try:
        lock = os.open(folder / "valkey.lock", os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False
