"""Small steps, a catalogue and helpers for the tests of store, outbox, clock and live messages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.store.incident_store import Store
from bot.store.incidents import Incidents
from phases.messages.base import Action
from phases.messages.commands import Cancel, Declare, PostUpdate
from phases.record.incident import Incident, Source, Status
from phases.record.service import Service
from phases.shared.change import Change, Draft, Refused

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Names:
    """A catalogue that knows `checkout` and `search`."""

    def __init__(self) -> None:
        self.services = {name: Service(name=name) for name in ("checkout", "search")}

    def get(self, name: str) -> Service | None:
        return self.services.get(name)

    def all(self) -> list[Service]:
        return list(self.services.values())

    def named_in(self, text: str) -> Service | None:
        return None

    def by_sentry_project(self, slug: str) -> Service | None:
        return None


def declare(service: str = "checkout", *, else_of: str | None = None) -> Declare:
    return Declare(
        ulid="01JNAAAAAAAAAAAAAAAAAAAAAA",
        title=f"{service} is failing",
        service=service,
        source=Source(kind="person", text="/incident"),
        else_of=else_of,
    )


def update(text: str) -> PostUpdate:
    return PostUpdate(by="U1", text=text)


More = Callable[[Draft, Action], Draft | Refused]


def steps(
    more: More = lambda draft, _: draft,
) -> Callable[[Incident | None, Action, Service, datetime], Change | Refused]:
    """A workflow of three rows: declare, cancel, anything else is a note; `more` adds to it."""

    def step(
        incident: Incident | None, action: Action, service: Service, now: datetime
    ) -> Change | Refused:
        match action:
            case Declare():
                opened = Incident(
                    id=f"INC-{action.number:04d}",
                    number=action.number,
                    ulid=action.ulid,
                    title=action.title,
                    service=action.service,
                    source=action.source,
                    detected_at=now,
                    declared_at=now,
                )
                draft = Draft(opened, now).note("declared", action.title)
                if action.else_of is None:
                    draft.claim(f"open:{action.service}:production")
            case Cancel():
                assert incident is not None
                draft = (
                    Draft(incident, now)
                    .set(status=Status.CANCELLED, cancelled_at=now)
                    .note("cancelled", action.reason)
                )
                draft.give_up_claim(f"open:{incident.service}:production")
            case _:
                assert incident is not None
                text = action.text if isinstance(action, PostUpdate) else action.type
                draft = Draft(incident, now).set(latest_update=text).note("note", text)
        result = more(draft, action)
        return result if isinstance(result, Refused) else result.done()

    return step


def dispatcher(store: Store, more: More = lambda draft, _: draft, **options: Any) -> Incidents:
    return Incidents(store, steps(more), Names(), **options)


async def until(
    condition: Callable[[], Awaitable[bool]] | Callable[[], bool], seconds: float = 60
) -> None:
    """Waits for a condition; fails after `seconds`."""
    async with asyncio.timeout(seconds):
        while True:
            value = condition()
            if await value if isinstance(value, Awaitable) else value:
                return
            await asyncio.sleep(0.005)


@asynccontextmanager
async def running(*bodies: Awaitable[None]) -> AsyncIterator[None]:
    """Runs these until the block ends."""
    tasks = [asyncio.ensure_future(body) for body in bodies]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task


class Proxy:
    """A proxy before Redis that loses things.

    It can lose the answers of the next n scripts or refuse new connections.
    """

    def __init__(self, url: str, path: Path) -> None:
        self._target = url.removeprefix("unix://")
        self._path = str(path)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self.lose_answers = 0
        self.hold_requests: asyncio.Event | None = None
        """While set and not fired, script calls wait here before they reach Redis."""
        self.forwarded = 0

    @property
    def url(self) -> str:
        return f"unix://{self._path}"

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_unix_server(self._serve, self._path)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            up_reader, up_writer = await asyncio.open_unix_connection(self._target)
            try:
                await self._pump(reader, writer, up_reader, up_writer)
            finally:
                up_writer.close()
                await up_writer.wait_closed()
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
            self._tasks.discard(task)

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        up_reader: asyncio.StreamReader,
        up_writer: asyncio.StreamWriter,
    ) -> None:
        dropped = asyncio.Event()

        async def forward() -> None:
            while data := await reader.read(1 << 20):
                if b"EVAL" in data:
                    if self.hold_requests is not None:
                        await self.hold_requests.wait()
                    self.forwarded += 1
                    if self.lose_answers > 0:
                        self.lose_answers -= 1
                        dropped.set()
                up_writer.write(data)
                await up_writer.drain()

        async def back() -> None:
            while data := await up_reader.read(1 << 20):
                if dropped.is_set() and b"NOSCRIPT" not in data:
                    return
                writer.write(data)
                await writer.drain()

        pumps = [asyncio.ensure_future(forward()), asyncio.ensure_future(back())]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
