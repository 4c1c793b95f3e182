"""Local processes that outlive the bot. Each runs under a record on disk that tells its end.

A record is a folder: `job.json` (the job, made first and only once), `process.json` (the watcher
that claimed it: host, pid, start time), `child.json` (the command itself), `output.log`,
`result.json`. The watcher is `watcher.py`. Only the standard library is used here, because the
watcher must start quickly and must not fall over what the bot needs.
"""

import contextlib
import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

TAIL_BYTES = 64 * 1024
GRACE_SECONDS = 2.0
KEEP_OUTPUT_BYTES = 4 * 1024 * 1024
"""A log that grows beyond this is cut down to its tail."""


def folder_of(state_dir: Path, kind: str, id: str) -> Path:
    """Return the record's folder: readable, safe as a file name, different for different ids."""
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", id).strip("-.")[:60] or "job"
    return state_dir / kind / f"{readable}-{hashlib.sha256(id.encode()).hexdigest()[:10]}"


def create(path: Path, content: dict[str, Any]) -> bool:
    """Write a file that did not exist, whole or not at all. False: somebody else was first."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    _write(draft, content)
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink()
    _sync_folder(path.parent)
    return True


def replace(path: Path, content: dict[str, Any]) -> None:
    """Write a file anew. A reader sees the old content or the new one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    _write(draft, content)
    os.replace(draft, path)


def read(path: Path) -> dict[str, Any] | None:
    """Return the content of a file of the record, or None where there is none."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None


def tail(path: Path) -> bytes:
    """Return the end of a log, at most `TAIL_BYTES`; empty where there is none."""
    try:
        with path.open("rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(0, log.tell() - TAIL_BYTES))
            return log.read(TAIL_BYTES)
    except FileNotFoundError:
        return b""


def silent_seconds(path: Path) -> float:
    """Return the seconds since a log was last written to; 0 where there is none."""
    try:
        return max(0.0, time.time() - path.stat().st_mtime)
    except FileNotFoundError:
        return 0.0


def cut_down(path: Path) -> None:
    """Keep the tail of a log that grew too large. Its writer must have opened it for appending."""
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size <= KEEP_OUTPUT_BYTES:
            return
        end = tail(path)
        with path.open("r+b") as log:
            log.truncate(0)
            log.write(b"[earlier output was cut]\n" + end)


# --- a process of its own -------------------------------------------------------------------------


def detached() -> int | str:
    """Go on in a child process that has left its parent behind.

    The parent returns the child's answer, as text. The child returns the pipe to which it has to
    write the answer, and which it has to close.
    """
    answers, pipe = os.pipe()
    if os.fork():
        os.close(pipe)
        with os.fdopen(answers, "rb") as answer:
            return answer.read().decode("utf-8", "replace")
    os.close(answers)
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    os.close(nothing)
    return pipe


# --- who is alive ---------------------------------------------------------------------------------


def mark(pid: int) -> dict[str, Any]:
    """Return the name of a process: host, pid and start time.

    By it another one with the same pid, later, is not taken for it.
    """
    return {"host": socket.gethostname(), "pid": pid, "started": _started(pid), "at": now()}


def find(marked: dict[str, Any] | None) -> Literal["running", "gone", "elsewhere"]:
    """Return whether the marked process still runs.

    `elsewhere`: it belongs to another host, and nothing can be said from here.
    """
    if not marked:
        return "gone"
    if marked.get("host") != socket.gethostname():
        return "elsewhere"
    started = _started(int(marked["pid"]))
    return "running" if started is not None and started == marked.get("started") else "gone"


def stop_group(marked: dict[str, Any] | None, number: signal.Signals) -> bool:
    """Send a signal to the group that the marked process leads, if it is still that process."""
    if find(marked) != "running" or marked is None:
        return False
    try:
        os.killpg(int(marked["pid"]), number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def end_group(marked: dict[str, Any] | None) -> None:
    """End the marked process and its group, by force after `GRACE_SECONDS`. Blocks so long."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if not stop_group(marked, number):
            return
        until = time.monotonic() + GRACE_SECONDS
        while find(marked) == "running" and time.monotonic() < until:
            time.sleep(0.02)


def _started(pid: int) -> str | None:
    """Return the start time of a living process in the system's own words.

    None: it is gone, or only waits to be collected. Linux has it in field 22 of /proc/<pid>/stat
    (clock ticks since boot, proc(5)), told with the boot's id; elsewhere it is `ps -o lstart=`.
    """
    if os.path.isdir("/proc/self"):
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return None
        fields = stat.rpartition(")")[2].split()  # the name before may hold blanks and brackets
        return None if fields[0] in "ZX" else f"{_boot()}:{fields[19]}"
    shown = subprocess.run(
        ["ps", "-o", "state=,lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
        timeout=5,
    ).stdout.strip()
    state, _, started = shown.partition(" ")
    return None if not started or state.startswith("Z") else " ".join(started.split())


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "boot"


# --- small things ---------------------------------------------------------------------------------


def now() -> str:
    return datetime.now(UTC).isoformat()


def when(text: object) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None


def _write(path: Path, content: dict[str, Any]) -> None:
    with open(
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
    ) as file:
        json.dump(content, file, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
