"""`python -m shop`: serve until SIGTERM. Settings come from the environment."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import FrameType
from typing import TextIO

import sentry_sdk

from . import observe
from .server import serve


def main() -> int:
    lock = hold(Path(os.environ["SHOP_PID_FILE"]))
    if os.environ.get("SHOP_REFUSE_START"):
        print("shop: no connection to the database", file=sys.stderr)
        return 1
    observe.start()
    server = serve(int(os.environ["SHOP_PORT"]), Path(os.environ["SHOP_DATA"]))
    signal.signal(signal.SIGTERM, stop)
    if house := os.environ.get("SHOP_HOUSE_LOCK"):
        threading.Thread(target=leave_with, args=(house,), daemon=True).start()
    try:
        server.serve_forever(poll_interval=0.1)
    except SystemExit:
        sentry_sdk.flush(timeout=0.5)
    server.server_close()  # before the lock goes: who gets the lock next wants the port
    lock.close()
    return 0


def hold(pid_file: Path) -> TextIO:
    """One process at a time: the lock on the pid file is ours for as long as we live."""
    handle = pid_file.open("a+")
    for _ in range(100):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            time.sleep(0.02)
    else:
        sys.exit("shop: another process runs already")
    handle.truncate(0)
    handle.write(str(os.getpid()))
    handle.flush()
    return handle


def stop(number: int, frame: FrameType | None) -> None:
    raise SystemExit


def leave_with(house: str) -> None:
    """Whoever keeps this shop holds a lock on this file; when it is gone, so are we."""
    with Path(house).open() as handle:
        fcntl.flock(handle, fcntl.LOCK_SH)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
