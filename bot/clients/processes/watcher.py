"""The watcher of one detached process.

Called as `python -m bot.clients.processes.watcher <folder of the record>`.

It leaves its parent behind and claims the record, so that a record is never run twice, however
often somebody tries. It runs the command in a process group of its own, and writes down how it
ended. The bot may die meanwhile. Exit code 0 when the command was started or the record was claimed
already; 1, with one line on stderr, when nothing was started.

Past its limit a command is stopped (SIGTERM to its group, SIGKILL 10 s later): left alone, it could
wake up after the next decision and undo it.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bot.clients.processes import records

GRACE_SECONDS = 10.0


def main() -> int:
    folder = Path(sys.argv[1]).resolve()
    answer = records.detached()
    if isinstance(answer, int):
        for ignored in (signal.SIGHUP, signal.SIGINT):
            signal.signal(ignored, signal.SIG_IGN)
        _watch(folder, answer)
        return 0
    if answer == "started":
        return 0
    print(answer or "the watcher ended before it could start anything", file=sys.stderr)
    return 1


def _watch(folder: Path, say: int) -> None:
    job = records.read(folder / "job.json")
    if job is None:
        _answer(say, "there is no record of this job")
        return
    if not records.create(folder / "process.json", records.mark(os.getpid())):
        _answer(say, "started")
        return
    log = folder / "output.log"
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        child = subprocess.Popen(
            job["argv"],
            cwd=job["cwd"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        records.create(folder / "result.json", {"not_started": str(error), "at": records.now()})
        _answer(say, str(error))
        return
    finally:
        os.close(output)
    records.create(folder / "child.json", records.mark(child.pid))
    _answer(say, "started")
    result = _wait(child, log, float(job["limit_seconds"]))
    records.create(folder / "result.json", {**result, "at": records.now()})


def _wait(child: subprocess.Popen[bytes], log: Path, limit: float) -> dict[str, Any]:
    deadline = time.monotonic() + limit
    while True:
        try:
            return {"code": child.wait(timeout=min(1.0, max(0.01, deadline - time.monotonic())))}
        except subprocess.TimeoutExpired:
            records.cut_down(log)
        if time.monotonic() >= deadline:
            return {"code": _stop(child), "limit": True}


def _stop(child: subprocess.Popen[bytes]) -> int:
    os.killpg(child.pid, signal.SIGTERM)
    try:
        code = child.wait(timeout=GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        return child.wait()
    try:
        os.killpg(child.pid, signal.SIGKILL)  # what is left of its group
    except (ProcessLookupError, PermissionError):
        return code
    return code


def _answer(say: int, word: str) -> None:
    try:
        os.write(say, word.encode())
    except BrokenPipeError:
        return  # Nobody waits any more; the record tells the rest.
    finally:
        os.close(say)


if __name__ == "__main__":
    sys.exit(main())
