"""Runs Valkey for as long as the other end of standard input is open.

`bot.connection.embedded` starts it as a program of its own. When the bot ends, however it ends,
the pipe closes and Valkey is stopped in order; this works alike on Linux and macOS. Only the
standard library, nothing of the bot: it starts in a few milliseconds.
"""

import os
import select
import shutil
import signal
import subprocess
import sys
import time

STOP_SECONDS = 8.0
LIVED_SECONDS = 3.0
"""A server that ended by itself sooner was not able to start; any other is started again."""


def main(folder: str, lock: int, command: list[str]) -> int:
    """`folder` holds the socket and is removed at the end; Valkey keeps the descriptor `lock`."""
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda received, _: asked.append(received))
    signal.signal(signal.SIGCHLD, lambda *_: None)
    try:
        while True:
            started = time.monotonic()
            with subprocess.Popen(
                command, stdin=subprocess.DEVNULL, pass_fds=(lock,), start_new_session=True
            ) as valkey:
                while valkey.poll() is None:
                    ready, _, _ = select.select([sys.stdin, wake_read], [], [], 5)
                    if wake_read in ready:
                        os.read(wake_read, 512)
                    if signal.SIGTERM in asked or (
                        sys.stdin in ready and not os.read(sys.stdin.fileno(), 512)
                    ):
                        return stop(valkey)
            killed = valkey.returncode < 0  # by a signal: the kernel short of memory, or a person
            if time.monotonic() - started < LIVED_SECONDS and not killed:
                return valkey.returncode or 1
            if wait_for_the_end(1):
                return 0
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def wait_for_the_end(seconds: float) -> bool:
    """Return whether the bot is gone by now."""
    ready, _, _ = select.select([sys.stdin], [], [], seconds)
    return bool(ready) and not os.read(sys.stdin.fileno(), 512)


def stop(valkey: subprocess.Popen[bytes]) -> int:
    valkey.terminate()
    try:
        valkey.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        valkey.kill()
        valkey.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))
