"""The parent of the bot's two processes: forks them, forwards signals, and ends with them.

The *front* answers people, the *back* does all else. Python runs one thread of a process at a time,
so in one process a click would wait for whatever is being computed; two processes are shared out by
the kernel, which lets the front go first (`BACK_NICE`). Both are forked before there is a thread or
an event loop, so that nothing is imported twice (https://docs.gunicorn.org/en/stable/design.html).

A half that ends: with the front the bot ends; the back is started again. Where the parent itself is
killed, a pipe closes, and both halves end at once: nothing goes on beside the next bot.
"""

import gc
import logging
import os
import select
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from bot.runtime.ending import STOP_SECONDS

log = logging.getLogger("firebreak")

AGAIN_SECONDS = 1.0
"""Between the end of a back and its next start."""
KILL_SECONDS = STOP_SECONDS + 1.0
"""After the signal. A half ends itself before that, unless it is frozen."""
BACK_NICE = 5
"""How much the back gives way to the front (docs/performance.md). More would starve it on a busy
machine, and its deploys inherit it."""
STOPPING = (signal.SIGTERM, signal.SIGINT)

Front = Callable[[socket.socket, "Up"], int]
"""Given its end of the line to the back, and what it tells the parent once it is up."""
Back = Callable[[socket.socket, str], int]
"""Given its end of the line to the front, and what the front told the parent."""


class Up:
    """The front's word to the parent."""

    def __init__(self, tell: int) -> None:
        self._tell = tell

    def tell(self, text: str) -> None:
        """Say that the front is up, in one line: the back may begin, and is given it."""
        os.write(self._tell, text.encode() + b"\n")

    def end(self) -> None:
        """Say that the front ends, whatever the reason: the back has to end first."""
        if self._tell >= 0:
            os.close(self._tell)
            self._tell = -1


def run_halves(front: Front, back: Back) -> int:
    """Run both until the front ends or a signal comes; return the exit code of the front."""
    gc.freeze()  # https://docs.python.org/3/library/gc.html#gc.freeze
    return _Parent(front, back).run()


class _Parent:
    def __init__(self, front: Front, back: Back) -> None:
        self._run_front, self._run_back = front, back
        self._alive, self._held = os.pipe()
        """The halves read the one end, which closes with the parent, who alone has the other."""
        self._heard, self._tell = os.pipe()
        self._front_end, self._back_end = socket.socketpair()
        self._front = self._back = 0
        """Process ids; 0: does not run."""
        self._code = 1
        self._told: str | None = None
        self._again_at = 0.0
        self._kill_at: float | None = None
        """Set once everything has to end (monotonic)."""

    def run(self) -> int:
        wake, woken = os.pipe()
        os.set_blocking(woken, False)
        asked: list[int] = []
        for number in STOPPING:
            signal.signal(number, lambda received, _: asked.append(received))
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        self._front = self._fork("front", self._as_front)
        os.close(self._tell)
        while self._front or self._back:
            heard = [] if self._kill_at is not None else [self._heard]
            ready, _, _ = select.select([wake, *heard], [], [], self._patience())
            if wake in ready:
                os.read(wake, 512)
            if self._heard in ready:
                self._listen()
            if asked:
                self._stop()
            self._reap()
            self._start_or_kill()
        return self._code

    def _patience(self) -> float | None:
        """Return the seconds until something has to be done without a signal."""
        if self._kill_at is not None:
            return max(0.0, self._kill_at - time.monotonic())
        if self._told is not None and not self._back:
            return max(0.0, self._again_at - time.monotonic())
        return None

    def _listen(self) -> None:
        line = os.read(self._heard, 65_536)
        if line:
            self._told = line.decode().strip()
        else:  # closed: the front ends, or is gone
            self._stop()

    def _stop(self) -> None:
        if self._kill_at is not None:
            return
        self._kill_at = time.monotonic() + KILL_SECONDS
        self._back_end.close()  # the back's own is the last one: the front sees when it is gone
        self._signal_both(signal.SIGTERM)

    def _signal_both(self, number: int) -> None:
        for pid in (self._front, self._back):
            if pid:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)

    def _reap(self) -> None:
        """Take in what has ended. As process 1 of a container that is also what others left."""
        while self._front or self._back:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self._child_ended(pid, os.waitstatus_to_exitcode(status))

    def _child_ended(self, pid: int, code: int) -> None:
        stopping = self._kill_at is not None
        if pid == self._front:
            self._front = 0
            told_to = stopping and code == -signal.SIGTERM
            self._code = 0 if told_to else code if code >= 0 else 128 - code
            if code < 0 and not told_to:
                log.critical("the front was ended by signal %s: the bot ends", -code)
            self._stop()
        elif pid == self._back:
            self._back = 0
            if not stopping:
                self._again_at = time.monotonic() + AGAIN_SECONDS
                how = f"with code {code}" if code >= 0 else f"by signal {-code}"
                log.critical("the back ended %s; it is started again", how)

    def _start_or_kill(self) -> None:
        if self._kill_at is not None:
            if time.monotonic() >= self._kill_at:
                log.error("not stopped within %s s: killed", KILL_SECONDS)
                self._signal_both(signal.SIGKILL)
                self._kill_at += KILL_SECONDS
        elif self._told is not None and not self._back and time.monotonic() >= self._again_at:
            self._back = self._fork("back", self._as_back)

    # --- in the halves ----------------------------------------------------------------------------

    def _fork(self, name: str, run: Callable[[], int]) -> int:
        """Return the process id of the half. The half itself never returns from here."""
        sys.stdout.flush()
        sys.stderr.flush()
        # A signal between fork and the half's own handlers has to wait, not to get lost.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        pid = os.fork()
        if pid:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
            return pid
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            # A terminal's Ctrl+C reaches all three; the parent forwards it as SIGTERM.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
            os.close(self._held)
            os.close(self._heard)
            self._end_with_the_parent()
            _name_process(f"firebreak {name}")
            code = run()
        except BaseException:  # noqa: BLE001  said, and the process ends
            traceback.print_exc()
        finally:
            logging.shutdown()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _as_front(self) -> int:
        self._back_end.close()
        return self._run_front(self._front_end, Up(self._tell))

    def _as_back(self) -> int:
        self._front_end.close()
        os.nice(BACK_NICE)
        return self._run_back(self._back_end, self._told or "")

    def _end_with_the_parent(self) -> None:
        def wait() -> None:
            os.read(self._alive, 1)
            os._exit(128 + signal.SIGKILL)

        threading.Thread(target=wait, name="parent", daemon=True).start()


def _name_process(name: str) -> None:
    """Give this process its name in `ps -o comm` and `top`, where /proc allows it."""
    with suppress(OSError):
        Path("/proc/self/comm").write_text(name)
