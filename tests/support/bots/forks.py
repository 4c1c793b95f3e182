"""The way to the process that forks bots and workers of pytest (`fork_server.py`).

One serves a whole run: `tests/conftest.py` starts it for the workers, which find it by `PATH`.
Where there are none, the first who needs it starts it.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[3]
CAN_FORK = sys.platform == "linux"
PATH = "FIREBREAK_TESTS_FORKS"
"""The variable that holds its socket's path."""


def fork_server() -> Path:
    """Return the path of the server's socket."""
    given = os.environ.get(PATH)
    return Path(given) if given else start_server()


@cache
def start_server(*collected: str) -> Path:
    """Start a server that ends with this process; return its socket's path.

    It collects the tests that these arguments of pytest choose.
    """
    folder = Path(tempfile.mkdtemp(prefix="firebreak-forks-"))
    path = folder / "socket"
    paths = filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen(64)
        server = subprocess.Popen(
            [
                *(sys.executable, "-P", "-m", "tests.support.bots.fork_server"),
                *(str(listening.fileno()), *collected),
            ],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.PIPE,
            pass_fds=(listening.fileno(),),
            start_new_session=True,
        )

    def end() -> None:
        assert server.stdin is not None
        server.stdin.close()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(end)
    return path


def ask(
    run: str,
    arguments: Sequence[str],
    env: Mapping[str, str],
    cwd: Path,
    standard: Sequence[int],
    patient: Sequence[str] = (),
) -> socket.socket:
    """Ask for a program with these standard descriptors; return its leash."""
    leash = socket.socket(socket.AF_UNIX)
    leash.connect(str(fork_server()))
    request = {"run": run, "argv": list(arguments), "env": dict(env), "cwd": str(cwd)}
    raw = json.dumps({**request, "patient": list(patient)}).encode() + b"\n"
    sent = socket.send_fds(leash, [raw], standard)
    leash.sendall(raw[sent:])
    return leash
