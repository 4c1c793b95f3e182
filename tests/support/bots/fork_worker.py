"""A worker of pytest, forked: `fork_worker.py SOCKET -u -c PROGRAM` for `python -u -c PROGRAM`.

Its three standard descriptors are handed on, and its exit code is the worker's. Only the standard
library is used, so that it starts in milliseconds.
"""

from __future__ import annotations

import json
import os
import socket
import sys


def main(path: str, arguments: list[str]) -> int:
    with socket.socket(socket.AF_UNIX) as leash:
        leash.connect(path)
        request = {"run": "worker", "argv": arguments, "env": dict(os.environ), "cwd": os.getcwd()}
        raw = json.dumps({**request, "patient": []}).encode() + b"\n"
        leash.sendall(raw[socket.send_fds(leash, [raw], [0, 1, 2]) :])
        os.close(0)
        os.close(1)
        with leash.makefile() as answers:
            answers.readline()  # its process id
            return int(answers.readline() or 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
