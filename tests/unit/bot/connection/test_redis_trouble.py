"""Every trouble with Redis names its reason, and no secret.

It does so in `doctor`, at the start, and in messages to people.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import ssl
import subprocess
from pathlib import Path
from urllib.parse import quote

import pytest
from redis._parsers import BaseParser
from redis.exceptions import NoPermissionError, ResponseError

from bot.connection.client import READ_SECONDS, AnswerLost, NotRecorded, connect
from bot.connection.errors import sentence_of, trouble_of
from bot.self_test import CannotUse, check_at_start
from bot.store.incident_store import Store
from phases.ports.ports import PortError
from sandbox.serving import free_port
from tests.support.bots.forked import firebreak
from tests.support.redis.redis_doctor import doctor, nothing_recorded, refused, waited_for
from tests.support.redis.replicated import MASTER, eventually, replicated
from tests.support.redis.servers import EMBEDDED, behind_tls, pump, served
from tests.support.worlds.small_world import until

SECRET = "h/u#n?t[e]r@2:%"
ENCODED = quote(SECRET, safe="")


async def test_a_wrong_password_and_none_and_one_too_many(tmp_path: Path) -> None:
    async with served(tmp_path / "a", "--requirepass", SECRET) as server:
        at = f"127.0.0.1:{server.port}"
        await check_at_start(f"redis://:{ENCODED}@{at}")
        await refused(
            f"redis://:hunter2@{at}", "does not take this user and password", "percent-encoded"
        )
        await refused(f"redis://me:{ENCODED}@{at}", "does not take this user and password")
        await refused(f"redis://{at}", "wants a password, and REDIS_URL gives none")
    async with served(tmp_path / "b") as server:
        await refused(
            f"redis://:hunter2@127.0.0.1:{server.port}",
            "REDIS_URL gives a password, and this Redis has none",
        )


async def test_a_database_that_it_does_not_have(tmp_path: Path) -> None:
    async with served(tmp_path / "a", "--databases", "4") as server:
        await check_at_start(f"{server.tcp}/3")
        await refused(f"{server.tcp}/4", "has no database of this number")


async def test_a_cluster(tmp_path: Path) -> None:
    async with served(tmp_path / "a", "--cluster-enabled", "yes") as server:
        [finding] = await doctor(server.tcp)
        assert "cluster" in finding.says
        await nothing_recorded(server.tcp, "cluster")


async def test_tls_on_one_side_only(tmp_path: Path) -> None:
    async with served(tmp_path / "a") as server, behind_tls(server, tmp_path) as (port, ca):
        good = f"rediss://localhost:{port}?ssl_ca_certs={ca}"
        await check_at_start(good)
        assert {finding.state for finding in await doctor(good)} <= {"works", "unproven"}
        await refused(f"rediss://localhost:{port}", "certificate", "ssl_ca_certs")
        await refused(
            f"rediss://127.0.0.1:{port}?ssl_ca_certs={ca}", "certificate", "name in REDIS_URL"
        )
        for url, says in (
            (f"redis://localhost:{port}", "speaks TLS there, and REDIS_URL does not"),
            (f"rediss://127.0.0.1:{server.port}", "speaks no TLS, and REDIS_URL does"),
        ):
            [plain] = await doctor(url)
            assert says in plain.says
            with pytest.raises(CannotUse, match=says):
                await check_at_start(url)


async def test_nothing_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    await waited_for("redis://127.0.0.1:1", "connection refused", caplog)
    await waited_for(f"unix://{tmp_path}/none.sock", "no socket at that path", caplog)

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)  # a resolver may take its time
    await waited_for("redis://nowhere.invalid", "host of Redis is not found", caplog)


async def test_too_many_clients(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with served(tmp_path / "a", "--maxclients", "1") as server:
        held: list[asyncio.StreamWriter] = []

        async def taken() -> bool:  # once the server has let go of whoever saw it start
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            held.append(writer)
            writer.write(b"PING\r\n")
            return await reader.readline() == b"+PONG\r\n"

        await eventually(taken)
        await waited_for(server.tcp, "as many clients as it may", caplog)
        for writer in held:
            writer.close()


async def test_one_that_does_not_answer(tmp_path: Path) -> None:
    async with served(tmp_path / "a") as server:
        store = Store(connect(server.url, read_seconds=READ_SECONDS))

        async def connected() -> bool:
            try:
                return bool(await store.server_now())
            except NotRecorded:
                return False

        await eventually(connected)
        server.process.send_signal(signal.SIGSTOP)
        try:
            with pytest.raises(NotRecorded, match="too slow"):
                await store.load(None)
        finally:
            server.process.send_signal(signal.SIGCONT)
            await store.close()


async def test_sentinels_with_a_password_of_their_own(tmp_path: Path) -> None:
    async with replicated(tmp_path) as world:
        await world.ask(
            world.sentinel, "ACL", "SETUSER", "watch", "on", f">{SECRET}", "+sentinel|masters"
        )
        await world.ask(world.sentinel, "ACL", "SETUSER", "default", f">{SECRET}x")
        hosts = f"sentinel://127.0.0.1:1,127.0.0.1:{world.sentinel}/{MASTER}"
        await check_at_start(f"{hosts}?sentinel_username=watch&sentinel_password={ENCODED}")
        await refused(hosts, "sentinels want a password", "sentinel_password")
        await refused(
            f"{hosts}?sentinel_password=hunter2", "sentinels do not take their user and password"
        )


async def test_no_sentinel_and_no_such_master(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await waited_for("sentinel://127.0.0.1:1/main", "No sentinel names a primary", caplog)


async def test_the_bot_does_not_start_and_says_why(tmp_path: Path) -> None:
    async with served(tmp_path / "a", "--requirepass", SECRET) as server:
        wrong = f"redis://:hunter2@127.0.0.1:{server.port}"
        split = "redis://:hunter2/x@h"
        for command, url, code, says in (
            ("serve", wrong, 1, "Redis does not take this user and password"),
            ("doctor", wrong, 1, "does not take this user"),
            ("export", wrong, 1, "Redis does not take this user and password"),
            ("serve", split, 2, "%2F"),
            ("doctor", split, 1, "%2F"),
            ("export", split, 2, "%2F"),
            ("serve", "redis://:hun[ter2@h:hunter2/hunter2", 2, "1 to 65535"),
        ):
            env = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_SIGNING_SECRET": "s", "REDIS_URL": url}
            env |= {"SLACK_API_URL": "http://127.0.0.1:1/"}
            ended, output, complained = await firebreak(command, env=env, cwd=tmp_path)
            text = output + complained
            assert ended == code, (command, url, text)
            assert says in text
            assert "hunter" not in text
            assert "Traceback" not in text


# --- what servers say, as they say it -------------------------------------------------------------

INSIDE = "ERR Error running script (call to f_0123456789): @user_script:84: @user_script: 84: "
"""Redis 6.2, src/scripting.c."""
BEHIND = " script: 0123456789, on @user_script:84."
"""Redis 7 and newer, src/script_lua.c."""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("NOAUTH Authentication required.", "wants a password"),
        (
            "WRONGPASS invalid username-password pair or user is disabled.",
            "does not take this user and password",
        ),
        ("ERR invalid password", "does not take this user and password"),
        (
            "ERR AUTH <password> called without any password configured for the default user. "
            "Are you sure your configuration is correct?",
            "has none",
        ),
        ("ERR Client sent AUTH, but no password is set", "has none"),
        (
            "NOPERM User fb has no permissions to run the 'xgroup|create' command",
            "run XGROUP CREATE",
        ),
        (
            "NOPERM this user has no permissions to run the 'xadd' command or its subcommand",
            "run XADD",
        ),
        ("NOPERM No permissions to access a key", "touch the bot's keys"),
        ("NOPERM User fb has no permissions to access the 'x' key", "touch the bot's keys"),
        ("NOPERM User fb has no permissions to run the 'hkeys' command", "run HKEYS"),
        ("EXEC without MULTI", "run MULTI"),
        (
            "NOPERM this user has no permissions to access one of the keys used as arguments",
            "touch the bot's keys",
        ),
        (
            INSIDE + "The user executing the script can't run this command or subcommand",
            "a command that the bot needs",
        ),
        (
            INSIDE
            + "The user executing the script can't access at least one of the keys mentioned in "
            "the command "
            "arguments",
            "touch the bot's keys",
        ),
        (
            "ERR ACL failure in script: User fb has no permissions to run the 'xadd' command"
            + BEHIND,
            "run XADD",
        ),
        ("OOM command not allowed when used memory > 'maxmemory'.", "is full"),
        ("OOM command not allowed when used memory > 'maxmemory'." + BEHIND, "is full"),
        (INSIDE + "-OOM command not allowed when used memory > 'maxmemory'.", "is full"),
        ("READONLY You can't write against a read only replica.", "read-only replica"),
        (INSIDE + "-READONLY You can't write against a read only replica.", "read-only replica"),
        (
            (
                "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to "
                "persist to disk."
            ),
            "save",
        ),
        (INSIDE + "-MISCONF Errors writing to the AOF file: No space left on device", "save"),
        ("NOREPLICAS Not enough good replicas to write.", "fewer replicas"),
        ("LOADING Redis is loading the dataset in memory", "still reading its data"),
        ("LOADING Valkey is loading the dataset in memory", "still reading its data"),
        (
            "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
            "lost its primary",
        ),
        ("MOVED 3999 127.0.0.1:6381", "part of a cluster"),
        ("ASK 3999 127.0.0.1:6381", "part of a cluster"),
        ("CROSSSLOT Keys in request don't hash to the same slot", "part of a cluster"),
        ("CLUSTERDOWN Hash slot not served", "a cluster that is down"),
        (
            "ERR Script attempted to access a non local key in a cluster node" + BEHIND,
            "part of a cluster",
        ),
        ("ERR DB index is out of range", "no database of this number"),
        ("ERR SELECT is not allowed in cluster mode", "database 0 only"),
        ("ERR max number of clients reached", "as many clients"),
        (
            (
                "DENIED Redis is running in protected mode because protected mode is enabled and "
                "no password is set"
            ),
            "protected mode",
        ),
        (
            (
                "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN "
                "NOSAVE."
            ),
            "does not end",
        ),
        (
            "ERR unknown command `XAUTOCLAIM`, with args beginning with: `{fb}:outbox` ",
            "does not know XAUTOCLAIM",
        ),
        ("ERR unknown command 'AUTH', with args beginning with: 'hunter2' ", "knows no AUTH"),
        ("ERR syntax error", "the form of a command"),
        ("ERR something hunter2 that nobody has seen", "cannot be used (ResponseError)"),
        ("ODD something hunter2 that nobody has seen", "cannot be used (ODD)"),
        (
            "ERR max daily request limit exceeded. Limit: 10000, Usage: 10001. See hunter2",
            "is used up",
        ),
    ],
)
def test_what_a_server_says_in_words(text: str, says: str) -> None:
    error = BaseParser.parse_error(text)
    assert says in sentence_of(error)
    assert "hunter" not in sentence_of(error)
    if "cannot be used" not in says:  # else what we said stands
        ours = NotRecorded("Nothing.")
        ours.__cause__ = error
        assert trouble_of(ours) == trouble_of(error)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ssl.SSLError(1, "[SSL: ODD] odd"), "TLS"),
        (
            OSError(
                "Multiple exceptions: [Errno 111] Connect call failed ('::1', 1), [Errno 111] "
                "Connect call failed"
            ),
            "refused",
        ),
        (
            OSError(
                "Multiple exceptions: [Errno 111] Connect call failed, [Errno 101] Connect call "
                "failed"
            ),
            "unreachable",
        ),
        (ConnectionResetError(), "closed the connection"),
        (TimeoutError(), "too slow"),
        (RuntimeError("hunter2"), "cannot be used (RuntimeError)"),
        (
            AnswerLost("Only 0 of 1 replicas of Redis have it."),
            "Only 0 of 1 replicas of Redis have it.",
        ),
        (PortError("redis", "Redis is in a bad mood", retryable=True), "Redis is in a bad mood."),
        (NoPermissionError("hunter2"), "does not let this user run a command"),
        (ResponseError(""), "cannot be used"),
    ],
)
def test_what_happens_on_the_way_in_words(error: Exception, says: str) -> None:
    assert says in sentence_of(error)
    assert "hunter" not in sentence_of(error)


def test_where_redis_answers_nobody_is_sent_to_look_whether_it_runs() -> None:
    assert "redis-cli" in trouble_of(ResponseError("something that nobody has seen")).mend
    assert "is it running" in trouble_of(RuntimeError("odd")).mend


async def test_a_sentinel_and_a_redis_in_each_others_place(tmp_path: Path) -> None:
    async with served(tmp_path / "a") as server:
        url = f"sentinel://127.0.0.1:{server.port}/master"
        [finding] = await doctor(url)
        assert "is a Redis and no sentinel" in finding.says
        assert "sentinel_password" not in finding.mend
        port = free_port()
        (tmp_path / "s.conf").write_text(
            f"port {port}\nsentinel monitor master 127.0.0.1 {server.port} 1\n"
        )
        beside = _sentinel(tmp_path)
        try:
            await eventually(lambda: _listens(port))
            [finding] = await doctor(f"redis://127.0.0.1:{port}")
            assert "is a sentinel" in finding.says
            assert "sentinel://" in finding.mend
        finally:
            beside.kill()
            beside.wait()


def _sentinel(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [EMBEDDED, folder / "s.conf", "--sentinel", "--logfile", folder / "log"]
    )


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def test_a_command_that_is_withheld_is_not_the_version(tmp_path: Path) -> None:
    async with served(tmp_path / "a", "--rename-command", "EVALSHA", "") as server:
        await refused(server.tcp, "does not know EVALSHA", "renamed")


async def test_too_few_replicas_is_not_a_redis_that_is_away(tmp_path: Path) -> None:
    async with served(tmp_path / "a") as server:
        findings = await doctor(server.tcp, redis_wait_replicas=1)
        assert "lower REDIS_WAIT_REPLICAS" in next(
            row.mend for row in findings if row.state == "broken"
        )


# --- how long anybody waits -----------------------------------------------------------------------


async def test_a_connection_that_takes_long_is_made_for_those_who_come_after(
    tmp_path: Path,
) -> None:
    async with served(tmp_path / "a") as redis:
        lets, came = asyncio.Event(), 0

        async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal came
            came += 1
            await lets.wait()  # as a handshake over a line that is slow
            there, back = await asyncio.open_unix_connection(str(redis.socket))
            await asyncio.gather(pump(reader, back), pump(there, writer))

        server = await asyncio.start_server(slowly, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        # With a database there is an answer to wait for before a connection is one.
        store = Store(connect(f"redis://127.0.0.1:{port}/1", read_seconds=30, take_seconds=0.05))
        for _ in range(3):
            with pytest.raises(NotRecorded, match="in time"):
                await store.load(None)
        lets.set()

        async def loads() -> bool:
            try:
                return (await store.load(None)).next_number == 1
            except NotRecorded:
                return False

        await until(loads)
        made = came
        await store.load(None)
        assert came == made
        await store.close()
        server.close()
