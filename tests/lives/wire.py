"""HTTP without sockets: the bot's own clients, and below them a call of an ASGI app.

httpx and aiohttp (the Slack SDK) are the real ones down to where they would open a connection.
There every call meets the weather of this world: it may be late, refused, lost on its way or on its
way back. What an outside system does is done in the world's time, whoever asked for it dies or not.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import unquote, urlencode, urlsplit

import aiohttp
import httpx
from multidict import CIMultiDict
from starlette.types import ASGIApp, Message

from tests.lives.clock import context_of

LATENCY = (0.002, 0.03)
"""Seconds on one half of the way to an outside system."""
LATE_SECONDS = (0.5, 6.0)
RARE, RARELY = 3, 5.0
"""What was asked for less often than this loses its answer so many times as often."""
MUTATION = re.compile(rb"mutation\s*\w*|\b[a-z]+(?:Create|Update)\b")
LONG_SECONDS = 40.0
"""For which a call hangs that hangs: longer than anybody waits."""


@dataclass(frozen=True, slots=True)
class Asked:
    method: str
    url: str
    headers: list[tuple[str, str]]
    body: bytes
    seconds: float | None

    @property
    def path(self) -> str:
        return urlsplit(self.url).path


@dataclass(frozen=True, slots=True)
class Heard:
    status: int
    headers: list[tuple[str, str]]
    body: bytes


class NoAnswer(Exception):
    """The call got none. `sent`: it may have been carried out."""

    def __init__(self, *, sent: bool, late: bool = False) -> None:
        super().__init__()
        self.sent, self.late = sent, late


async def called(app: ASGIApp, asked: Asked) -> Heard:
    """Return what an ASGI app answers to one request. https://asgi.readthedocs.io/en/latest/specs/www.html"""
    at = urlsplit(asked.url)
    given, status, headers, body = False, 500, list[tuple[str, str]](), bytearray()

    async def receive() -> Message:
        nonlocal given
        if given:
            await asyncio.get_running_loop().create_future()
        given = True
        return {"type": "http.request", "body": asked.body, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status = message["status"]
            headers = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in message["headers"]]
        else:
            body.extend(message.get("body", b""))

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": asked.method,
        "scheme": at.scheme,
        "path": unquote(at.path),
        "raw_path": at.path.encode(),
        "query_string": at.query.encode(),
        "root_path": "",
        "headers": [(k.lower().encode(), v.encode("latin-1")) for k, v in asked.headers],
        "server": (at.hostname, at.port or 80),
        "client": ("127.0.0.1", 1),
    }
    await app(scope, receive, send)
    return Heard(status, headers, bytes(body))


class Front(Protocol):
    """The balancer before the replicas."""

    async def __call__(self, asked: Asked) -> Heard:
        """Raises `NoAnswer`."""
        ...


@dataclass
class Weather:
    """How often a call to a system goes wrong, of a thousand."""

    refused: float = 0.0
    """No connection comes about."""
    lost: float = 0.0
    """It is carried out, and the answer is lost."""
    hangs: float = 0.0
    """It gets no answer; it is carried out, or not."""
    limited: float = 0.0
    """429 with Retry-After, in the system's own shape."""
    faulty: float = 0.0
    """5xx."""
    late: float = 0.0
    """It is carried out seconds later: others overtake it."""


@dataclass
class Wire:
    """Everything that goes over the network of one world."""

    world: ASGIApp
    front: Front
    bot_url: str
    dice: random.Random
    weather: dict[str, Weather] = field(default_factory=dict)
    """System → its weather; without one it is fine."""
    log: Callable[[str], None] = lambda _: None
    away: set[str] = field(default_factory=set[str])
    """Systems that cannot be reached at all."""
    unheard: dict[bytes, int] = field(default_factory=dict[bytes, int])
    """Channels whose edits are made, and nobody is told so; how many were."""
    calls: int = 0
    asked: Counter[str] = field(default_factory=Counter[str])

    async def ask(self, asked: Asked) -> Heard:
        """Return the answer to a request of whoever runs now. Raises `NoAnswer`."""
        limit = asked.seconds
        try:
            async with asyncio.timeout(limit):
                if asked.url.startswith(self.bot_url):
                    return await self._in(asked)
                return await self._out(asked)
        except TimeoutError:
            raise NoAnswer(sent=True, late=True) from None

    async def _in(self, asked: Asked) -> Heard:
        await asyncio.sleep(self.dice.uniform(*LATENCY) / 4)
        return await self.front(asked)

    async def _out(self, asked: Asked) -> Heard:
        self.calls += 1
        system = asked.path.split("/")[1]
        weather = self.weather.get(system) or Weather()
        fate = self.dice.random() * 1000
        await asyncio.sleep(self.dice.uniform(*LATENCY))
        if fate < weather.refused or system in self.away:
            self.log(f"{asked.method} {asked.path}: no connection")
            raise NoAnswer(sent=False)
        fate -= weather.refused
        if self.dice.random() * 1000 < weather.late:
            self.log(f"{asked.method} {asked.path}: is late")
            await asyncio.sleep(self.dice.uniform(*LATE_SECONDS))
        lost = weather.lost * (RARELY if self._is_rare(asked) else 1.0)
        hangs = lost <= fate < lost + weather.hangs
        if hangs and self.dice.random() < 0.5:
            self.log(f"{asked.method} {asked.path}: hangs, and is not done")
            await asyncio.sleep(LONG_SECONDS)
            raise NoAnswer(sent=True)
        doing = asyncio.get_running_loop().create_task(
            called(self.world, asked), context=context_of(None)
        )
        heard = await asyncio.shield(doing)
        if hangs:
            self.log(f"{asked.method} {asked.path}: hangs, and is done")
            await asyncio.sleep(LONG_SECONDS)
            raise NoAnswer(sent=True)
        if fate < lost or self._is_unheard(asked):
            self.log(f"{asked.method} {asked.path}: done, and its answer is lost")
            raise NoAnswer(sent=True)
        await asyncio.sleep(self.dice.uniform(*LATENCY))
        return heard

    def _is_unheard(self, asked: Asked) -> bool:
        if not self.unheard or not asked.path.endswith("chat.update"):
            return False
        for channel in self.unheard:
            if channel in asked.body:
                self.unheard[channel] += 1
                return True
        return False

    def _is_rare(self, asked: Asked) -> bool:
        """Most calls are reads that come all the time; what is there once is made by the others."""
        if asked.method == "GET":
            return False
        what = ""
        if asked.path.endswith("graphql"):
            mutation = MUTATION.search(asked.body)
            if mutation is None:
                return False
            what = mutation[0].decode()
        kind = f"{asked.method} {re.sub(r'[0-9]+', '', asked.path)} {what}"
        self.asked[kind] += 1
        return self.asked[kind] <= RARE

    def install(self) -> None:
        """Be what httpx and aiohttp reach from now on, in this process."""
        wire = self

        async def handle(_: object, request: httpx.Request) -> httpx.Response:
            return await _by_httpx(wire.ask, request)

        async def request(
            session: aiohttp.ClientSession, method: str, url: Any, **more: Any
        ) -> _AiohttpAnswer:
            return await _by_aiohttp(wire.ask, session, method, str(url), **more)

        # Nobody sets any, and looking for them takes a twentieth of a life.
        httpx.Cookies.extract_cookies = lambda *_: None  # pyright: ignore
        httpx.AsyncHTTPTransport.handle_async_request = handle  # pyright: ignore
        aiohttp.ClientSession._request = request  # pyright: ignore


Ask = Callable[[Asked], Awaitable[Heard]]


async def _by_httpx(ask: Ask, request: httpx.Request) -> httpx.Response:
    body = await request.aread()
    seconds = (request.extensions.get("timeout") or {}).get("read")
    headers = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in request.headers.raw]
    asked = Asked(request.method, str(request.url), headers, body, seconds)
    try:
        heard = await ask(asked)
    except NoAnswer as none:
        if none.late:
            raise httpx.ReadTimeout("", request=request) from None
        if not none.sent:
            raise httpx.ConnectError("All connection attempts failed", request=request) from None
        text = "Server disconnected without sending a response."
        raise httpx.RemoteProtocolError(text, request=request) from None
    return httpx.Response(heard.status, headers=heard.headers, content=heard.body, request=request)


class _AiohttpAnswer:
    """As much of `aiohttp.ClientResponse` as the Slack SDK and Bolt look at."""

    def __init__(self, asked: Asked, heard: Heard) -> None:
        self.method, self.url, self.status = asked.method, asked.url, heard.status
        self.headers = CIMultiDict(heard.headers)
        self.content_type = self.headers.get("Content-Type", "application/octet-stream")
        self.content_type = self.content_type.partition(";")[0].strip()
        self.ok, self.reason = heard.status < 400, ""
        self._body = heard.body

    async def read(self) -> bytes:
        return self._body

    async def text(self, encoding: str | None = None) -> str:
        return self._body.decode()

    async def json(self, **_: object) -> Any:
        return json.loads(self._body)

    def release(self) -> None:
        return

    close = release

    async def wait_for_close(self) -> None:
        return

    async def __aenter__(self) -> _AiohttpAnswer:
        return self

    async def __aexit__(self, *_: object) -> None:
        return


async def _by_aiohttp(
    ask: Ask, session: aiohttp.ClientSession, method: str, url: str, **more: Any
) -> _AiohttpAnswer:
    headers, body = CIMultiDict(more.get("headers") or {}), b""
    if more.get("params"):
        url = f"{url}?{urlencode(more['params'])}"
    if more.get("json") is not None:
        body = json.dumps(more["json"]).encode()
        headers.setdefault("Content-Type", "application/json")
    elif isinstance(more.get("data"), dict):
        body = urlencode(more["data"]).encode()
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    elif more.get("data") is not None:
        body = more["data"].encode() if isinstance(more["data"], str) else more["data"]
    seconds = more.get("timeout") or session.timeout
    seconds = seconds.total if isinstance(seconds, aiohttp.ClientTimeout) else None
    asked = Asked(method, url, list(headers.items()), body, seconds)
    try:
        return _AiohttpAnswer(asked, await ask(asked))
    except NoAnswer as none:
        if none.late:
            raise TimeoutError from None
        if none.sent:
            raise aiohttp.ServerDisconnectedError from None
        raise aiohttp.ClientConnectionError("Cannot connect") from None
