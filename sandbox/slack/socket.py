"""Socket Mode: the WebSocket over which an app without a public URL gets everything.

Envelopes: https://docs.slack.dev/apis/events-api/using-socket-mode (`hello`, `disconnect`, `slash_commands`, `interactive`,
`events_api`; acked by `envelope_id`, with a payload where `accepts_response_payload`).
"""

from __future__ import annotations

import asyncio
import secrets
import uuid

from aiohttp import WSMsgType, web

from sandbox.slack.changes import Json
from sandbox.slack.channels import APP
from sandbox.slack.delivery import Ack

ENVELOPES = {"command": "slash_commands", "event": "events_api"}


class SocketMode:
    """A small server of its own on localhost. Use as an async context manager, and set `Delivery.socket` to it."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._host = host
        self._port = 0
        self._tickets: set[str] = set()
        self._sockets: list[web.WebSocketResponse] = []
        self._waiting: dict[str, asyncio.Future[Ack]] = {}
        self._runner: web.AppRunner | None = None
        self.arrived = asyncio.Event()
        """Set when an app has connected; cleared when it has gone, or was asked to connect anew."""

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
        for socket in list(self._sockets):
            await socket.close()
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def connected(self) -> bool:
        return bool(self._sockets)

    def url(self) -> str:
        """What `apps.connections.open` answers; the ticket opens one connection."""
        ticket = secrets.token_urlsafe(12)
        self._tickets.add(ticket)
        return f"ws://{self._host}:{self._port}/link?ticket={ticket}"

    async def send(self, kind: str, payload: Json, *, retry: int, reason: str, seconds: float) -> Ack:
        """Send one envelope to the app that connected last; wait `seconds` for its ack."""
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
        try:
            await self._sockets[-1].send_json(envelope)
            async with asyncio.timeout(seconds):
                return await acked
        except TimeoutError:
            return Ack(failure="http_timeout")
        except ConnectionError:
            return Ack(failure="connection_failed")
        finally:
            del self._waiting[envelope_id]

    async def refresh(self) -> None:
        """Ask the app to connect anew, as Slack does every few hours; the old connection closes when the new one is there."""
        self.arrived.clear()
        if self._sockets:
            await self._sockets[-1].send_json(_disconnect("refresh_requested"))

    async def _link(self, request: web.Request) -> web.StreamResponse:
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            return web.Response(status=403)
        self._tickets.discard(ticket)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        older = list(self._sockets)
        self._sockets.append(socket)
        await socket.send_json(_hello(len(self._sockets)))
        self.arrived.set()
        for one in older:
            await one.close()
        try:
            async for message in socket:
                if message.type == WSMsgType.TEXT:
                    self._answered(message.json())
        finally:
            self._sockets.remove(socket)
            if not self._sockets:
                self.arrived.clear()
        return socket

    def _answered(self, answer: Json) -> None:
        waiting = self._waiting.get(answer.get("envelope_id", ""))
        if waiting is not None and not waiting.done():
            waiting.set_result(Ack(200, answer.get("payload")))


def _hello(connections: int) -> Json:
    return {
        "type": "hello",
        "num_connections": connections,
        "connection_info": {"app_id": APP},
        "debug_info": {"host": "sandbox", "build_number": 1, "approximate_connection_time": 18060},
    }


def _disconnect(reason: str) -> Json:
    return {"type": "disconnect", "reason": reason, "debug_info": {"host": "sandbox"}}
