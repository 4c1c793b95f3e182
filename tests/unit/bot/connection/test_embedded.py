"""The embedded Valkey lives and ends with the bot, and keeps what was acknowledged."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from bot.clients.processes.records import mark
from bot.connection.client import connect
from bot.connection.embedded import ValkeyError, embedded
from tests.support.worlds.small_world import until

BOT = """
import asyncio, sys
from bot.clients.processes.records import mark
from bot.connection.client import connect
from bot.connection.embedded import embedded

async def main():
    async with embedded(sys.argv[1]) as url:
        redis = connect(url)
        count = await redis.incr("starts")
        print(url, count, flush=True)
        await asyncio.sleep(3600)

asyncio.run(main())
"""


@contextmanager
def bot(data: Path) -> Iterator[subprocess.Popen[str]]:
    """A bot as a process that holds an embedded Valkey.

    It prints its URL and the number of its starts.
    """
    with subprocess.Popen(
        [sys.executable, "-c", BOT, str(data)], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def first_line(process: subprocess.Popen[str]) -> tuple[str, int]:
    assert process.stdout is not None
    url, count = process.stdout.readline().split()
    return url, int(count)


def tcp_sockets(process: int) -> list[str]:
    """TCP sockets that a process holds, by inode; Linux tells, elsewhere the settings must do. https://man7.org/linux/man-pages/man5/proc_pid_net.5.html"""
    if not Path("/proc/net/tcp").exists():
        return []
    rows = [
        *Path("/proc/net/tcp").read_text().splitlines()[1:],
        *Path("/proc/net/tcp6").read_text().splitlines()[1:],
    ]
    known = {row.split()[9] for row in rows}
    held = [os.readlink(fd) for fd in Path(f"/proc/{process}/fd").iterdir()]
    return [link for link in held if link.startswith("socket:[") and link[8:-1] in known]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_it_serves_through_a_private_socket_only(tmp_path: Path) -> None:
    async with embedded(tmp_path / "data") as url:
        redis = connect(url)
        socket = Path(url.removeprefix("unix://"))
        assert mode(socket) == mode(socket.parent) == 0o700
        assert len(str(socket)) < 100
        wanted = {"port": "0", "appendonly": "yes", "appendfsync": "always", "save": ""}
        assert await redis.config_get(*wanted) == wanted
        assert await redis.config_get("tls-port") == {"tls-port": "0"}
        assert tcp_sockets(int((await redis.info("server"))["process_id"])) == []
        await redis.set("kept", "yes")
        paths = [tmp_path / "data", *(tmp_path / "data").rglob("*")]
        assert any(path.suffix == ".aof" for path in paths)
        assert [str(path) for path in paths if mode(path) & 0o077] == [], (
            "what it keeps is nobody else's to read"
        )
        await redis.aclose()
    assert not socket.parent.exists()
    async with embedded(tmp_path / "data") as url:
        redis = connect(url)
        assert await redis.get("kept") == "yes"
        await redis.aclose()


async def test_one_server_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.connection.embedded.LOCK_SECONDS", 0.2)
    async with embedded(tmp_path) as url:
        with pytest.raises(ValkeyError, match="in use by another bot"):
            async with embedded(tmp_path):
                pass
        redis = connect(url)
        assert await redis.ping()
        await redis.aclose()


async def test_killed_with_the_bot_and_there_again_at_once(tmp_path: Path) -> None:
    with bot(tmp_path) as first:
        url, count = await asyncio.to_thread(first_line, first)
        assert count == 1
        redis = connect(url)
        pid = (await redis.info("server"))["process_id"]
        await redis.set("acknowledged", "yes")
        await redis.aclose()
        os.kill(first.pid, signal.SIGKILL)
        # Started at once: the server of the killed bot may still be stopping, and is waited for.
        with bot(tmp_path) as second:
            url, count = await asyncio.to_thread(first_line, second)
            assert count == 2
            redis = connect(url)
            assert (await redis.info("server"))["process_id"] != pid
            assert await redis.get("acknowledged") == "yes"
            await redis.aclose()
            await until(lambda: mark(pid)["started"] is None)
            second_pid = second.pid
            os.kill(second_pid, signal.SIGKILL)
    socket = Path(url.removeprefix("unix://"))
    await until(lambda: not socket.parent.exists())


async def test_ctrl_c_is_the_bots_alone(tmp_path: Path) -> None:
    """The server runs in a session of its own.

    A terminal's signals to the foreground do not reach it.
    """
    async with embedded(tmp_path) as url:
        redis = connect(url)
        pid = (await redis.info("server"))["process_id"]
        assert os.getsid(pid) != os.getsid(0)
        await redis.aclose()


async def test_a_server_that_dies_is_started_again(tmp_path: Path) -> None:
    async with embedded(tmp_path) as url:
        redis = connect(url)
        await redis.set("kept", "yes")
        await until(_lived_long_enough(redis))
        os.kill((await redis.info("server"))["process_id"], signal.SIGKILL)

        async def back() -> bool:
            with suppress(Exception):
                return await redis.get("kept") == "yes"
            return False

        await until(back)
        await redis.aclose()


def _lived_long_enough(redis: Redis) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return (await redis.info("server"))["uptime_in_seconds"] >= 4

    return check


async def test_a_broken_log_of_writes_is_said(tmp_path: Path) -> None:
    async with embedded(tmp_path) as url:
        redis = connect(url)
        await redis.set("a", "b")
        await redis.aclose()
    for part in (tmp_path / "appendonlydir").glob("*.incr.aof"):
        part.write_bytes(b"*3\r\n$3\r\nSET\r\ngarbage garbage garbage" + part.read_bytes())
    with pytest.raises(ValkeyError, match="does not start"):
        async with embedded(tmp_path):
            pass


async def test_a_folder_that_cannot_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ValkeyError, match="cannot be written"):
        async with embedded(tmp_path / "file" / "data"):
            pass


async def test_its_end_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    async with embedded(tmp_path) as url:
        redis = connect(url)
        pid = (await redis.info("server"))["process_id"]
        shutil.rmtree(tmp_path / "appendonlydir")
        (tmp_path / "appendonlydir").write_text("in its way")
        os.kill(pid, signal.SIGKILL)  # it is started again, and cannot
        await until(lambda: "the embedded Valkey ended" in caplog.text)
        await redis.aclose()


async def test_it_comes_back_when_what_stopped_it_is_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("bot.connection.embedded.AGAIN_SECONDS", 0.1)
    caplog.set_level(logging.CRITICAL)
    async with embedded(tmp_path) as url:
        redis = connect(url)
        await redis.set("kept", "1")
        pid = (await redis.info("server"))["process_id"]
        (tmp_path / "appendonlydir").rename(tmp_path / "aside")
        (tmp_path / "appendonlydir").write_text("in its way")
        os.kill(pid, signal.SIGKILL)
        await until(lambda: "the embedded Valkey ended" in caplog.text)
        (tmp_path / "appendonlydir").unlink()
        (tmp_path / "aside").rename(tmp_path / "appendonlydir")

        async def back() -> bool:
            try:
                return await redis.get("kept") == "1"
            except (RedisError, OSError):
                return False

        await until(back)
        await redis.aclose()


async def test_it_is_started_again_when_it_is_killed_in_its_first_seconds(tmp_path: Path) -> None:
    async with embedded(tmp_path) as url:
        redis = connect(url)
        await redis.set("kept", "1")
        pid = (await redis.info("server"))["process_id"]
        os.kill(pid, signal.SIGKILL)

        async def again() -> bool:
            try:
                return (await redis.info("server"))[
                    "process_id"
                ] != pid and await redis.ping()  # it has read its file
            except (RedisError, OSError):
                return False

        await until(again)
        assert await redis.get("kept") == "1"
        await redis.aclose()
