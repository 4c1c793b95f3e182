"""From the start of the bot to its first ack, beside a program that only imports its libraries.

The bot runs an embedded Valkey, as `DATA_DIR` has it, on an empty folder. A person clicks until it
is answered.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from asyncio.subprocess import DEVNULL, Process

from sandbox.serving import HOST, free_port
from tests.bench.rig import OFF, Rig, command_request, cpu, rig, spread
from tests.bench.table import Row, at_most

ROUNDS = 5
LIBRARIES = "import slack_bolt, httpx, pydantic, redis"
ANSWERED = b"HTTP/1.1 200"
LOOK_SECONDS = 0.005


async def rows() -> list[Row]:
    async with rig() as stage:
        stage.world.faults.clear()
        await _imported()
        await _started(stage)
        walls: list[float] = []
        ratios: list[float] = []
        costs: list[float] = []
        for _ in range(ROUNDS):
            below = await _imported()
            wall, cost = await _started(stage)
            walls.append(wall)
            costs.append(cost)
            ratios.append(wall / below)
    beside = (
        f"{statistics.median(ratios):.1f} times a program that imports its libraries "
        f"({spread(ratios, 1)}); {statistics.median(costs):.2f} s of CPU, both processes"
    )
    return [
        at_most(
            "start of the bot to its first ack",
            statistics.median(walls),
            1.2,
            unit="s",
            beside=beside,
        )
    ]


async def _imported() -> float:
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", LIBRARIES)
    await process.wait()
    return time.monotonic() - began


async def _started(stage: Rig) -> tuple[float, float]:
    """Return the seconds until the first ack, and those of the processor until then."""
    with tempfile.TemporaryDirectory(dir=stage.folder) as folder:
        port = free_port()
        env = {key: value for key, value in stage.world.bot.env.items() if key not in OFF}
        env |= {"PORT": str(port), "DATA_DIR": folder}
        env.pop("REDIS_URL", None)
        raw, headers = command_request({"text": "help", "channel_id": "C0", "trigger_id": "1.2"})
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"POST /slack/events HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {len(raw)}\r\n"
        began = time.monotonic()
        bot = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", "serve"), env=env, stdout=DEVNULL, stderr=DEVNULL
        )
        try:
            await _first_ack(bot, port, f"{head}{lines}\r\n".encode() + raw)
            return time.monotonic() - began, cpu(bot.pid)
        finally:
            bot.terminate()
            await bot.wait()


async def _first_ack(bot: Process, port: int, request: bytes) -> None:
    while bot.returncode is None:
        try:
            reader, writer = await asyncio.open_connection(HOST, port)
        except OSError:
            await asyncio.sleep(LOOK_SECONDS)
            continue
        writer.write(request)
        answer = await reader.readuntil(b"\r\n")
        writer.close()
        if not answer.startswith(ANSWERED):
            raise SystemExit(f"bench: the first request was answered with {answer!r}")
        return
    raise SystemExit(f"bench: the bot did not start: {bot.returncode}")
