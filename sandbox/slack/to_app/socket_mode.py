"""Socket Mode: the WebSocket over which an app without a public URL gets everything.

https://docs.slack.dev/apis/events-api/using-socket-mode: `hello`, `disconnect` with its reasons,
`slash_commands`, `interactive`, `events_api`; acked by `envelope_id`, with a payload where
`accepts_response_payload`.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import uuid
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import WSMsgType, web

from sandbox.background import BackgroundTasks
from sandbox.slack.channels import APP
from sandbox.slack.errors import SlackError
from sandbox.slack.to_app.delivery import Ack
from sandbox.wire import Json

ENVELOPES = {"command": "slash_commands", "event": "events_api"}
CLOSES_SECONDS = 10.0
"""A connection stays that long after `disconnect`, unless the app has opened another one."""

MOST = 10
"""Connections of one app: https://docs.slack.dev/apis/events-api/using-socket-mode"""

Reason = Literal["warning", "refresh_requested", "link_disabled", "too_many_websockets"]
"""`too_many_websockets` comes instead of `hello`, and ends the connection.

https://github.com/slackapi/bolt-js/issues/2238
"""


@dataclass(eq=False, slots=True)
class _Link:
    """One connection of an app."""

    socket: web.WebSocketResponse
    transport: Any
    leaving: bool = False
    """It was told that it is about to close: nothing new is sent over it."""
    deaf: bool = False
    """The app's messages over it are not heard any more."""
    waits_for: set[asyncio.Future[Ack]] = field(default_factory=set[asyncio.Future[Ack]])


class SocketMode:
    """A server of its own on localhost. Use as an async context manager, for `Delivery.socket`.

    An app may hold several connections (one a replica); each envelope goes to one of them.
    """

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._host = host
        self._port = 0
        self._tickets: set[str] = set()
        self._links: list[_Link] = []
        self._turn = itertools.count()
        self._waiting: dict[str, asyncio.Future[Ack]] = {}
        self._closing = BackgroundTasks()
        self._runner: web.AppRunner | None = None
        self.on = True
        """The switch in the app's settings. Turned off, no connection can be opened."""
        self.most = MOST
        self.refused = 0
        """Connections for which there was no place."""
        self.arrived = asyncio.Event()
        """Set while an app is connected and was not asked to connect anew."""

    async def __aenter__(self) -> SocketMode:
        app = web.Application()
        app.router.add_get("/link", self._link)
        # A short shutdown: an app that is gone must not hold the world back.
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, 0)
        await site.start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._closing.stop()
        for link in list(self._links):
            await _close(link)
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def connected(self) -> bool:
        return bool(self._links)

    @property
    def connections(self) -> int:
        return len(self._links)

    def url(self) -> str:
        """Return the address of one connection. Raises `SlackError` while Socket Mode is off."""
        if not self.on:
            # The documentation does not name this error.
            raise SlackError("socket_mode_disabled")
        ticket = secrets.token_urlsafe(12)
        self._tickets.add(ticket)
        return f"ws://{self._host}:{self._port}/link?ticket={ticket}"

    async def send(
        self, kind: str, payload: Json, *, retry: int, reason: str, seconds: float
    ) -> Ack:
        """Send an envelope over one of the connections, and wait `seconds` for its ack."""
        # One that is about to close is used only where there is no other.
        links = [link for link in self._links if not link.leaving] or self._links
        if not links:
            return Ack(failure="connection_failed")
        link = links[next(self._turn) % len(links)]
        envelope_id = str(uuid.uuid4())
        envelope: Json = {
            "envelope_id": envelope_id,
            "payload": payload,
            "type": ENVELOPES.get(kind, "interactive"),
            "accepts_response_payload": kind != "event",
        }
        if kind == "event":
            envelope |= {"retry_attempt": retry, "retry_reason": reason}
        acked: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
        self._waiting[envelope_id] = acked
        link.waits_for.add(acked)
        try:
            if not link.deaf:
                await link.socket.send_json(envelope)
            async with asyncio.timeout(seconds):
                return await acked
        except TimeoutError:
            return Ack(failure="http_timeout")
        except ConnectionError:
            return Ack(failure="connection_failed")
        finally:
            link.waits_for.discard(acked)
            del self._waiting[envelope_id]

    async def refresh(self) -> None:
        """Ask the app to connect anew, as Slack does every few hours."""
        await self.disconnect("refresh_requested")

    async def disconnect(self, reason: Reason) -> None:
        """Announce the end of every connection; with `link_disabled` it comes at once.

        https://docs.slack.dev/apis/events-api/using-socket-mode#disconnect
        """
        self.arrived.clear()
        if reason == "link_disabled":
            self.on = False
        for link in list(self._links):
            link.leaving = True
            try:
                await link.socket.send_json(_disconnect(reason))
            except ConnectionError:
                continue  # it is gone already
            after = 0.0 if reason == "link_disabled" else CLOSES_SECONDS
            self._closing.start(_close(link, after))

    def drop(self) -> int:
        """Break every connection, as a network does. Return how many there were."""
        links = list(self._links)
        for link in links:
            link.transport.abort()
        return len(links)

    def deafen(self) -> None:
        """Leave every connection open, and hear nothing over it any more."""
        for link in self._links:
            link.deaf = True
            link.transport.pause_reading()

    async def _link(self, request: web.Request) -> web.StreamResponse:
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            return web.Response(status=403)
        self._tickets.discard(ticket)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        if len(self._links) >= self.most:
            self.refused += 1
            await socket.send_json(_disconnect("too_many_websockets"))
            await socket.close()
            return socket
        older = [link for link in self._links if link.leaving]
        link = _Link(socket, request.transport)
        self._links.append(link)
        try:
            await socket.send_json(_hello(len(self._links)))
            self.arrived.set()
            if older:
                await _close(older[0])
            async for message in socket:
                if message.type == WSMsgType.TEXT and not link.deaf:
                    self._answered(message.json())
        finally:
            self._links.remove(link)
            for waiting in link.waits_for:
                if not waiting.done():
                    waiting.set_result(Ack(failure="connection_failed"))
            if not self._links:
                self.arrived.clear()
        return socket

    def _answered(self, answer: Json) -> None:
        waiting = self._waiting.get(answer.get("envelope_id", ""))
        if waiting is not None and not waiting.done():
            waiting.set_result(Ack(200, answer.get("payload")))


async def _close(link: _Link, after: float = 0.0) -> None:
    await asyncio.sleep(after)
    await link.socket.close()


def _hello(connections: int) -> Json:
    return {
        "type": "hello",
        "num_connections": connections,
        "connection_info": {"app_id": APP},
        "debug_info": {"host": "sandbox", "build_number": 1, "approximate_connection_time": 18060},
    }


def _disconnect(reason: str) -> Json:
    return {"type": "disconnect", "reason": reason, "debug_info": {"host": "sandbox"}}
