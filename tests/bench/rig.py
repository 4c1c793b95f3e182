"""The parts under every bench: a Valkey, bots and floors as processes, their CPU time, and a load.

The world (Slack with 80 ms a call, Sentry with 20 ms) runs in the bench's own process, which does
nothing else while something is measured. Requests come from `tests/bench/load.py`, a process of its
own.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import pickle
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode

import httpx
import uvicorn
from starlette.types import ASGIApp

from bot.store.incident_store import Store
from sandbox.credentials import SENTRY_SECRET, SIGNING_SECRET
from sandbox.faults import Fault
from sandbox.process import SupervisedProcess
from sandbox.serving import HOST, free_port
from sandbox.slack.channels import ALICE, APP, TEAM
from sandbox.world import World
from tests.chaos.store import Server

SLACK, SENTRY = Fault(delay=0.080), Fault(delay=0.020)
FORM = "application/x-www-form-urlencoded"
Fsync = Literal["everysec", "always"]
OFF = ("LINEAR_API_KEY", "DISCORD_WEBHOOK_URL", "PAGERDUTY_ROUTING_KEY", "LINEAR_WEBHOOK_SECRET")
"""Settings that a bench of clicks does without. Work after the ack is no part of the ack."""


@dataclass(frozen=True, slots=True)
class Load:
    """The load generator's results.

    Latencies are in milliseconds, sorted; `busy` is its own CPU time in seconds.
    """

    latencies: list[float]
    seconds: float
    busy: float
    statuses: dict[str, int]

    def at(self, share: float) -> float:
        return self.latencies[min(len(self.latencies) - 1, int(share * len(self.latencies)))]

    @property
    def p50(self) -> float:
        return self.at(0.5)

    def only(self, *wanted: int) -> Load:
        """Raise `SystemExit` if other answers came.

        The bench did not measure its subject then.
        """
        odd = {
            status: count for status, count in self.statuses.items() if int(status) not in wanted
        }
        if odd:
            raise SystemExit(f"bench: answers other than {wanted}: {odd}")
        return self


def cpu(*pids: int | None) -> float:
    """Seconds of processor time of these programs with all their threads, to the microsecond.

    https://docs.kernel.org/scheduler/sched-stats.html#proc-pid-schedstat
    """
    total = 0
    for pid in pids:
        for process in halves(pid):
            for thread in Path(f"/proc/{process}/task").iterdir():
                total += int((thread / "schedstat").read_text().split()[0])
    return total / 1e9


def halves(pid: int | None) -> list[int]:
    """The process, and the two that it forked where it is a bot (`bot/runtime/halves.py`)."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    names = {child: Path(f"/proc/{child}/comm").read_text() for child in children}
    return [pid or 0, *(int(child) for child in children if names[child].startswith("firebreak "))]


def resident(pid: int | None) -> float:
    """MB of memory that a program has; what its processes share counts once."""
    kilobytes = 0
    for process in halves(pid):
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        kilobytes += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kilobytes / 1024


class Rig:
    """One folder, one world; Valkeys, bots and floors are started in it."""

    def __init__(self, folder: Path, world: World) -> None:
        self.folder, self.world = folder, world
        self._count = 0

    def _name(self, what: str) -> str:
        self._count += 1
        return f"{what}-{self._count}"

    @asynccontextmanager
    async def valkey(self, fsync: Fsync = "everysec") -> AsyncIterator[Server]:
        place = self.folder / self._name("valkey")
        place.mkdir()
        server = Server(place, fsync=fsync)
        try:
            await server.up()
            yield server
        finally:
            server.kill()

    @asynccontextmanager
    async def bot(
        self, server: Server, *, without: Sequence[str] = OFF, **more: str
    ) -> AsyncIterator[Running]:
        env = {key: value for key, value in self.world.bot.env.items() if key not in without}
        port = free_port()
        env |= {
            "PORT": str(port),
            "REDIS_URL": server.url,
            "DATA_DIR": str(self.folder / "state"),
            **more,
        }
        async with self._process(["-m", "bot", "serve"], env, port, "/readyz", "bot") as running:
            yield running

    @asynccontextmanager
    async def floor(self, module: str, **more: str) -> AsyncIterator[Running]:
        """The floor program of a part: `python -m tests.bench.<part> PORT`."""
        port = free_port()
        env = {**self.world.bot.env, **more}
        async with self._process(["-m", module, str(port)], env, port, "/", "floor") as running:
            yield running

    @asynccontextmanager
    async def program(self, module: str, *arguments: str) -> AsyncIterator[Running]:
        """A part of the world as a process of its own: `python -m <module> PORT …`."""
        port = free_port()
        command = ["-m", module, str(port), *arguments]
        async with self._process(command, self.world.bot.env, port, "/log", "program") as running:
            yield running

    @asynccontextmanager
    async def _process(
        self, command: list[str], env: dict[str, str], port: int, path: str, what: str
    ) -> AsyncIterator[Running]:
        name = self._name(what)
        process = SupervisedProcess(
            [sys.executable, *command],
            env=env,
            log=self.folder / f"{name}.log",
            ready=lambda: asyncio.create_task(_answers(f"http://{HOST}:{port}{path}")),
            name=name,
        )
        try:
            await process.start(seconds=60)
            assert process.pid is not None
            yield Running(port, process.pid, process)
        finally:
            await process.stop()

    async def load(
        self,
        requests: Sequence[bytes],
        *ports: int,
        connections: int | None = None,
        rate: float | None = None,
    ) -> Load:
        file = self.folder / self._name("requests")
        await asyncio.to_thread(lambda: file.write_bytes(pickle.dumps(list(requests))))
        how = ["--rate", str(rate)] if rate else ["--connections", str(connections or 8)]
        command = ["-m", "tests.bench.load", str(file), *map(str, ports), *how]
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command, stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()
        file.unlink()
        if process.returncode:
            raise SystemExit("bench: the load generator failed")
        measured: dict[str, Any] = json.loads(output)
        latencies = sorted(1000 * latency for latency in measured["latencies"])
        return Load(latencies, measured["seconds"], measured["busy"], measured["statuses"])


@dataclass(frozen=True, slots=True)
class Running:
    port: int
    pid: int
    process: SupervisedProcess


async def _answers(url: str) -> bool:
    async with httpx.AsyncClient(timeout=2, trust_env=False) as http:
        while True:
            try:
                if (await http.get(url)).status_code in (200, 404):
                    return True
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.05)


@asynccontextmanager
async def rig(services: str | None = None, **more: Any) -> AsyncIterator[Rig]:
    """A world whose Slack and Sentry take their time, and no bot in it yet."""
    with tempfile.TemporaryDirectory(prefix="firebreak-bench-") as folder:
        place = Path(folder)
        given = None if services is None else services.replace("FOLDER", str(place / "world"))
        world = World(
            place / "world", with_bot=False, with_shop=False, services=given, window=900, **more
        )
        world.alerts.enabled = False
        async with world:
            world.faults.always("slack.*", SLACK)
            world.faults.always("sentry.*", SENTRY)
            yield Rig(place, world)


@asynccontextmanager
async def stored(server: Server) -> AsyncIterator[Store]:
    store = Store.open(server.url)
    try:
        yield store
    finally:
        await store.close()


# --- requests, signed -----------------------------------------------------------------------------


def slack_request(payload: dict[str, Any]) -> bytes:
    """An interaction as Slack sends it, whole and signed."""
    raw = urlencode({"payload": json.dumps(payload)}).encode()
    return _post("/slack/events", FORM, raw, _signed(raw))


def command_request(fields: dict[str, str]) -> tuple[bytes, dict[str, str]]:
    """A slash command's body and headers. https://docs.slack.dev/interactivity/implementing-slash-commands#app_command_handling"""
    usual = {
        "token": "bench-verification-token",
        "team_id": TEAM,
        "team_domain": "sandbox",
        "channel_name": "general",
        "user_id": ALICE,
        "user_name": "alice",
        "command": "/incident",
        "api_app_id": APP,
        "is_enterprise_install": "false",
        "response_url": "https://hooks.slack.com/commands/T0/1/bench",
    }
    raw = urlencode({**usual, **fields}).encode()
    return raw, {"Content-Type": FORM, **_signed(raw)}


def _signed(raw: bytes) -> dict[str, str]:
    at = str(int(time.time()))
    digest = hmac.new(
        SIGNING_SECRET.encode(), f"v0:{at}:".encode() + raw, hashlib.sha256
    ).hexdigest()
    return {"X-Slack-Request-Timestamp": at, "X-Slack-Signature": f"v0={digest}"}


def sentry_request(resource: str, body: dict[str, Any]) -> bytes:
    raw = json.dumps(body).encode()
    digest = hmac.new(SENTRY_SECRET.encode(), raw, hashlib.sha256).hexdigest()
    return _post(
        "/webhooks/sentry",
        "application/json",
        raw,
        {"Sentry-Hook-Resource": resource, "Sentry-Hook-Signature": digest},
    )


def _post(path: str, kind: str, raw: bytes, headers: dict[str, str]) -> bytes:
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Content-Type: {kind}",
        f"Content-Length: {len(raw)}",
    ]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + raw


# --- floors ---------------------------------------------------------------------------------------


def serve_floor(app: ASGIApp) -> None:
    """Serve on the port given as the first argument.

    Server and settings are the bot's own.
    """
    uvicorn.run(
        app,
        host=HOST,
        port=int(sys.argv[1]),
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_keep_alive=60,
    )


def environment(name: str) -> str:
    return os.environ[name]


def median_of(ratios: Sequence[float]) -> float:
    return statistics.median(ratios)


def spread(ratios: Sequence[float], digits: int = 2) -> str:
    """Return the least and the most of several rounds, as words."""
    return f"{min(ratios):.{digits}f} to {max(ratios):.{digits}f} in {len(ratios)} rounds"
