"""Delivery to the app: signed HTTP requests or Socket Mode, acks, retries of events.

Signing: https://docs.slack.dev/authentication/verifying-requests-from-slack
Retries: https://docs.slack.dev/apis/events-api/#retries
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlencode

import httpx

from sandbox.background import BackgroundTasks
from sandbox.slack.changes import Change
from sandbox.slack.to_app.events import BOT_EVENTS, event_of
from sandbox.slack.to_app.payloads import event_callback, new_event_id
from sandbox.slack.to_app.response_urls import ResponseUrls
from sandbox.slack.workspace import Workspace
from sandbox.webhook_delivery import LATER_SECONDS
from sandbox.wire import Json

ACK_SECONDS = 3.0
RETRY_DELAYS = (0.0, 60.0, 300.0)
"""Seconds before each of the three retries of an event: nearly at once, a minute, five minutes."""


@dataclass(frozen=True, slots=True)
class Ack:
    """An answer to one request. `failure` is one of Slack's retry reasons; None: it was acked."""

    status: int | None = None
    body: Any = None
    """Decoded JSON, a text, or None."""
    failure: str | None = None

    @property
    def ok(self) -> bool:
        return self.failure is None


@dataclass(slots=True)
class Delivered:
    """A command, event or interaction that was sent, with every ack that came for it.

    `kind` is "command", "event" or an interaction's type.
    """

    kind: str
    body: Json
    acks: list[Ack] = field(default_factory=list)


@dataclass(slots=True)
class Twist:
    """An oddity of the next delivery of its kind."""

    copies: int = 1
    fresh_event_id: bool = False
    """The copies of an event carry event ids of their own."""
    gate: asyncio.Event | None = None
    """Late: nothing is sent until it is set."""


class Socket(Protocol):
    """A Socket Mode server: `sandbox.slack.to_app.socket_mode.SocketMode`."""

    def url(self) -> str:
        """An address for one connection: `ws://…?ticket=…`."""
        ...

    async def send(
        self, kind: str, payload: Json, *, retry: int, reason: str, seconds: float
    ) -> Ack: ...


class Delivery:
    """Sends the app commands, interactions and events. Use as an async context manager."""

    def __init__(
        self,
        workspace: Workspace,
        *,
        request_url: str,
        signing_secret: str,
        public_url: str = "",
        ack_seconds: float = ACK_SECONDS,
        retry_delays: tuple[float, ...] = RETRY_DELAYS,
    ) -> None:
        """`request_url` is the app's one URL; `public_url` is the mount of `slack_app`."""
        self.workspace = workspace
        self.request_url = request_url
        self.signing_secret = signing_secret
        self.ack_seconds = ack_seconds
        self.retry_delays = retry_delays
        self.events: set[str] = set(BOT_EVENTS)
        """Event subscriptions of the app, named as in a manifest."""
        self.response_urls = ResponseUrls(workspace, public_url)
        self.socket: Socket | None = None
        """While it is set, the app has Socket Mode on, and nothing goes over HTTP."""
        self.twice = False
        """Everything comes a second time, a little later, and events overtake each other."""
        self.log: deque[Delivered] = deque(maxlen=1000)
        self._twists: dict[str, deque[Twist]] = {}
        self._background = BackgroundTasks()
        # The bot is on this machine, over plain HTTP: no certificates are loaded.
        self._http = httpx.AsyncClient(timeout=None, trust_env=False, verify=False)
        self._stop: Callable[[], None] | None = None

    async def __aenter__(self) -> Delivery:
        self._stop = self.workspace.changes.listen(self._on_change)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._stop is not None:
            self._stop()
        await self._background.stop()
        await self._http.aclose()

    async def idle(self) -> None:
        """Wait until every event that is under way has been acked or given up."""
        await self._background.idle()

    # Staging, for tests

    def twist(
        self,
        kind: str,
        *,
        copies: int = 1,
        fresh_event_id: bool = False,
        gate: asyncio.Event | None = None,
    ) -> None:
        """Make the next delivery of `kind` odd: sent twice, or held back until `gate` is set.

        `kind` is "command", an interaction's type, "event", or one event as "event:message".
        """
        self._twists.setdefault(kind, deque()).append(Twist(copies, fresh_event_id, gate))

    async def again(self, delivered: Delivered, *, event_id: str | None = None) -> Ack:
        """Send the same once more, newly signed; an event may get another event id."""
        if event_id is not None:
            delivered.body = {**delivered.body, "event_id": event_id}
        return await self._attempt(delivered)

    # Sending

    async def command(self, fields: dict[str, str]) -> Ack:
        return await self._deliver(Delivered("command", dict(fields)))

    async def interaction(self, payload: Json) -> Ack:
        return await self._deliver(Delivered(payload["type"], payload))

    async def event(self, event: Json) -> None:
        """Deliver an event, with retries until it is acked."""
        delivered = Delivered("event", event_callback(self.workspace, event))
        twist = await self._staged("event", f"event:{event['type']}")
        copies = [delivered]
        for _ in range(twist.copies - 1):
            event_id = new_event_id() if twist.fresh_event_id else delivered.body["event_id"]
            copies.append(Delivered("event", {**delivered.body, "event_id": event_id}))
        await asyncio.gather(*(self._event_until_acked(copy) for copy in copies))

    async def _deliver(self, delivered: Delivered) -> Ack:
        twist = await self._staged(delivered.kind)
        if self.twice:
            self._background.start(self._once_more(delivered))
        copies = [
            delivered,
            *(Delivered(delivered.kind, delivered.body) for _ in range(twist.copies - 1)),
        ]
        acks = await asyncio.gather(*(self._attempt(copy) for copy in copies))
        return acks[0]

    async def _staged(self, *kinds: str) -> Twist:
        for kind in kinds:
            if waiting := self._twists.get(kind):
                twist = waiting.popleft()
                if twist.gate is not None:
                    await twist.gate.wait()
                return twist
        return Twist()

    async def _once_more(self, delivered: Delivered) -> None:
        """Send the same payload, trigger id and all; its ack has no effect."""
        await asyncio.sleep(random.uniform(0, LATER_SECONDS))
        await self._attempt(Delivered(delivered.kind, delivered.body))

    async def _event_until_acked(self, delivered: Delivered) -> None:
        if self.twice:
            self._background.start(self._once_more(delivered))
            await asyncio.sleep(random.uniform(0, LATER_SECONDS))
        ack = await self._attempt(delivered)
        for number, delay in enumerate(self.retry_delays, start=1):
            if ack.ok:
                return
            await asyncio.sleep(delay)
            ack = await self._attempt(
                delivered, retry=number, reason=ack.failure or "unknown_error"
            )

    async def _attempt(self, delivered: Delivered, *, retry: int = 0, reason: str = "") -> Ack:
        if not delivered.acks:
            self.log.append(delivered)
        if self.socket is not None:
            ack = await self.socket.send(
                delivered.kind, delivered.body, retry=retry, reason=reason, seconds=self.ack_seconds
            )
        else:
            ack = await self._post(delivered, retry, reason)
        delivered.acks.append(ack)
        return ack

    async def _post(self, delivered: Delivered, retry: int, reason: str) -> Ack:
        if delivered.kind == "event":
            content_type, raw = "application/json", json.dumps(delivered.body)
        elif delivered.kind == "command":
            content_type, raw = "application/x-www-form-urlencoded", urlencode(delivered.body)
        else:
            content_type, raw = (
                "application/x-www-form-urlencoded",
                urlencode({"payload": json.dumps(delivered.body)}),
            )
        headers = {"Content-Type": content_type, **self.signature(raw)}
        if retry:
            headers |= {"X-Slack-Retry-Num": str(retry), "X-Slack-Retry-Reason": reason}
        try:
            async with asyncio.timeout(self.ack_seconds):
                response = await self._http.post(
                    self.request_url, content=raw.encode(), headers=headers
                )
        except TimeoutError:
            return Ack(failure="http_timeout")
        except httpx.TransportError:
            return Ack(failure="connection_failed")
        if not response.is_success:
            return Ack(response.status_code, failure="http_error")
        try:
            return Ack(response.status_code, _decoded(response))
        except ValueError:
            return Ack(response.status_code, failure="http_error")

    def signature(self, raw: str, *, at: int | None = None) -> dict[str, str]:
        """Return the headers of a signed request, for a body sent at `at` (default now)."""
        timestamp = str(int(self.workspace.now()) if at is None else at)
        digest = hmac.new(
            self.signing_secret.encode(), f"v0:{timestamp}:{raw}".encode(), hashlib.sha256
        ).hexdigest()
        return {
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": f"v0={digest}",
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
        }

    def _on_change(self, change: Change) -> None:
        event = event_of(self.workspace, change, self.events)
        if event is not None:
            self._background.start(self.event(event))


def _decoded(response: httpx.Response) -> Any:
    """Raises `ValueError` when it says that it is JSON and is not."""
    if not response.content:
        return None
    if response.headers.get("content-type", "").startswith("application/json"):
        return response.json()
    return response.text
