"""Virtual time: an event loop that never waits, and a process whose clocks all show its time.

Nothing in here does real I/O, so whenever no callback is ready the loop goes on at the moment of
the next timer. Two runs of one seed are the same run, to the microsecond.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import itertools
import os
import random
import secrets
import selectors
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Executor
from contextvars import Context, ContextVar, copy_context
from datetime import UTC, datetime, tzinfo
from typing import Any, Protocol

BEGIN = datetime(2026, 3, 2, 10, 0, tzinfo=UTC).timestamp()
"""A Monday morning. Earlier than the clock of any machine that runs this."""
BOOTED = 1000.0
"""What monotonic clocks show at the beginning."""


class Runs(Protocol):
    """Something whose every step is counted, and which may be dead: a replica of the bot."""

    wall_offset: float
    tasks: weakref.WeakSet[asyncio.Task[Any]]

    def steps_into_death(self) -> bool:
        """Called before each callback of it. True: the callback is never run."""
        ...

    def die(self) -> None:
        """Nothing of it runs any more."""
        ...


WHOSE: ContextVar[Runs | None] = ContextVar("the replica whose code runs", default=None)


_NUMBERS = itertools.count()


class Stuck(Exception):
    """No callback is ready, and no timer is set."""


class _Clock:
    """The time of this process; there is one."""

    def __init__(self) -> None:
        self.passed = 0.0

    def monotonic(self) -> float:
        return BOOTED + self.passed

    def wall(self) -> float:
        whose = WHOSE.get()
        return BEGIN + self.passed + (whose.wall_offset if whose is not None else 0.0)


CLOCK = _Clock()


class _Jumps(selectors.BaseSelector):
    """Watches nothing. Where the loop would wait, the time has come."""

    def __init__(self) -> None:
        self._map: dict[Any, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        self._map[fileobj] = selectors.SelectorKey(fileobj, 0, events, data)
        return self._map[fileobj]

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._map.pop(fileobj)

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise Stuck("nothing will ever happen again")
        if timeout > 0:
            CLOCK.passed += timeout
        return []

    def get_map(self) -> Any:
        return self._map


class _Handle(asyncio.Handle):
    __slots__ = ()

    def _run(self) -> None:
        whose = self._context.get(WHOSE)  # pyright: ignore[reportAttributeAccessIssue]
        if whose is None or not whose.steps_into_death():
            super()._run()  # pyright: ignore[reportAttributeAccessIssue]


class _TimerHandle(asyncio.TimerHandle):
    """A timer; of those of one moment the first that was set goes first."""

    __slots__ = ("_number",)

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._number = next(_NUMBERS)

    def __lt__(self, other: Any) -> bool:
        if self._when != other._when:
            return self._when < other._when
        return self._number < other._number

    def _run(self) -> None:
        whose = self._context.get(WHOSE)  # pyright: ignore[reportAttributeAccessIssue]
        if whose is None or not whose.steps_into_death():
            super()._run()  # pyright: ignore[reportAttributeAccessIssue]


class Loop(asyncio.SelectorEventLoop):
    """The loop of one world. Threads do their work at once, in this thread."""

    def __init__(self) -> None:
        super().__init__(_Jumps())
        self.set_task_factory(_task)

    def time(self) -> float:
        return CLOCK.monotonic()

    def create_future(self) -> asyncio.Future[Any]:
        return _Future(loop=self)

    def _call_soon(
        self, callback: Callable[..., Any], args: Any, context: Context | None
    ) -> asyncio.Handle:
        handle = _Handle(callback, args, self, context)
        self._ready.append(handle)  # pyright: ignore[reportAttributeAccessIssue]
        return handle

    def call_at(
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        self._check_closed()  # pyright: ignore[reportAttributeAccessIssue]
        timer = _TimerHandle(when, callback, args, self, context)
        self._add_scheduled(timer)
        return timer

    def _add_scheduled(self, timer: Any) -> None:
        import heapq

        heapq.heappush(self._scheduled, timer)  # pyright: ignore[reportAttributeAccessIssue]
        timer._scheduled = True

    def run_in_executor(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, executor: Executor | None, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001  as an executor does
            done.set_exception(error)
        return done


class _Task(asyncio.Task[Any]):
    """A task whose place in a set is that of its birth, not of its address in memory."""

    def __init__(self, coroutine: Any, **more: Any) -> None:
        self._number = next(_NUMBERS)
        super().__init__(coroutine, **more)

    def __hash__(self) -> int:
        return self._number


class _Future(asyncio.Future[Any]):
    """As `_Task`."""

    def __init__(self, **more: Any) -> None:
        self._number = next(_NUMBERS)
        super().__init__(**more)

    def __hash__(self) -> int:
        return self._number


def _task(loop: asyncio.AbstractEventLoop, coroutine: Any, **more: Any) -> asyncio.Task[Any]:
    """Remember whose task it is: what a killed replica holds must not be closed, it is gone."""
    task = _Task(coroutine, loop=loop, **more)
    context = more.get("context")
    whose = context.get(WHOSE) if context is not None else WHOSE.get()
    if whose is not None:
        whose.tasks.add(task)
    return task


def context_of(whose: Runs | None) -> Context:
    """Return a context in which code runs as this replica's; None: the world's."""
    context = copy_context()
    context.run(WHOSE.set, whose)
    return context


def install() -> None:
    """Put virtual time into this process. Call it before anything else is imported."""
    time.time = CLOCK.wall
    time.time_ns = lambda: round(CLOCK.wall() * 1e9)
    time.monotonic = time.perf_counter = CLOCK.monotonic
    time.monotonic_ns = time.perf_counter_ns = lambda: round(CLOCK.monotonic() * 1e9)
    time.clock_gettime = lambda clock: (
        CLOCK.wall() if clock == time.CLOCK_REALTIME else CLOCK.monotonic()
    )
    _of_datetime()


def _of_datetime() -> None:
    """`datetime.now` asks the system by itself, past the module `time`, and its type is closed.

    The dict behind the type's view is open. https://docs.python.org/3/c-api/type.html
    """

    def now(cls: type[datetime], tz: tzinfo | None = None) -> datetime:
        return cls.fromtimestamp(CLOCK.wall(), tz)

    def utcnow(cls: type[datetime]) -> datetime:
        return cls.fromtimestamp(CLOCK.wall(), UTC).replace(tzinfo=None)

    (methods,) = gc.get_referents(datetime.__dict__)
    methods["now"], methods["utcnow"] = classmethod(now), classmethod(utcnow)
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(datetime))


def sow(seed: str) -> None:
    """Let everything that throws dice in this process go by this seed."""
    random.seed(seed)
    os.getpid = lambda: 1  # it is in the names of the bot's consumers
    os.urandom = random.Random(f"{seed} urandom").randbytes
    secrets._sysrand = random.Random(f"{seed} secrets")  # pyright: ignore
