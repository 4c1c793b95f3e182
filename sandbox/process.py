"""A program that runs as its own process, comes back when it dies, and never outlives the world."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, Protocol

GUARD = Path(__file__).with_name("process_guard.py")
BACKOFF_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Waits before a dead program is started again; after a good life they begin anew."""
GOOD_LIFE_SECONDS = 20.0
PATIENCE_SECONDS = 30.0

State = Literal["off", "starting", "running", "restarting", "stopped"]


class Failed(Exception):
    """The program did not come up. The text holds the end of its log."""


class Program(Protocol):
    """A started program. It ends with this one at the latest."""

    pid: int | None
    """None when it could not be started."""

    async def wait(self) -> int:
        """Return its exit code when it has ended."""
        ...

    def end(self) -> None:
        """Ask it to end; it is killed if it does not."""
        ...


Launch = Callable[[Sequence[str], Mapping[str, str], Path], Awaitable[Program]]
"""Starts a command in an environment; its output goes to the end of a file."""


class _Guarded:
    def __init__(self, guard: asyncio.subprocess.Process, pid: int | None) -> None:
        self.pid = pid
        self._guard = guard

    async def wait(self) -> int:
        return await self._guard.wait()

    def end(self) -> None:
        if self._guard.stdin is not None:
            self._guard.stdin.close()


async def guarded(command: Sequence[str], env: Mapping[str, str], log: Path) -> Program:
    """Start the command below a guard, which ends it when this program ends, however it ends."""
    guard = await asyncio.create_subprocess_exec(
        *(sys.executable, str(GUARD), str(log), *command),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=env,
    )
    assert guard.stdout is not None
    line = await guard.stdout.readline()
    return _Guarded(guard, int(line) if line.strip() else None)


class SupervisedProcess:
    """`command` as its own process, kept alive until `stop`; `ready` is awaited at each start."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        log: Path,
        ready: Callable[[], asyncio.Future[bool] | asyncio.Task[bool]],
        name: str,
        launch: Launch = guarded,
    ) -> None:
        self.command = list(command)
        self.env = dict(env)
        self.log = log
        self.name = name
        self.patience = PATIENCE_SECONDS
        """The longest wait until it runs, where nobody says how long."""
        self.backoff: Sequence[float] = BACKOFF_SECONDS
        """The pauses before it is started again, one a death; the last one stays."""
        self.state: State = "off"
        self.restarts = 0
        self.pid: int | None = None
        self._ready = ready
        self._launch = launch
        self._program: Program | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    async def start(self, *, seconds: float | None = None) -> None:
        """Start, and wait until the program is ready. Raises `Failed`."""
        await self.stop()
        self.state = "starting"
        self._keeping = asyncio.create_task(self._keep_running())
        await self.until_running(seconds=seconds)

    async def until_running(self, *, seconds: float | None = None) -> None:
        """Wait until it runs. Raises `Failed` if it gives up, or after `seconds`, or `patience`."""
        seconds = self.patience if seconds is None else seconds
        ends = asyncio.get_running_loop().time() + seconds
        while self.state != "running":
            left = ends - asyncio.get_running_loop().time()
            if self.state in ("stopped", "off") or left <= 0:
                await self.stop()
                raise Failed(f"{self.name} did not start. The end of {self.log}:\n{self.tail()}")
            self._changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._changed.wait()

    async def stop(self) -> None:
        """Ask it to end, and wait until it has."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
            self._keeping = None
        await self._end()
        self._set_state("off")

    def kill(self) -> bool:
        """kill -9. Return False when it does not run. It comes back by itself."""
        if self.pid is None or self.state == "off":
            return False
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self._set_state("restarting")
        return True

    def tail(self, lines: int = 200) -> str:
        """Return the last lines of its log."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - 64_000))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])

    # Inside

    async def _keep_running(self) -> None:
        clock = asyncio.get_running_loop().time
        deaths = 0
        while True:
            begun = clock()
            code = await self._live()
            if clock() - begun > GOOD_LIFE_SECONDS:
                deaths = 0
            if code == 2 or (self.restarts == 0 and self.state == "starting" and deaths >= 2):
                # Exit code 2: its settings are wrong, and stay wrong.
                self._set_state("stopped")
                return
            if self.state != "starting":
                self._set_state("restarting")
                self.restarts += 1
            await asyncio.sleep(self.backoff[min(deaths, len(self.backoff) - 1)])
            deaths += 1

    async def _live(self) -> int:
        """Run it from start to death, and return its exit code."""
        program = self._program = await self._launch(self.command, self.env, self.log)
        self.pid = program.pid
        ended = asyncio.create_task(program.wait())
        up = asyncio.ensure_future(self._ready())
        try:
            await asyncio.wait([ended, up], return_when=asyncio.FIRST_COMPLETED)
            if not ended.done() and up.done() and up.result():
                self._set_state("running")
            return await ended
        finally:
            self.pid = None
            for task in (up, ended):
                task.cancel()
            await asyncio.gather(up, ended, return_exceptions=True)

    async def _end(self) -> None:
        program, self._program = self._program, None
        if program is None:
            return
        program.end()
        await program.wait()

    def _set_state(self, state: State) -> None:
        self.state = state
        self._changed.set()
