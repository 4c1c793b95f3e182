"""A program that the world keeps running.

It is started again when killed, says why it cannot start, and never outlives the world.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from sandbox.process import GUARD, Failed, SupervisedProcess

PROGRAM = """
import os, pathlib, sys, time
print("up", flush=True)
pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))
time.sleep(60)
"""


def supervised(tmp_path: Path, program: str) -> SupervisedProcess:
    pid_file = tmp_path / "pid"

    async def ready() -> bool:
        while not pid_file.exists():  # noqa: ASYNC110 (a file of another process)
            await asyncio.sleep(0.01)
        return True

    return SupervisedProcess(
        [sys.executable, "-c", program, str(pid_file)],
        env={"PATH": os.environ["PATH"]},
        log=tmp_path / "log",
        ready=lambda: asyncio.create_task(ready()),
        name="The program",
    )


def lives(pid: int) -> bool:
    """Return if the process is there and not a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"


async def until_gone(pid: int) -> None:
    ends = time.monotonic() + 60
    while lives(pid):
        assert time.monotonic() < ends, f"{pid} still lives"
        await asyncio.sleep(0.02)


async def test_killed_it_comes_back_and_stopped_it_stays_away(tmp_path: Path) -> None:
    program = supervised(tmp_path, PROGRAM)
    await program.start()
    first = program.pid
    assert first is not None
    assert lives(first)

    (tmp_path / "pid").unlink()
    program.kill()
    assert program.state == "restarting"
    await program.until_running()
    second = program.pid
    assert second is not None
    assert second != first
    assert program.restarts == 1

    await program.stop()
    await until_gone(second)
    assert program.state == "off"
    assert program.tail().splitlines() == ["up", "up"]


async def test_what_does_not_start_says_why(tmp_path: Path) -> None:
    program = supervised(tmp_path, "import sys; print('SLACK_BOT_TOKEN is not set'); sys.exit(2)")
    with pytest.raises(Failed, match="SLACK_BOT_TOKEN is not set"):
        await program.start()


async def test_it_dies_with_a_world_that_was_killed(tmp_path: Path) -> None:
    world = f"""
import subprocess, sys, time
leash = subprocess.Popen([sys.executable, {str(GUARD)!r}, {str(tmp_path / "log")!r},
    sys.executable, "-c", "import time; time.sleep(60)"],
    stdin=subprocess.PIPE, stdout=subprocess.PIPE)
print(leash.stdout.readline().decode(), end="", flush=True)
time.sleep(60)
"""
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-c", world, stdout=asyncio.subprocess.PIPE
    )
    assert running.stdout is not None
    pid = int(await running.stdout.readline())
    assert lives(pid)
    running.send_signal(signal.SIGKILL)
    await running.wait()
    await until_gone(pid)
