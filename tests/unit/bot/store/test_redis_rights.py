"""The least rights of docs/operations.md are enough for the bot.

A missing one is named before anything is half written.
"""

from __future__ import annotations

import io
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bot.cli.checks import Finding
from bot.cli.checks.store import store as look_at_store
from bot.cli.export import export
from bot.cli.forget import FORGET, forget
from bot.config.settings import load
from bot.self_test import CannotUse, check_at_start
from bot.store.incident_store import Store
from tests.support.redis.redis_rights import besides, least
from tests.support.redis.scripts import scripts
from tests.support.redis.servers import Served, installed_servers, served
from tests.support.redis.stores import commit, new

CALLED = re.compile(r"redis\.p?call\('([A-Z]+)'(?:, '([A-Z]+)')?")
WITH_PARTS = ("XGROUP", "XINFO")


def used(script: str) -> set[str]:
    """The commands that a script calls, as rights."""
    calls = {
        (command, part if command in WITH_PARTS else "") for command, part in CALLED.findall(script)
    }
    return {f"+{command.lower()}" + (f"|{part.lower()}" if part else "") for command, part in calls}


def test_every_command_of_every_script_is_in_the_docs() -> None:
    everyday = {
        right for script in scripts() if script is not FORGET for right in used(script.text)
    }
    assert everyday <= set(least())
    assert used(FORGET.text) <= set(least()) | besides()


@pytest.fixture(params=installed_servers(), ids=lambda binary: binary.name)
async def server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path / "data", binary=request.param) as instance:
        if await instance.version() < (6, 2):
            pytest.skip("older than 6.2")
        await instance.ask("ACL", "SETUSER", "firebreak", *least())
        yield instance


def url(server: Served) -> str:
    return f"redis://firebreak:p%2Fw@127.0.0.1:{server.port}"


async def doctor(server: Served) -> list[Finding]:
    async with AsyncExitStack() as stack:
        given = load(slack_bot_token="xoxb-1", slack_signing_secret="s", redis_url=url(server))
        return await look_at_store(given, stack)


async def test_they_are_enough_and_info_is_not_needed(server: Served) -> None:
    await check_at_start(url(server))
    findings = await doctor(server)
    assert {row.state for row in findings} == {"works", "unproven"}
    unknown = {row.what: row for row in findings if row.state == "unproven"}
    assert set(unknown) == {"An acknowledged click", "Memory of Redis"}
    for finding in unknown.values():
        assert "run INFO" in finding.says
        assert finding.mend.startswith("look by hand: ")
    store = Store.open(url(server))
    assert await export(store, [], None, None, private=True, out=io.StringIO()) == 0
    await store.close()
    await server.ask("ACL", "SETUSER", "firebreak", "+info", "+config|get")
    assert {row.state for row in await doctor(server)} <= {"works", "unproven"}


@pytest.mark.parametrize(
    ("withheld", "named"),
    [
        (("CONFIG",), {"An acknowledged click"}),
        (("CONFIG", "INFO"), {"An acknowledged click", "Memory of Redis"}),
    ],
)
async def test_a_managed_redis_withholds_what_is_an_administrators(
    tmp_path: Path, withheld: tuple[str, ...], named: set[str]
) -> None:
    """A renamed command is answered like those that managed services do not have."""
    options = [
        w for command in (*withheld, "BGREWRITEAOF") for w in ("--rename-command", command, "")
    ]
    async with served(tmp_path / "data", "--appendonly", "yes", *options) as redis:
        await check_at_start(redis.tcp)
        async with AsyncExitStack() as stack:
            given = load(slack_bot_token="xoxb-1", slack_signing_secret="s", redis_url=redis.tcp)
            findings = await look_at_store(given, stack)
        unknown = {finding.what: finding for finding in findings if finding.state != "works"}
        assert set(unknown) == named
        assert all(finding.mend.startswith("look by hand: ") for finding in unknown.values())
        store, output = Store.open(redis.tcp), io.StringIO()
        await commit(store, new().note("note", "<@U0ALICE> looks"))
        assert await forget(store, "U0ALICE", [], output) == 0
        assert "is forgotten here" in output.getvalue()
        assert "did not write its log anew" in output.getvalue()
        await store.close()


async def test_each_of_them_is_needed(server: Served) -> None:
    """Rights that cannot be missed for a moment: without any of them doctor complains.

    The rest serves a clock that is set back, and the times of the last webhooks
    (bot/store/webhook_log.py).
    """
    later = ("+zincrby", "+zrangebyscore", "+hsetnx", "+hincrby")
    for right in least():
        if not right.startswith("+") or right in later:
            continue
        others = [other for other in least() if other != right]
        await server.ask("ACL", "SETUSER", "firebreak", "reset", *others)
        broken = [finding for finding in await doctor(server) if finding.state == "broken"]
        assert broken, right
        assert "does not let this user run" in broken[0].says
        assert "Rights in Redis" in broken[0].mend


@pytest.mark.parametrize(
    ("taken", "says"),
    [
        ("-@scripting", "run EVALSHA"),
        ("-xadd", "does not let this user run"),
        ("-rpush", "does not let this user run"),
        ("-xreadgroup", "run XREADGROUP"),
        ("resetkeys", "touch the bot's keys"),
    ],
)
async def test_a_bot_does_not_start_without_them_and_leaves_nothing(
    server: Served, taken: str, says: str
) -> None:
    await server.ask("ACL", "SETUSER", "firebreak", taken)
    with pytest.raises(CannotUse, match=says) as refused:
        await check_at_start(url(server))
    assert "Rights in Redis" in str(refused.value)
    assert await server.ask("DBSIZE") == 0
