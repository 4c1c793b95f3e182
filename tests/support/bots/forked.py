"""Bots of stories and their commands, forked from one process that has imported them.

Where a system cannot fork what has threads and frameworks (macOS), programs start as anywhere.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from sandbox.process import Program, guarded
from sandbox.serving import free_port
from tests.support.bots.forks import CAN_FORK, ask

PATIENT = ("people", "redis", "sources", "stop", "decision", "triage")
"""All deadlines that a busy machine may miss (`tests.support.deadlines`)."""


async def launch(
    command: Sequence[str],
    env: Mapping[str, str],
    log: Path,
    patient: Sequence[str] = PATIENT,
) -> Program:
    """Run `python … -m bot ARGUMENTS` as a fork; its output goes to the end of `log`.

    `patient` names deadlines that a busy machine may miss.
    """
    if not CAN_FORK:
        return await guarded(command, env, log)
    arguments = list(command[command.index("bot") + 1 :])
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        fds = [nothing, output, output]
        return await _Forked.start(arguments, env, Path.cwd(), fds, patient)
    finally:
        os.close(nothing)
        os.close(output)


launch_triage_on_time = partial(launch, patient=("people", "redis", "sources", "stop"))
"""The same, for stories of a Sentry that does not answer: three seconds are three seconds."""


async def firebreak(
    *arguments: str, env: Mapping[str, str], cwd: Path | None = None, given: str = ""
) -> tuple[int, str, str]:
    """Run `firebreak ARGUMENTS`; return its exit code, standard output and standard error.

    Whoever listens has a port of its own, unless `env` names one.
    """
    env = {"PORT": str(free_port()), **env}
    if not CAN_FORK:
        return await _executed(arguments, env, cwd, given)
    with (
        tempfile.TemporaryFile() as output,
        tempfile.TemporaryFile() as complained,
        tempfile.TemporaryFile() as read,
    ):
        read.write(given.encode())
        read.seek(0)
        fds = [read.fileno(), output.fileno(), complained.fileno()]
        program = await _Forked.start(arguments, env, cwd or Path.cwd(), fds, PATIENT)
        try:
            code = await program.wait()
        finally:
            program.end()
        output.seek(0)
        complained.seek(0)
        return code, output.read().decode(), complained.read().decode()


async def _executed(
    arguments: Sequence[str], env: Mapping[str, str], cwd: Path | None, given: str
) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", *arguments), env=env, cwd=cwd, stdin=-1, stdout=-1, stderr=-1
    )
    output, complained = await process.communicate(given.encode())
    assert process.returncode is not None
    return process.returncode, output.decode(), complained.decode()


class _Forked:
    """A program that ends with its leash; see `sandbox.process.Program`."""

    def __init__(
        self, pid: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.pid = pid
        self._writer = writer
        self._code = asyncio.ensure_future(reader.readline())

    @classmethod
    async def start(
        cls,
        arguments: Sequence[str],
        env: Mapping[str, str],
        cwd: Path,
        fds: Sequence[int],
        patient: Sequence[str] = (),
    ) -> _Forked:
        leash = ask("firebreak", arguments, env, cwd, fds, patient)
        reader, writer = await asyncio.open_connection(sock=leash)
        return cls(int(await reader.readline()), reader, writer)

    async def wait(self) -> int:
        code = await asyncio.shield(self._code)
        self._writer.close()
        return int(code)

    def end(self) -> None:
        if not self._code.done():
            self._writer.write_eof()
