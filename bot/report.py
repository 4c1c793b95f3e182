"""The report of the back to the front, twice a second: whether its workers run, and their counts.

The front answers `/readyz` and `/metrics` for both. The other way a byte says that a live message
has to be looked at.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from bot.clients.http.call_counts import CALLS, LIMITED
from bot.live.editor import Live
from bot.outbox.worker import Outbox
from bot.runtime.worker import WorkerEntry
from bot.store.incident_store import Store
from bot.timers.scheduler import Clock

log = logging.getLogger(__name__)

TELL_SECONDS = 0.5
BEGINNING_SECONDS = 0.05
"""While a worker does not run yet, or fails: people and balancers wait for it."""
GONE_SECONDS = 5.0
"""A back that says nothing for so long is gone, or stands still."""
BUFFER = 65_536
RING = b"!"


class Report(BaseModel):
    """Counts since the start of the process that reports."""

    model_config = ConfigDict(frozen=True)

    running: Mapping[str, bool]
    """By the worker's name."""
    effects: tuple[tuple[str, str, int], ...]
    """Kind, result, count."""
    timers: Mapping[str, int]
    live: Mapping[str, int]
    unreadable: tuple[str, ...]
    """Incidents whose records could not be read."""
    calls: tuple[tuple[str, str, str, int], ...]
    """System, method, status, count."""
    limited: Mapping[str, int]

    @classmethod
    def of(
        cls, store: Store, outbox: Outbox, clock: Clock, live: Live, workers: Iterable[WorkerEntry]
    ) -> Self:
        return cls(
            running={
                worker.name: worker.running() for worker in workers if worker.running is not None
            },
            effects=tuple((*key, count) for key, count in outbox.ended.items()),
            timers=dict(clock.counts),
            live=dict(live.counts),
            unreadable=tuple(store.unreadable),
            calls=tuple(
                (system, method, status, n) for (system, method, status), n in CALLS.items()
            ),
            limited=dict(LIMITED),
        )


class Bell(asyncio.Event):
    """Set in the front, it is heard in the back: a live message has to be looked at."""

    def __init__(self, line: socket.socket) -> None:
        super().__init__()
        self._line = line

    def set(self) -> None:
        # In the next turn of the loop: what is rung for must not hold up the ack of the click.
        asyncio.get_running_loop().call_soon(self._ring)

    def _ring(self) -> None:
        # A full line has been rung already; a back that is gone reads every mark when it begins.
        with suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
            self._line.send(RING)


class BackSeen:
    """The back as the front sees it. `line` is the front's end, which does not block."""

    def __init__(self, line: socket.socket, workers: Iterable[WorkerEntry]) -> None:
        self.gone = asyncio.Event()
        """Set once no back can come any more: the bot ends."""
        self._line = line
        self._names = [worker.name for worker in workers if worker.running is not None]
        self._report: Report | None = None
        self._at = float("-inf")
        self._begun = b""

    def listen(self) -> None:
        asyncio.get_running_loop().add_reader(self._line, self._receive)

    def report(self) -> Report | None:
        """Return its newest report, however old it is."""
        return self._report

    def running(self) -> Mapping[str, bool]:
        """Return whether each of its workers runs; none does where nothing is heard of it."""
        if self._report is None or time.monotonic() - self._at > GONE_SECONDS:
            return dict.fromkeys(self._names, False)
        return self._report.running

    def _receive(self) -> None:
        try:
            received = self._line.recv(BUFFER)
        except BlockingIOError:
            return
        except ConnectionResetError:
            received = b""
        if not received:
            asyncio.get_running_loop().remove_reader(self._line)
            self.gone.set()
            return
        *lines, self._begun = (self._begun + received).split(b"\n")
        for line in lines:
            with suppress(ValidationError):  # half of one: a back that is killed does not end it
                self._report, self._at = Report.model_validate_json(line), time.monotonic()


async def send_reports(line: socket.socket, report: Callable[[], Report]) -> None:
    """Tell the front until cancelled."""
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(line, b"\n")  # behind what a back before this one left half said
    while True:
        latest = report()
        await loop.sock_sendall(line, latest.model_dump_json().encode() + b"\n")
        await asyncio.sleep(TELL_SECONDS if all(latest.running.values()) else BEGINNING_SECONDS)


def hear_the_bell(line: socket.socket, rung: asyncio.Event) -> None:
    """Set `rung` whenever the front rings."""
    loop = asyncio.get_running_loop()

    def heard() -> None:
        with suppress(BlockingIOError, ConnectionResetError):
            if line.recv(BUFFER):
                rung.set()
                return
            loop.remove_reader(line)  # the front is gone, and the parent ends this process

    loop.add_reader(line, heard)
