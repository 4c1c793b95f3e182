"""One replica of the bot in this process: all of it but the sockets; and its death."""

from __future__ import annotations

import asyncio
import random
import weakref
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from bot import server
from bot.config.catalogue import Catalogue
from bot.config.settings import Settings
from bot.metrics import Metrics
from bot.wiring import wire, work
from handlers.app import listeners
from starlette.types import ASGIApp
from tests.lives.clock import context_of
from tests.lives.wire import Asked, Heard, NoAnswer, called

SOON_SECONDS = (1.0, 8.0)
"""From a death to the next start."""


@dataclass(frozen=True, slots=True)
class Start:
    """What a replica is started with."""

    settings: Settings
    catalogue: Catalogue
    said: Callable[[str], None]
    cut: Callable[[Any], None]
    """Called with a replica that is dead: its connections are closed."""


class Replica:
    """A bot from its start to its death. It is never stopped gently, except by `stop`.

    Death is that of kill -9: from the step on at which it dies none of its code runs any more, no
    `finally` and no `except` either. Its tasks are kept, because closing them would run those.
    """

    def __init__(self, name: str, start: Start) -> None:
        self.name = name
        self.wall_offset = 0.0
        self.tasks: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
        self.steps = 0
        self.dies_at: int | None = None
        """The number of the step before which it dies."""
        self.dead = asyncio.Event()
        self.ready = asyncio.Event()
        self._start = start
        self._is_dead = False
        self._app: ASGIApp | None = None
        self._asking: set[asyncio.Future[Heard]] = set()
        self._held: list[Any] = []
        self._context = context_of(self)
        self._loop = asyncio.get_running_loop()
        self._stack = AsyncExitStack()
        self.main = self._loop.create_task(self._run(), name=name, context=self._context)
        self.main.add_done_callback(self._ended, context=context_of(None))

    def steps_into_death(self) -> bool:
        if self._is_dead:
            return True
        self.steps += 1
        if self.dies_at is not None and self.steps >= self.dies_at:
            self.die()
            return True
        return False

    def die(self) -> None:
        if self._is_dead:
            return
        self._is_dead = True
        self._held = [*self.tasks, self._stack]
        self._start.said(f"{self.name} is killed at its step {self.steps}")
        self._start.cut(self)
        for asking in self._asking:
            if not asking.done():
                asking.set_exception(NoAnswer(sent=True))
        self.dead.set()

    @property
    def takes_requests(self) -> bool:
        return self._app is not None and not self._is_dead

    async def answer(self, asked: Asked) -> Heard:
        """Return what this replica answers. Raises `NoAnswer` where it dies meanwhile."""
        app = self._app
        if app is None or self._is_dead:
            raise NoAnswer(sent=False)
        answered: asyncio.Future[Heard] = self._loop.create_future()
        self._asking.add(answered)

        async def answering() -> None:
            try:
                heard = await called(app, asked)
            except Exception as error:  # noqa: BLE001  as a server answers where its app fails
                self._start.said(f"{self.name} failed at {asked.path}: {error!r}")
                heard = Heard(500, [], b"")
            if not answered.done():
                answered.set_result(heard)

        self._loop.create_task(answering(), context=context_of(self))
        try:
            return await answered
        finally:
            self._asking.discard(answered)

    async def _run(self) -> None:
        settings = self._start.settings
        async with self._stack as stack:
            bot = await wire(settings, self._start.catalogue, stack)
            heard = listeners(bot.context, server._secrets(settings), bot.ack_priority.somebody_asks)
            metrics = Metrics(bot.store, bot.outbox, bot.clock, bot.live, bot.workers)
            self._app = server._http(bot, heard, metrics)
            self.bot = bot
            self.ready.set()
            async with asyncio.TaskGroup() as group:
                group.create_task(work(bot.workers), name="workers")
                group.create_task(heard.homes.run(), name="app home")

    def _ended(self, main: asyncio.Task[None]) -> None:
        if not main.cancelled() and (error := main.exception()) is not None:
            self._start.said(f"{self.name} ended by itself: {error!r}")
            self.failed = error
        self.die()


class Fleet:
    """All replicas of a world: the balancer before them, and who starts dead ones again."""

    def __init__(self, count: int, start: Start, dice: random.Random) -> None:
        self._start, self._dice = start, dice
        self._turn = 0
        self._births = 0
        self.deaths = 0
        self.crash_every: tuple[int, int] | None = None
        """Steps between two deaths of a replica, drawn between these."""
        self._clocks: dict[int, float] = {}
        self._graves: list[Replica] = []
        self.replicas = [self._born(number) for number in range(count)]
        self._keeping = [asyncio.create_task(self._keep(n)) for n in range(count)]

    def _born(self, number: int) -> Replica:
        self._births += 1
        return Replica(f"r{number}.{self._births}", self._start)

    def set_clock(self, number: int, seconds: float) -> None:
        """Set the clock of this replica's machine away from the true time."""
        self._clocks[number] = self.replicas[number].wall_offset = seconds

    def doom(self) -> None:
        """Draw for each replica that lives at which of its steps it dies."""
        for replica in self.replicas:
            self._doom(replica)

    def _doom(self, replica: Replica) -> None:
        if self.crash_every is not None:
            replica.dies_at = replica.steps + self._dice.randint(*self.crash_every)
        else:
            replica.dies_at = None

    async def _keep(self, number: int) -> None:
        while True:
            await self.replicas[number].dead.wait()
            self.deaths += 1
            self._graves.append(self.replicas[number])
            await asyncio.sleep(self._dice.uniform(*SOON_SECONDS))
            self.replicas[number] = self._born(number)
            self.replicas[number].wall_offset = self._clocks.get(number, 0.0)
            self._doom(self.replicas[number])

    async def ready(self) -> None:
        for replica in self.replicas:
            await replica.ready.wait()

    async def __call__(self, asked: Asked) -> Heard:
        for _ in self.replicas:
            self._turn += 1
            replica = self.replicas[self._turn % len(self.replicas)]
            if replica.takes_requests:
                return await replica.answer(asked)
        raise NoAnswer(sent=False)
