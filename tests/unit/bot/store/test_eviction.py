"""A Redis that drops keys when it is full.

It is refused if it may drop any key, and warned about loudly if it may drop some.
"""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from bot.self_test import CannotUse, check_eviction
from bot.store.incident_store import Store
from tests.chaos.store import Server
from tests.support.bots.forked import firebreak

ANY = ("allkeys-lru", "allkeys-random")


@pytest.mark.parametrize(("memory", "policy"), [("0", "allkeys-lru"), ("100mb", "noeviction")])
async def test_what_keeps_everything_is_taken(
    store: Store, memory: str, policy: str, caplog: pytest.LogCaptureFixture
):
    await _set(store, memory, policy)
    try:
        await check_eviction(store.redis)
    finally:
        await _set(store, "0", "noeviction")
    assert caplog.text == ""


@pytest.mark.parametrize("policy", ANY)
async def test_what_may_lose_any_key_is_refused_with_how_to_mend_it(store: Store, policy: str):
    await _set(store, "100mb", policy)
    try:
        with pytest.raises(CannotUse, match=f"{policy}.*noeviction"):
            await check_eviction(store.redis)
    finally:
        await _set(store, "0", "noeviction")


async def test_what_may_lose_what_ends_by_itself_is_said_in_the_log(
    store: Store, caplog: pytest.LogCaptureFixture
):
    await _set(store, "100mb", "volatile-lru")
    try:
        await check_eviction(store.redis)
    finally:
        await _set(store, "0", "noeviction")
    assert [record.levelno for record in caplog.records] == [logging.CRITICAL]
    assert "noeviction" in caplog.text


async def test_the_bot_does_not_start_on_it_and_says_why(tmp_path: Path):
    server = Server(tmp_path)
    try:
        await server.up()
        store = Store.open(server.url)
        await _set(store, "100mb", "allkeys-lru")
        await store.close()
        env = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_SIGNING_SECRET": "s", "REDIS_URL": server.url}
        code, _, complained = await firebreak("serve", env=env, cwd=tmp_path)
    finally:
        server.kill()
    assert code == 1
    assert "maxmemory-policy allkeys-lru" in complained
    assert "Traceback" not in complained


async def _set(store: Store, memory: str, policy: str) -> None:
    await store.redis.config_set("maxmemory-policy", policy)
    await store.redis.config_set("maxmemory", memory)
