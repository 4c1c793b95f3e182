"""What `doctor`, the start of the bot and people are told of a Redis."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

import pytest

from bot.cli.checks import Finding
from bot.cli.checks.store import store as look_at_store
from bot.config.settings import load
from bot.self_test import CannotUse, check_at_start
from bot.store.incident_store import Store
from handlers.dispatcher import Unknown
from tests.support.worlds.small_world import declare, dispatcher


async def doctor(url: str, **more: Any) -> list[Finding]:
    async with AsyncExitStack() as stack:
        given = load(slack_bot_token="xoxb-1", slack_signing_secret="s", redis_url=url, **more)
        return await look_at_store(given, stack)


async def refused(url: str, says: str, mend: str = "") -> None:
    """`doctor` says it, the bot does not start, and whoever speaks is told."""
    [finding] = await doctor(url)
    assert finding.state == "broken"
    assert says in finding.says
    assert mend in finding.mend
    assert "hunter" not in f"{finding.says}{finding.mend}"
    with pytest.raises(CannotUse, match=says):
        await check_at_start(url)
    await nothing_recorded(url, says)


async def nothing_recorded(url: str, says: str) -> None:
    store = Store.open(url)
    answer = await dispatcher(store).dispatch(declare(), None)
    await store.close()
    assert isinstance(answer, Unknown)
    assert says in answer.text
    assert "Nothing was recorded" in answer.text


async def waited_for(url: str, says: str, caplog: pytest.LogCaptureFixture) -> None:
    """`doctor` says it, the log does, and the bot starts: it may pass."""
    [finding] = await doctor(url)
    assert finding.state == "broken"
    assert says in finding.says
    await check_at_start(url)
    assert says in caplog.text
    await nothing_recorded(url, says)
