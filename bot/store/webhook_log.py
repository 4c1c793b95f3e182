"""The last arrival of each kind of webhook, and its wrong signatures: for `firebreak doctor`.

A secret that is set proves nothing: only an arrival shows that somebody reaches us and signs with
the same one. One hash in Redis, written behind the answer: at most once a second, and once a minute
for webhooks that came well.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.config.settings import Settings
from bot.connection.client import StoreError, read, store_errors
from bot.store.incident_store import Store

log = logging.getLogger(__name__)

WELL_SECONDS = 60.0
"""So long nothing is written for more that comes well: the day counts, not the second."""
AGAIN_SECONDS = 30.0
"""After Redis did not take it."""
PAUSE_SECONDS = 1.0
"""Between two writes: whoever floods a webhook with wrong signatures must not cost a write each."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """One way in: its path, the setting that opens it, and who comes there."""

    path: str
    field: str
    whose: str

    @property
    def variable(self) -> str:
        return self.field.upper()


WEBHOOKS = (
    Webhook("/slack/events", "slack_signing_secret", "Slack"),
    Webhook("/webhooks/sentry", "sentry_webhook_secret", "Sentry"),
    Webhook("/webhooks/github", "github_webhook_secret", "GitHub"),
    Webhook("/webhooks/linear", "linear_webhook_secret", "Linear"),
    Webhook("/webhooks/deploys", "deploy_webhook_secret", "CI"),
    Webhook("/webhooks/changes", "change_webhook_secret", "flags"),
    Webhook("/webhooks/alerts", "alert_webhook_secret", "monitoring"),
    Webhook("/api/incidents", "api_token", "scripts"),
)


@dataclass(frozen=True, slots=True)
class Arrived:
    """The arrivals at one path; `refused` counts wrong signatures since the last right one."""

    since: datetime | None = None
    """The first start with this secret set."""
    at: datetime | None = None
    refused: int = 0
    refused_at: datetime | None = None


def opened(settings: Settings) -> tuple[Webhook, ...]:
    """The webhooks whose secret is set; in Socket Mode nothing of Slack comes by its webhook."""
    return tuple(
        webhook
        for webhook in WEBHOOKS
        if getattr(settings, webhook.field) is not None
        and not (webhook.whose == "Slack" and settings.socket_mode)
    )


class WebhookLog:
    """ASGI middleware around our routes; an answer of 401 is a signature that does not fit."""

    def __init__(
        self, app: ASGIApp, store: Store, webhooks: Iterable[Webhook], now: Callable[[], datetime]
    ) -> None:
        self._app, self._store, self._now = app, store, now
        self._doors = {webhook.path: webhook for webhook in webhooks}
        self._written: dict[str, float] = {}
        self._well: set[str] = set()
        self._refused: Counter[str] = Counter()
        self._writing: asyncio.Task[None] | None = None
        self._begun = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        webhook = self._doors.get(scope["path"]) if scope["type"] == "http" else None
        if webhook is None:
            await self._app(scope, receive, send)
            return
        status = 500

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, sent)
        finally:
            self._count(webhook, status)

    def begin(self) -> None:
        """Write since when each webhook is open."""
        self._write()

    def _count(self, webhook: Webhook, status: int) -> None:
        if status == 401:
            self._refused[webhook.whose] += 1
        elif (
            status < 300
            and time.monotonic() - self._written.get(webhook.whose, -WELL_SECONDS) >= WELL_SECONDS
        ):
            self._written[webhook.whose] = time.monotonic()
            self._well.add(webhook.whose)
            self._refused.pop(webhook.whose, None)
        else:
            return
        self._write()

    def _write(self) -> None:
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_pending(), name="arrivals")

    async def _write_pending(self) -> None:
        while self._well or self._refused or not self._begun:
            well, refused = self._well, self._refused
            self._well, self._refused = set(), Counter()
            try:
                await self._write_once(well, refused)
            except StoreError as error:
                log.warning("what came in could not be noted: %s", error.text)
                self._well |= well
                self._refused.update(refused)
                await asyncio.sleep(AGAIN_SECONDS)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _write_once(self, well: set[str], refused: Counter[str]) -> None:
        key, now = _key(self._store), self._now().isoformat()
        pipe = self._store.redis.pipeline(transaction=False)
        for webhook in self._doors.values():
            pipe.hsetnx(key, f"{webhook.whose}:since", now)
        for whose in well:
            pipe.hset(key, mapping={f"{whose}:at": now, f"{whose}:refused": 0})
        for whose, times in refused.items():
            pipe.hincrby(key, f"{whose}:refused", times)
            pipe.hset(key, f"{whose}:refused_at", now)
        with store_errors():
            await pipe.execute()
        self._begun = True


async def arrived(store: Store) -> dict[str, Arrived]:
    """Return the arrivals by webhook. Raises `StoreError`."""
    (fields,) = await read(store.redis, ("HGETALL", _key(store)))
    noted: dict[str, str] = dict(zip(fields[::2], fields[1::2], strict=True))

    def of(whose: str) -> Arrived:
        return Arrived(
            since=_parsed_time(noted.get(f"{whose}:since")),
            at=_parsed_time(noted.get(f"{whose}:at")),
            refused=int(noted.get(f"{whose}:refused") or 0),
            refused_at=_parsed_time(noted.get(f"{whose}:refused_at")),
        )

    return {webhook.whose: of(webhook.whose) for webhook in WEBHOOKS}


def _key(store: Store) -> str:
    return f"{store.keys.prefix}:arrivals"


def _parsed_time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None
