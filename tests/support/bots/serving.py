"""The run of `firebreak serve` as a program that ends by itself."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from sandbox.serving import free_port
from tests.support.bots.forked import firebreak


async def serve(env: dict[str, str], folder: Path) -> tuple[int, str]:
    """The program, forked from one that has imported it: exit code and stderr."""
    code, _, output = await firebreak("serve", env=env, cwd=folder)
    return code, output


async def serve_as_host(env: dict[str, str], folder: Path) -> tuple[int, str]:
    """The program as a host starts it: exit code and stderr."""
    root = Path(__file__).parents[3]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "serve"),
        env={"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin", "PORT": str(free_port()), **env},
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(120):  # a busy machine may take so long to start it
        _, output = await process.communicate()
    return process.returncode or 0, output.decode()
