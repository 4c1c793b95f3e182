"""Run a program while the other end of standard input is open: `process_guard.py LOG COMMAND …`.

The pipe closes when the world ends, however it ends; then the program is asked to stop, and killed
if it does not. The first line of standard output is its process id; its own output goes to the end
of LOG. The exit code is the program's, or 128 + n where signal n ended it. Only the standard
library is used, so that it starts in milliseconds.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys

STOP_SECONDS = 6.0
"""Time for the program to end in order."""


def main(log: str, command: list[str]) -> int:
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    asked: list[int] = []
    # A terminal's Ctrl+C reaches the whole group, but the world ends its programs itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
    signal.signal(signal.SIGCHLD, lambda *_: None)
    with open(log, "ab", buffering=0) as output:
        program = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    print(program.pid, flush=True)
    while program.poll() is None:
        ready, _, _ = select.select([sys.stdin, wake_read], [], [], 5)
        if wake_read in ready:
            os.read(wake_read, 512)
        if asked or (sys.stdin in ready and not os.read(sys.stdin.fileno(), 512)):
            stop(program)
    return program.returncode if program.returncode >= 0 else 128 - program.returncode


def stop(program: subprocess.Popen[bytes]) -> None:
    program.terminate()
    try:
        program.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        program.kill()
        program.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
