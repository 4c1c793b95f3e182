"""A process that has imported bot and tests, and forks them: `… fork_server FD PYTEST-ARGUMENT …`.

Imports are most of what a start costs, of a bot and of a worker of pytest. Here they are paid once,
and each program is still a process of its own, with its own environment, memory and signals: it can
be killed, frozen and stopped.

FD listens. A connection is a program: its first line is JSON with `run`, `argv`, `env`, `cwd` and
`patient` (`become.py`), and brings three descriptors: standard input, output and error of the
program. The server answers with the process id, and with the exit code when the program has ended
(128 + n where signal n ended it). The program is asked to stop when the connection is shut,
and killed if it does not. When the server's own standard input is shut, all of them end, and it.

The tests that the arguments choose are collected at the start: a worker finds them imported.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

STOP_SECONDS = 120.0
"""Time for a program to end in order: a bot cuts itself off after half of it."""
LONGEST_REQUEST = 65_536

Become = Callable[[dict[str, Any], list[int]], object]
"""What a fork does with its request and its descriptors; it never returns."""


@dataclass(slots=True)
class Program:
    leash: socket.socket
    kill_at: float | None = None
    """Monotonic; set when it was asked to stop."""


class Server:
    def __init__(
        self, listening: socket.socket, prepare: Callable[[], object], become: Become
    ) -> None:
        self._listening = listening
        self._prepare = prepare
        self._become = become
        self._programs: dict[int, Program] = {}
        self._selector = selectors.DefaultSelector()
        self._wanted = True

    def serve(self) -> None:
        """Serve until standard input is shut, and every program has ended."""
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_read, False)
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl+C reaches everybody
        for file in (wake_read, self._listening, sys.stdin):
            self._selector.register(file, selectors.EVENT_READ)
        while self._wanted or self._programs:
            for key, _ in self._selector.select(self._patience()):
                if key.fileobj is wake_read:
                    os.read(wake_read, 512)
                elif key.fileobj is self._listening:
                    self._start()
                elif key.fileobj is sys.stdin:
                    self._end()
                elif key.data in self._programs:
                    self._ask_to_stop(key.data)
            self._kill_the_late()
            self._reap()

    def _patience(self) -> float | None:
        ends = [
            program.kill_at for program in self._programs.values() if program.kill_at is not None
        ]
        return max(0.0, min(ends) - time.monotonic()) if ends else None

    def _end(self) -> None:
        self._wanted = False
        self._selector.unregister(self._listening)
        self._selector.unregister(sys.stdin)
        self._listening.close()
        for pid in self._programs:
            self._ask_to_stop(pid)

    def _start(self) -> None:
        """Fork what is asked for."""
        leash, _ = self._listening.accept()
        raw, standard, _, _ = socket.recv_fds(leash, LONGEST_REQUEST, 3)
        while raw and not raw.endswith(b"\n"):
            more = leash.recv(LONGEST_REQUEST)
            raw = raw + more if more else b""
        if not raw:  # whoever asked is gone
            leash.close()
            return
        request = json.loads(raw)
        os.environ.clear()
        os.environ.update(request["env"])
        self._prepare()
        pid = os.fork()
        if pid == 0:
            self._become(request, standard)
        for fd in standard:
            os.close(fd)
        self._programs[pid] = Program(leash)
        with suppress(OSError):  # whoever asked for it is gone
            leash.sendall(b"%d\n" % pid)
        self._selector.register(leash, selectors.EVENT_READ, pid)

    def _ask_to_stop(self, pid: int) -> None:
        program = self._programs[pid]
        if program.kill_at is None:
            self._selector.unregister(program.leash)
            program.kill_at = time.monotonic() + STOP_SECONDS
            os.kill(pid, signal.SIGTERM)  # it is not reaped yet: the number is still its own

    def _kill_the_late(self) -> None:
        for pid, program in self._programs.items():
            if program.kill_at is not None and program.kill_at <= time.monotonic():
                os.kill(pid, signal.SIGKILL)

    def _reap(self) -> None:
        while self._programs:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            program = self._programs.pop(pid)
            if program.kill_at is None:
                self._selector.unregister(program.leash)
            code = os.waitstatus_to_exitcode(status)
            with suppress(OSError):  # whoever asked for it is gone
                program.leash.sendall(b"%d\n" % (code if code >= 0 else 128 - code))
            program.leash.close()


def _collect(arguments: list[str]) -> None:
    """Import what a worker will import. What cannot be collected is told by the workers."""
    # A module may keep `sys.stdout`: it has to be that of its program.
    once = [*arguments, "--collect-only", "-n", "0", "--capture=no"]
    saved = os.dup(1), os.dup(2)
    with open(os.devnull, "wb") as nothing:
        for fd in (1, 2):
            os.dup2(nothing.fileno(), fd)
    try:
        code = pytest.main(once)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for fd, was in zip((1, 2), saved, strict=True):
            os.dup2(was, fd)
            os.close(was)
    if code in (pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.USAGE_ERROR):
        sys.exit(f"pytest could not begin to collect for its workers: {code!r} with {once}")


def main(listening: int, tests: list[str]) -> None:
    if tests:
        _collect(tests)
    # Only now: pytest wants to see its plugins' first import, and some are also the bot's.
    from tests.support.bots.become import become, prepare

    # Objects that never move to a collection are shared by all forks.
    # https://docs.python.org/3/library/gc.html#gc.freeze
    gc.collect()
    gc.freeze()
    Server(socket.socket(fileno=listening), prepare, become).serve()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
