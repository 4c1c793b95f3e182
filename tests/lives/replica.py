"""One replica of the bot in this process: its two halves without the sockets, and their death."""

from __future__ import annotations

import asyncio
import random
import re
import weakref
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote_plus

from starlette.types import ASGIApp

from bot import front
from bot.config.catalogue import Catalogue
from bot.config.settings import Settings
from bot.metrics import Metrics
from bot.wiring import Bot, warm, wire, work
from bot.wiring import Start as Found
from handlers.app import listeners
from tests.lives.clock import context_of
from tests.lives.wire import Asked, Heard, NoAnswer, called

RARE, RARELY = 6, 10.0
"""What was answered less often than this kills so many times as often."""
KIND = re.compile(r"text=\w+|(action_id|callback_id)\W+[\w.]+|\"type\": *\"\w+_(added|channel)\"")
SOON_SECONDS = (1.0, 8.0)
"""From the death of a bot to its next start, by whatever keeps it."""
BACK_SECONDS = 1.0
"""From the death of a back to the next one, by its parent (bot/runtime/halves.py)."""


@dataclass(frozen=True, slots=True)
class Start:
    """What a replica is started with."""

    settings: Settings
    catalogue: Catalogue
    log: Callable[[str], None]
    cut: Callable[[Any], None]
    """Called with a half that is dead: its connections are closed."""
    is_next: bool = False
    """It runs the next version of the code (tests/lives/versions.py)."""


class Half:
    """The front or the back of a bot, from its start to its death.

    Death is that of kill -9: from the step on at which it dies none of its code runs any more, no
    `finally` and no `except` either. Its tasks are kept, because closing them would run those.
    """

    def __init__(
        self, name: str, start: Start, wall_offset: float, body: Callable[[Half], Awaitable[None]]
    ) -> None:
        self.name, self.wall_offset = name, wall_offset
        self.is_next = start.is_next
        self.tasks: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
        self.steps = 0
        self.dies_at: int | None = None
        """The number of the step before which it dies."""
        self.is_dead = False
        self.dead = asyncio.Event()
        self.bot: Bot | None = None
        self.app: ASGIApp | None = None
        self.asking: dict[asyncio.Future[Heard], None] = {}
        self.stack = AsyncExitStack()
        self._start = start
        self._held: list[Any] = []
        loop = asyncio.get_running_loop()
        self._main = loop.create_task(self._run(body), name=name, context=context_of(self))
        self._main.add_done_callback(self._ended, context=context_of(None))

    def steps_into_death(self) -> bool:
        if self.is_dead:
            return True
        self.steps += 1
        if self.dies_at is not None and self.steps >= self.dies_at:
            self.die()
        return self.is_dead

    def die(self) -> None:
        if self.is_dead:
            return
        self.is_dead = True
        self._held = [*self.tasks, self.stack]
        self._start.log(f"{self.name} is killed at its step {self.steps}")
        self._start.cut(self)
        for asking in self.asking:
            if not asking.done():
                asking.set_exception(NoAnswer(sent=True))
        self.dead.set()

    async def _run(self, body: Callable[[Half], Awaitable[None]]) -> None:
        async with self.stack:
            await body(self)

    def _ended(self, main: asyncio.Task[None]) -> None:
        if not main.cancelled() and (error := main.exception()) is not None:
            self._start.log(f"{self.name} ended by itself: {error!r}")
        self.die()


class Replica:
    """A bot: its front, and the back that its parent begins again when it dies."""

    def __init__(self, name: str, start: Start, doom: Callable[[Half], None]) -> None:
        self.name = name
        self.wall_offset = 0.0
        self.ready = asyncio.Event()
        self.deaths = 0
        self.graves: list[Half] = []
        self.dies_when_it_acks: Callable[[Asked, Heard], bool] = lambda *_: False
        """What it says it has, it must have."""
        self._start, self._doom = start, doom
        self.front = self._half("front", self._front)
        self.back: Half | None = None
        self._at_start: Found | None = None
        self._keeping = asyncio.create_task(self._keep())

    def _half(self, name: str, body: Callable[[Half], Awaitable[None]]) -> Half:
        half = Half(f"{self.name} {name}", self._start, self.wall_offset, body)
        self._doom(half)
        return half

    @property
    def halves(self) -> list[Half]:
        return [self.front, *([self.back] if self.back is not None else [])]

    async def _keep(self) -> None:
        started = asyncio.create_task(self.ready.wait())
        dead = asyncio.create_task(self.front.dead.wait())
        await asyncio.wait({started, dead}, return_when=asyncio.FIRST_COMPLETED)
        while not dead.done():
            self.back = self._half("back", self._back)
            ended = asyncio.create_task(self.back.dead.wait())
            await asyncio.wait({ended, dead}, return_when=asyncio.FIRST_COMPLETED)
            if not dead.done():
                self.graves.append(self.back)
                self.deaths += 1
                await asyncio.sleep(BACK_SECONDS)
        for half in self.halves:
            half.die()
            self.graves.append(half)

    async def _front(self, half: Half) -> None:
        """As bot/front.py, without the server."""
        settings = self._start.settings
        bot = half.bot = await wire(settings, self._start.catalogue, half.stack)
        bot.store.dirtied = _Bell(self)
        heard = listeners(bot.context, front._secrets(settings))
        metrics = Metrics(bot.store, lambda: None, dict)
        half.app = front._http(bot, heard, metrics, _Seen())  # pyright: ignore
        self._at_start = bot.start
        self.ready.set()
        await asyncio.Event().wait()

    async def _back(self, half: Half) -> None:
        """As bot/back.py, without what it tells the front."""
        settings = self._start.settings
        bot = await wire(settings, self._start.catalogue, half.stack, self._at_start)
        half.bot = bot
        await warm(bot)
        await work(bot.workers)

    @property
    def takes_requests(self) -> bool:
        return self.front.app is not None and not self.front.is_dead

    async def answer(self, asked: Asked) -> Heard:
        """Return what this replica answers. Raises `NoAnswer` where it dies meanwhile."""
        half, loop = self.front, asyncio.get_running_loop()
        app = half.app
        if app is None or half.is_dead:
            raise NoAnswer(sent=False)
        answered: asyncio.Future[Heard] = loop.create_future()
        half.asking[answered] = None

        async def answering() -> None:
            try:
                heard = await called(app, asked)
            except Exception as error:  # noqa: BLE001  as a server answers where its app fails
                self._start.log(f"{self.name} failed at {asked.path}: {error!r}")
                heard = Heard(500, [], b"")
            if not answered.done():
                answered.set_result(heard)
            if self.dies_when_it_acks(asked, heard):
                half.die()

        loop.create_task(answering(), context=context_of(half))
        try:
            return await answered
        finally:
            half.asking.pop(answered, None)


class _Bell(asyncio.Event):
    """Set in the front, it is heard in the back (bot/report.py Bell)."""

    def __init__(self, replica: Replica) -> None:
        super().__init__()
        self._replica = replica

    def set(self) -> None:
        back = self._replica.back
        if back is not None and back.bot is not None and not back.is_dead:
            back.bot.store.dirtied.set()


class _Seen:
    """The back, as the front's `/readyz` asks for it."""

    def running(self) -> dict[str, bool]:
        return {}


class Fleet:
    """All replicas of a world: the balancer before them, and who starts dead ones again."""

    def __init__(self, count: int, start: Start, dice: random.Random) -> None:
        self._start, self._dice = start, dice
        self._turn = self._births = self._deaths = 0
        self.acks_kill = 0.0
        """The chance that a front dies with what it answers."""
        self._acked = Counter[str]()
        self.crash_every: tuple[int, int] | None = None
        """Steps between two deaths of a half, drawn between these."""
        self._clocks: dict[int, float] = {}
        self._next = set[int]()
        """Replicas that begin with the next version of the code."""
        self._graves: list[Replica] = []
        self.replicas = [self._born(number) for number in range(count)]
        self._keeping = [asyncio.create_task(self._keep(n)) for n in range(count)]

    @property
    def deaths(self) -> int:
        return self._deaths + sum(replica.deaths for replica in (*self.replicas, *self._graves))

    def _born(self, number: int) -> Replica:
        self._births += 1
        start = replace(self._start, is_next=number in self._next)
        replica = Replica(f"r{number}.{self._births}", start, self._doom)
        replica.wall_offset = self._clocks.get(number, 0.0)
        replica.dies_when_it_acks = self._dies_when_it_acks
        return replica

    def _dies_when_it_acks(self, asked: Asked, heard: Heard) -> bool:
        if heard.status != 200 or not self.acks_kill:
            return False
        match = KIND.search(unquote_plus(asked.body.decode(errors="replace")))
        kind = match[0] if match is not None else asked.path
        self._acked[kind] += 1
        often = self.acks_kill * (RARELY if self._acked[kind] <= RARE else 1.0)
        return self._dice.random() < often

    def set_clock(self, number: int, seconds: float) -> None:
        """Set the clock of this replica's machine away from the true time."""
        self._clocks[number] = self.replicas[number].wall_offset = seconds
        for half in self.replicas[number].halves:
            half.wall_offset = seconds

    def update(self, number: int) -> None:
        """Begin this replica again, with the next version of the code."""
        self._next.add(number)
        self.replicas[number].front.die()

    def doom(self) -> None:
        """Draw for each half that lives at which of its steps it dies."""
        for replica in self.replicas:
            for half in replica.halves:
                self._doom(half)

    def _doom(self, half: Half) -> None:
        half.dies_at = None
        if self.crash_every is not None:
            half.dies_at = half.steps + self._dice.randint(*self.crash_every)

    async def _keep(self, number: int) -> None:
        while True:
            await self.replicas[number].front.dead.wait()
            self._deaths += 1
            self._graves.append(self.replicas[number])
            await asyncio.sleep(self._dice.uniform(*SOON_SECONDS))
            self.replicas[number] = self._born(number)

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
