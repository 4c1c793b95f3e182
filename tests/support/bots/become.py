"""What a fork of `fork_server.py` becomes: `firebreak`, or a worker of pytest."""

from __future__ import annotations

import atexit
import importlib
import inspect
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any, NoReturn

from bot.__main__ import main
from bot.clients.http import certificates
from phases.triage.rollback.written_warnings import warning_in
from tests.support.deadlines import deadlines


def prepare() -> None:
    """Read what each program would read in this environment: the list of authorities."""
    certificates.context()


def become(request: dict[str, Any], standard: list[int]) -> NoReturn:
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
        for held, name, seconds in deadlines(*request["patient"]):
            held[name] = seconds
        code = RUNS[request["run"]](request["argv"])
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


def _firebreak(arguments: list[str]) -> int:
    sys.argv = ["firebreak", *arguments]
    return main(arguments)


def _worker(arguments: list[str]) -> int:
    """Be what execnet starts as `python -u -c PROGRAM`."""
    sys.argv = ["-c"]
    exec(arguments[-1], {"__name__": "__main__"})
    atexit._run_exitfuncs()  # pyright: ignore
    return 0


RUNS: dict[str, Callable[[list[str]], int]] = {"firebreak": _firebreak, "worker": _worker}

for module in (
    *("bot.server", "bot.cli.doctor", "bot.cli.export", "bot.cli.forget", "bot.cli.import_"),
    *("anyio._backends._asyncio", "httpcore"),
    *("apscheduler.executors.asyncio", "apscheduler.triggers.interval"),
    *("uvicorn.lifespan.off", "uvicorn.loops.auto"),
    *("uvicorn.protocols.http.auto", "uvicorn.protocols.websockets.auto"),
):
    importlib.import_module(module)  # commands and parts of libraries that wait until they run
inspect.stack()  # Bolt asks for it, and it looks at every module once
warning_in("No rollback.")  # the first one compiles the pattern
