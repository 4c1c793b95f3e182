"""The store: Redis does all that the bot asks of it, what it survives, and what was set aside in it."""

from __future__ import annotations

import fcntl
import os
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from bot.cli.checks import Finding, broken, works
from bot.cli.checks.durability import NAME, fsync_of, promise
from bot.config.catalogue import Catalogue
from bot.config.settings import Settings
from bot.outbox.dead_letters import dead_letter_count, dead_letters
from bot.self_test import (
    MEND_EVICTION,
    diagnose,
    eviction_policy,
    slow_store,
    try_everything,
    version_of,
)
from bot.store.embedded import ValkeyError, embedded
from bot.store.incident_store import Store
from bot.store.redis import StoreError, store_errors

SHOWN = 10
MEND_ASIDE = "written by another version of the bot: run the newest one, which takes it up by itself; if this is the newest, do it by hand"
MEND_RECORDS = "written by another version of the bot: run the newest one; until then nothing can be said to them here"
PAGE = 500
HOLDS_SCRIPTS = (6, 2, 14)
"""From here on (of the versions that were tried; 6.2.5 does not) a script is held to min-replicas-to-write."""
MEND_LAX = "REDIS_WAIT_REPLICAS=1 asks for the same and holds everywhere; or use a newer Redis"
WORKS = "commits, effects, timers and claims were tried on it"


async def store(settings: Settings, catalogue: Catalogue, stack: AsyncExitStack) -> list[Finding]:
    del catalogue
    if settings.redis_url is not None:
        url, name = settings.redis_url.get_secret_value(), "Redis"
    else:
        assert settings.data_dir is not None  # settings: one of the two is required
        name, mend = "Embedded Valkey", "DATA_DIR: choose a folder that is kept and can be written"
        if _held(settings.data_dir):
            return [
                works(
                    name,
                    f"{settings.data_dir} is in use: the bot runs on it (stop it to see what was set aside)",
                )
            ]
        try:
            url = await stack.enter_async_context(embedded(settings.data_dir))
        except ValkeyError as error:
            return [broken(name, str(error), mend)]
    opened = slow_store(url, wait_replicas=settings.redis_wait_replicas)
    stack.push_async_callback(opened.close)
    try:
        await try_everything(opened)
        count, newest = await dead_letter_count(opened), await dead_letters(opened)
        records = await _records(opened)
    except StoreError as error:
        trouble = await diagnose(url, opened, error)
        return [broken(name, f"{trouble.says}.", trouble.mend)]
    found = [*await _told_by_itself(opened, name, settings.redis_wait_replicas), *records]
    if not count:
        return [*found, works("Outbox", "nothing was set aside")]
    for one in newest[:SHOWN]:
        says = f"set aside {one.at:%Y-%m-%d %H:%M} UTC: {one.effect_id} of {one.incident}: {one.reason}"
        found.append(Finding("unproven", "Outbox", says))
    more = f"{count} in all: " if count > SHOWN else ""
    return [*found[:-1], Finding("unproven", "Outbox", found[-1].says, more + MEND_ASIDE)]


async def _told_by_itself(opened: Store, name: str, wait_replicas: int) -> list[Finding]:
    """What INFO and CONFIG say. The bot needs neither: a user without them, or a managed Redis, does all the same."""
    try:
        with store_errors():
            info: dict[str, Any] = await opened.redis.info()
    except StoreError as error:
        says = f"what a crash leaves, and whether keys are thrown away, is not told: {error.text}."
        return [works(name, WORKS), Finding("unproven", NAME, says, "let this user run INFO")]
    version = info.get("valkey_version") or info.get("redis_version", "?")
    found = [works(name, f"{WORKS} (version {version})")]
    if policy := eviction_policy(info):
        found.append(
            broken(
                name,
                f"throws keys away when it is full (maxmemory-policy {policy}).",
                MEND_EVICTION,
            )
        )
    if (
        "min_slaves_good_slaves" in info and (version_of(info) or HOLDS_SCRIPTS) < HOLDS_SCRIPTS
    ):  # told where min-replicas-to-write is set
        says = (
            "this version does not hold scripts, and so the bot's commits, to min-replicas-to-write"
        )
        found.append(Finding("unproven", name, says, MEND_LAX))
    return [*found, promise(info, await fsync_of(opened.redis), wait_replicas)]


async def _records(opened: Store) -> list[Finding]:
    """Whether this version can read every incident."""
    ids = await opened.ids("all")
    for at in range(0, len(ids), PAGE):
        await opened.get(ids[at : at + PAGE])
    bad = [id for id in ids if id in opened.unreadable]
    if not bad:
        return [works("Incidents", f"{len(ids)}, all of them readable")]
    more = f" and {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
    return [
        broken(
            "Incidents",
            f"cannot be read by this version: {', '.join(bad[:SHOWN])}{more}.",
            MEND_RECORDS,
        )
    ]


def _held(folder: Path) -> bool:
    """Whether a bot runs on this folder: its server holds the lock file (bot/store/embedded.py)."""
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
