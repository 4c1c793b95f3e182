"""The machine that the replicas share: the catalogue's commands, as state machines in virtual time.

What is real: the records on disk (bot/clients/processes/records.py) and all that reads them. What
is not: that a process is forked. A watcher begins late, finds its record taken, or is killed.
"""

from __future__ import annotations

import asyncio
import random
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bot.clients.deployers import command, recorded
from bot.clients.processes import records
from bot.clients.processes.commands import CommandFailed, Output
from tests.lives.clock import context_of

PROGRAM = "shopctl"
"""The program of the catalogue's commands: `shopctl <verb> <shop> [<argument>]`."""
WATCHER = "bot.clients.processes.watcher"
STARTS = (0.02, 0.4)
STARTS_LATE = (8.0, 20.0)
"""Seconds until a watcher claims its record on a busy machine: some are not waited for."""
LATE, KILLED, SILENT = 0.15, 0.03, 0.03
"""Chances: a watcher begins late, it is killed, a command that is asked something fails."""
RUNS = (2.0, 12.0)

Carried = Callable[[Sequence[str]], bool]


class Host:
    """Runs what the bot starts. `carries_out` changes production; False: the command failed."""

    def __init__(
        self,
        dice: random.Random,
        asks: Callable[[Sequence[str]], str],
        carries_out: Carried,
        log: Callable[[str], None],
    ) -> None:
        self.runs: Counter[str] = Counter()
        """Id of a deploy → how often its command ran."""
        self._dice, self._asks, self._carries_out, self._log = dice, asks, carries_out, log
        self._alive: set[int] = set()
        self._pids = 1000
        self._watching: set[asyncio.Task[None]] = set()

    def install(self) -> None:
        """Be where this process starts commands, and where it looks for their processes."""
        recorded.run = command.run = self.run
        records.find = self.find
        records.stop_group = lambda *_: False

    def find(self, marked: dict[str, Any] | None) -> str:
        return "running" if marked and int(marked["pid"]) in self._alive else "gone"

    async def run(self, argv: Sequence[str], *, seconds: float, **_: object) -> Output:
        """In the place of `bot.clients.processes.commands.run`."""
        if WATCHER not in argv:
            await asyncio.sleep(self._dice.uniform(*STARTS))
            if self._dice.random() < SILENT:
                return Output(1, b"", b"the cluster does not answer\n", False)
            return Output(0, self._asks(argv[1:]).encode(), b"", False)
        loop = asyncio.get_running_loop()
        claimed: asyncio.Future[None] = loop.create_future()
        watching = loop.create_task(self._watch(Path(argv[-1]), claimed), context=context_of(None))
        self._watching.add(watching)
        watching.add_done_callback(self._watching.discard)
        try:
            async with asyncio.timeout(seconds):
                await asyncio.shield(claimed)
        except TimeoutError:
            text = f"{argv[0]!r} did not end within {seconds:g} s"
            raise CommandFailed(text, timed_out=True) from None
        return Output(0, b"", b"", False)

    async def _watch(self, folder: Path, claimed: asyncio.Future[None]) -> None:
        """As `watcher.py`: claim the record, run its command once, write down how it ended."""
        late = self._dice.random() < LATE
        await asyncio.sleep(self._dice.uniform(*(STARTS_LATE if late else STARTS)))
        job = records.read(folder / "job.json")
        assert job is not None
        self._pids += 1
        mark = {"host": socket.gethostname(), "pid": self._pids, "started": "", "at": records.now()}
        ours = records.create(folder / "process.json", mark)
        claimed.set_result(None)
        if not ours:
            return
        self._alive.add(self._pids)
        await self._runs(folder, job, self._pids)

    async def _runs(self, folder: Path, job: dict[str, Any], pid: int) -> None:
        self.runs[job["deploy_id"]] += 1
        self._log(f"{job['deploy_id']}: {' '.join(job['argv'])}")
        await asyncio.sleep(self._dice.uniform(*RUNS))
        fine = self._carries_out(job["argv"][1:])
        (folder / "output.log").write_text("it is out\n" if fine else "no space left\n")
        if self._dice.random() < KILLED:
            self._log(f"{job['deploy_id']}: its watcher is killed")
        else:
            result = {"code": 0 if fine else 1, "at": records.now()}
            records.create(folder / "result.json", result)
        self._alive.discard(pid)
