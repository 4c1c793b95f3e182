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
from heapq import heappop, heappush
from typing import Any, Protocol

BEGIN = datetime(2026, 3, 2, 10, 0, tzinfo=UTC).timestamp()
"""A Monday morning. Earlier than the clock of any machine that runs this."""
RESOLUTION = 1e-9
"""Seconds by which a timer may go off early, as by the loop's own clock."""
BOOTED = 1000.0
"""What monotonic clocks show at the beginning."""


KEPT = {"PATH", "HOME", "TMPDIR", "PYTHONHASHSEED"}
"""Of the environment."""


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


class _Nothing(selectors.BaseSelector):
    """Watches nothing, and is never asked."""

    def __init__(self) -> None:
        self._map: dict[Any, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        self._map[fileobj] = selectors.SelectorKey(fileobj, 0, events, data)
        return self._map[fileobj]

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._map.pop(fileobj)

    def select(self, timeout: float | None = None) -> list[Any]:
        return []

    def get_map(self) -> Any:
        return self._map


class Loop(asyncio.SelectorEventLoop):
    """The loop of one world. Threads do their work at once, in this thread."""

    def __init__(self) -> None:
        super().__init__(_Nothing())
        self.set_task_factory(_task)

    # False, and asked twice a step: a call of C.
    get_debug = staticmethod(bool)  # pyright: ignore[reportAssignmentType]

    def time(self) -> float:
        return BOOTED + CLOCK.passed

    def call_soon(
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        handle = _Step(callback, args, self, context)
        self._ready.append(handle)  # pyright: ignore[reportAttributeAccessIssue]
        return handle

    def call_at(
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Of the timers of one moment the first that was set goes first."""
        timer = _Timer(when, callback, args, self, context)
        heappush(self._scheduled, (when, next(_NUMBERS), timer))  # pyright: ignore
        return timer

    def _run_once(self) -> None:
        """As the loop's own, which takes a tenth of the time of a life: nothing is waited for."""
        ready, timers = self._ready, self._scheduled  # pyright: ignore
        while timers and timers[0][2]._cancelled:
            heappop(timers)
        if not ready and not self._stopping:  # pyright: ignore
            if not timers:
                raise Stuck("nothing will ever happen again")
            CLOCK.passed += max(0.0, timers[0][0] - (BOOTED + CLOCK.passed))
        now = BOOTED + CLOCK.passed + RESOLUTION
        while timers and timers[0][0] < now:
            ready.append(heappop(timers)[2])
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle._cancelled:
                continue
            context = handle._context
            whose = context.get(WHOSE)
            if whose is not None and whose.steps_into_death():
                continue
            try:
                context.run(handle._callback, *handle._args)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:  # noqa: BLE001  as `asyncio.Handle._run`
                failure = {
                    "message": f"Exception in {handle!r}",
                    "exception": error,
                    "handle": handle,
                }
                self.call_exception_handler(failure)

    def run_in_executor(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, executor: Executor | None, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001  as an executor does
            done.set_exception(error)
        return done


class _Step(asyncio.Handle):
    """As the loop's own, which looks for debugging each time it is made and cancelled."""

    __slots__ = ()

    def __init__(
        self,
        callback: Callable[..., Any],
        args: Any,
        loop: asyncio.AbstractEventLoop,
        context: Context | None = None,
    ) -> None:
        self._context = copy_context() if context is None else context
        self._loop, self._callback, self._args = loop, callback, args
        self._cancelled, self._repr, self._source_traceback = False, None, None

    def cancel(self) -> None:
        self._cancelled = True
        self._callback = self._args = None  # pyright: ignore[reportAttributeAccessIssue]


class _Timer(asyncio.TimerHandle):
    """As `_Step`; the loop's own count of cancelled timers is not asked for."""

    __slots__ = ()

    def __init__(
        self,
        when: float,
        callback: Callable[..., Any],
        args: Any,
        loop: asyncio.AbstractEventLoop,
        context: Context | None = None,
    ) -> None:
        self._context = copy_context() if context is None else context
        self._loop, self._callback, self._args = loop, callback, args
        self._cancelled, self._repr, self._source_traceback = False, None, None
        self._when, self._scheduled = when, True

    def cancel(self) -> None:
        self._cancelled = True
        self._callback = self._args = None  # pyright: ignore[reportAttributeAccessIssue]


class _Task(asyncio.Task[Any]):
    """A task whose place in a set is that of its birth, not of its address in memory.

    Futures are as they are: the bot, its libraries and the sandbox keep only tasks in sets.
    """

    def __init__(self, coroutine: Any, **more: Any) -> None:
        self._number = next(_NUMBERS)
        super().__init__(coroutine, **more)

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
    for name in os.environ.keys() - KEPT:  # what stands there is this machine's, not the seed's
        del os.environ[name]
    random.seed(seed)
    os.getpid = lambda: 1  # it is in the names of the bot's consumers
    os.urandom = random.Random(f"{seed} urandom").randbytes
    secrets._sysrand = random.Random(f"{seed} secrets")  # pyright: ignore
