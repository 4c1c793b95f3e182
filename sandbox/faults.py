"""Faults of the emulated systems, staged by tests and the page.

A call is named `<system>.<method>`: `slack.chat.postMessage`, `sentry.events`, `discord.post`.
Every emulator answers its calls through `Faults.around`; `Hanging` stands in front of each.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sandbox.wire import lose_answer


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that happens to one call. `delay` in seconds; the rest as in HTTP."""

    delay: float = 0.0
    status: int | None = None
    error: str | None = None
    retry_after: int | None = None
    lose_answer: bool = False
    """The call takes effect, and the connection is closed without an answer."""

    def retry_header(self) -> dict[str, str]:
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}


@dataclass(slots=True)
class _Standing:
    """A fault that stays: for every call, each n-th, or the first of each method.

    Several faults take turns.
    """

    call: str
    faults: tuple[Fault, ...]
    every: int = 1
    once_each: bool = False
    came: int = 0
    struck: set[str] = field(default_factory=set[str])

    def meets(self, call: str) -> bool:
        return self.call in (call, call.split(".", 1)[0] + ".*")

    def strike(self, call: str) -> Fault | None:
        if self.once_each:
            if call in self.struck:
                return None
            self.struck.add(call)
        self.came += 1
        if self.came % self.every:
            return None
        return self.faults[(self.came // self.every - 1) % len(self.faults)]


@dataclass(slots=True)
class _Limit:
    """At most so many calls in any so many seconds; refused ones do not count."""

    at_most: int
    seconds: float
    taken: deque[float] = field(default_factory=deque[float])

    def refusal(self, now: float) -> Fault | None:
        while self.taken and self.taken[0] <= now - self.seconds:
            self.taken.popleft()
        if len(self.taken) < self.at_most:
            self.taken.append(now)
            return None
        return Fault(status=429, retry_after=max(1, math.ceil(self.taken[0] + self.seconds - now)))


class Faults:
    def __init__(self) -> None:
        self._limits: dict[str, _Limit] = {}
        self._queued: dict[str, deque[Fault]] = defaultdict(deque)
        self._standing: list[_Standing] = []
        self._hanging: dict[str, float] = {}
        self._hung: dict[str, int] = defaultdict(int)

    def next(self, call: str, fault: Fault, *, times: int = 1) -> None:
        """Let the next `times` calls named `call` meet `fault`."""
        self._queued[call].extend([fault] * times)

    def always(self, call: str, fault: Fault | Sequence[Fault], *, every: int = 1) -> None:
        """Let each `every`-th call of this name meet `fault`, until `clear`.

        `sentry.*` names a whole system. Several faults take turns.
        """
        faults = (fault,) if isinstance(fault, Fault) else tuple(fault)
        self._standing.append(_Standing(call, faults, every))

    def limit(self, call: str, at_most: int, seconds: float = 60.0) -> None:
        """Let calls beyond so many in any so many seconds meet 429, until `clear`."""
        self._limits[call] = _Limit(at_most, seconds)

    def once_each(self, system: str, fault: Fault) -> None:
        """Let the first call of each method of `system` meet `fault`."""
        self._standing.append(_Standing(f"{system}.*", (fault,), once_each=True))

    def hang(self, system: str, seconds: float) -> None:
        """Answer no call of `system` for `seconds`, until `hang(system, 0)` or `clear`.

        Each second call is carried out nevertheless.
        """
        self._hanging[system] = seconds

    def clear(self) -> None:
        self._queued.clear()
        self._standing.clear()
        self._hanging.clear()
        self._limits.clear()

    async def around(
        self,
        call: str,
        request: Request,
        answer: Callable[[], Awaitable[Response]],
        staged: Callable[[Fault], Response],
    ) -> Response:
        """Answer a call as its fault wants it: late, by `staged`, or without an answer."""
        fault = self.take(call)
        if fault is None:
            return await answer()
        if fault.delay:
            await asyncio.sleep(fault.delay)
        if fault.status is not None or fault.error is not None:
            return staged(fault)
        response = await answer()
        if fault.lose_answer:
            await lose_answer(request)
        return response

    def take(self, call: str) -> Fault | None:
        """The fault that the next call named `call` meets; it is used up."""
        limit = self._limits.get(call)
        if limit is not None and (refusal := limit.refusal(time.monotonic())) is not None:
            return refusal
        queued = self._queued.get(call)
        if queued:
            return queued.popleft()
        # The call's own fault goes before that of its whole system.
        for standing in sorted(self._standing, key=lambda fault: fault.call.endswith("*")):
            if standing.meets(call) and (fault := standing.strike(call)) is not None:
                return fault
        return None

    def hangs(self, system: str) -> tuple[float, bool]:
        """Return the seconds until the answer of a call, and whether it is carried out."""
        seconds = self._hanging.get(system, 0.0)
        if seconds:
            self._hung[system] += 1
        return seconds, self._hung[system] % 2 == 0


class Hanging:
    """ASGI in front of one emulated system that may hang.

    It answers once the seconds have passed, unless the caller has gone.
    """

    def __init__(self, app: ASGIApp, system: str, faults: Faults) -> None:
        self._app, self._system, self._faults = app, system, faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        seconds, carried_out = (
            self._faults.hangs(self._system) if scope["type"] == "http" else (0.0, True)
        )
        if not seconds:
            await self._app(scope, receive, send)
        elif carried_out:
            answer: list[Message] = []

            async def hold_back(message: Message) -> None:
                answer.append(message)

            await self._app(scope, receive, hold_back)
            if not await _caller_left(receive, seconds):
                for message in answer:
                    await send(message)
        elif not await _caller_left(receive, seconds):
            await send(
                {
                    "type": "http.response.start",
                    "status": 504,
                    "headers": [(b"content-length", b"0")],
                }
            )
            await send({"type": "http.response.body"})


async def _caller_left(receive: Receive, seconds: float) -> bool:
    """Return whether the caller goes away within `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return False
    return True
