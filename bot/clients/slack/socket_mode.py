"""Socket Mode: Bolt's client, which asks for a new address where one does not connect.

It ends when the clicks are answered.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.socket_mode.aiohttp import SocketModeClient

PING_SECONDS = 10.0
"""Between two pings, and between two tries to connect; Bolt's own number."""
ADDRESS_SECONDS = 5.0
"""An address is used so long. Its ticket opens one connection.

Tried again after a failure it may be refused for ever.
"""
ANSWER_SECONDS = 3.0
"""Slack waits so long for an answer."""
FULL_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
"""Pauses before each try to connect where all ten connections of the app are taken.

They are another replica's, or ones that Slack has not missed yet.
"""
FULL = "too_many_websockets"
"""https://github.com/slackapi/bolt-js/issues/2238 shows the message; the limit:
https://docs.slack.dev/apis/events-api/using-socket-mode"""

log = logging.getLogger(__name__)


class Client(SocketModeClient):
    """The SDK's client, with pauses and fresh addresses.

    The SDK's loop asks for an address where it has none, and otherwise tries the same one again and
    again. Where there are too many connections it would try at once, for ever, until Slack refuses
    the address, too (`connect` of
    https://github.com/slackapi/python-slack-sdk/blob/main/slack_sdk/socket_mode/aiohttp/__init__.py).
    """

    @property
    def wss_uri(self) -> str | None:  # type: ignore[override]
        address, since = self._address
        return address if time.monotonic() - since < ADDRESS_SECONDS else None

    @wss_uri.setter
    def wss_uri(self, address: str | None) -> None:  # pyright: ignore
        self._address = address, time.monotonic()

    full = 0
    """The number of tries in a row for which there was no place."""

    async def issue_new_wss_url(self) -> str:
        if self.full:
            wait = FULL_SECONDS[min(self.full, len(FULL_SECONDS)) - 1]
            log.warning("Slack has too many connections of this app; trying again in %g s", wait)
            await asyncio.sleep(wait)
        return await super().issue_new_wss_url()

    async def run_message_listeners(self, message: dict[str, Any], raw_message: str) -> None:
        if message.get("type") == "disconnect" and message.get("reason") == FULL:
            self.full += 1
        elif message.get("type") == "hello":
            self.full = 0
        await super().run_message_listeners(message, raw_message)


class SocketMode(AsyncSocketModeHandler):
    """`timed`: measures from an envelope until its ack, which is Bolt's last act."""

    def __init__(
        self, app: AsyncApp, app_token: str, timed: Callable[[str], AbstractContextManager[None]]
    ) -> None:
        self.app = app
        self.client = Client(
            app_token=app_token,
            logger=app.logger,
            web_client=app.client,
            ping_interval=PING_SECONDS,
        )
        self.client.socket_mode_request_listeners.append(self.handle)
        self._timed = timed
        self._answering: set[asyncio.Task[Any]] = set()

    async def handle(self, client: Any, req: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._answering.add(task)
        try:
            with self._timed("socket"):
                await super().handle(client, req)
        finally:
            self._answering.discard(task)

    async def run(self) -> None:
        """Until cancelled; then what is being answered is, before the connection ends."""
        try:
            await self.start_async()
        finally:
            if self._answering:
                await asyncio.wait(self._answering, timeout=ANSWER_SECONDS)
            with contextlib.suppress(asyncio.CancelledError):
                await self.close_async()
