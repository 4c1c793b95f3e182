"""A process that has imported the bot, and forks it: `python -m tests.support.bots.fork_server FD`.

Imports are most of what a start costs. Here they are paid once, and each program is still a process
of its own, with its own environment, memory and signals: it can be killed, frozen and stopped.

Each request is one packet on FD: JSON with `argv`, `env`, `cwd` and `patient` (of `DEADLINES`), and
four descriptors: standard input, output and error of the program, and one end of its leash. The
server writes the process id to the leash, and the exit code when the program has ended (128 + n
where signal n ended it). The program is asked to stop when the other end of the leash is shut, and
killed if it does not.
"""

from __future__ import annotations

import gc
import inspect
import json
import os
import selectors
import signal
import socket
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any, NoReturn

# Commands, and parts of libraries, are imported by the bot only when they run.
import uvicorn.lifespan.off
import uvicorn.loops.auto
import uvicorn.protocols.http.auto  # noqa: F401

import bot.cli.doctor
import bot.cli.export
import bot.cli.forget
import bot.cli.import_
import bot.server  # noqa: F401
from bot.__main__ import main
from bot.clients.http import certificates
from bot.clients.slack import channel_members
from handlers.slack import interaction
from phases.coordination import declare

STOP_SECONDS = 6.0
"""Time for a program to end in order, as in `sandbox/process_guard.py`."""
LONGEST_REQUEST = 65_536
PATIENCE_SECONDS = 20
DEADLINES = {
    "acks": ((interaction, "WHO_SECONDS"), (channel_members, "ASK_SECONDS")),
    "triage": ((declare, "OVERDUE_SECONDS"),),
}
"""How long people wait, by the names that a request may give in `patient`.

Past the first a person is asked to try again, past the second they decide without numbers: a busy
machine would make that of every story. How fast it is belongs to the bench.
"""


@dataclass(slots=True)
class Program:
    leash: socket.socket
    kill_at: float | None = None
    """Monotonic; set when it was asked to stop."""


class Server:
    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._programs: dict[int, Program] = {}
        self._selector = selectors.DefaultSelector()

    def serve(self) -> None:
        """Serve until nobody can ask any more, and every program has ended."""
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_read, False)
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl+C reaches everybody
        self._selector.register(wake_read, selectors.EVENT_READ)
        self._selector.register(self._requests, selectors.EVENT_READ)
        asked = True
        while asked or self._programs:
            for key, _ in self._selector.select(self._patience()):
                if key.fileobj is wake_read:
                    os.read(wake_read, 512)
                elif key.fileobj is self._requests:
                    asked = self._request()
                elif key.data in self._programs:
                    self._ask_to_stop(key.data)
            self._kill_the_late()
            self._reap()

    def _patience(self) -> float | None:
        ends = [one.kill_at for one in self._programs.values() if one.kill_at is not None]
        return max(0.0, min(ends) - time.monotonic()) if ends else None

    def _request(self) -> bool:
        """Fork what is asked for; return False where nobody asks any more."""
        data, fds, _, _ = socket.recv_fds(self._requests, LONGEST_REQUEST, 4)
        if not data:
            self._selector.unregister(self._requests)
            for pid in self._programs:
                self._ask_to_stop(pid)
            return False
        *standard, leash = fds
        request = json.loads(data)
        os.environ.clear()
        os.environ.update(request["env"])
        certificates.context()  # the list of authorities is read once for each environment
        pid = os.fork()
        if pid == 0:
            _become(request, standard)
        for fd in standard:
            os.close(fd)
        program = self._programs[pid] = Program(socket.socket(fileno=leash))
        program.leash.sendall(b"%d\n" % pid)
        self._selector.register(program.leash, selectors.EVENT_READ, pid)
        return True

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
            try:
                program.leash.sendall(b"%d\n" % (code if code >= 0 else 128 - code))
            except OSError:
                pass  # whoever asked for it is gone
            program.leash.close()


def _become(request: dict[str, Any], standard: list[int]) -> NoReturn:
    """Be the program, to the end of this process."""
    code: object = 1
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for number, fd in enumerate(standard):
            os.dup2(fd, number)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        os.chdir(request["cwd"])
        for module, name in (one for kind in request["patient"] for one in DEADLINES[kind]):
            assert hasattr(module, name), f"{module.__name__} has no {name} any more"
            setattr(module, name, PATIENCE_SECONDS)
        sys.argv = ["firebreak", *request["argv"]]
        code = main(request["argv"])
    except SystemExit as ended:
        code = ended.code
    except BaseException:  # noqa: BLE001  shown, as the interpreter would, and the end of this process
        sys.excepthook(*sys.exc_info())
    finally:
        # As the interpreter ends: first the threads, then what was not written yet.
        threading._shutdown()  # pyright: ignore
        if isinstance(code, str):
            print(code, file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else bool(code))


if __name__ == "__main__":
    inspect.stack()  # Bolt asks for it, and it looks at every module once
    # Objects that never move to a collection are shared by all forks.
    # https://docs.python.org/3/library/gc.html#gc.freeze
    gc.collect()
    gc.freeze()
    Server(socket.socket(fileno=int(sys.argv[1]))).serve()
