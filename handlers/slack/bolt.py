"""Bolt, in front of which clicks, forms, commands and shortcuts find their listeners directly.

Bolt's own way to one of ours (middleware for events, contexts, arguments by name) is an eighth of
the processor time of a click. Events go through Bolt, which knows the bot's own.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

BoundListener = Callable[[], Awaitable[dict[str, Any] | None]]
"""What listens to one payload; it returns the arguments of the ack."""


class App(AsyncApp):
    find: Callable[[dict[str, Any]], BoundListener | None] | None = None
    """Returns what listens to a payload; None: that is for Bolt."""
    failed: Callable[[Exception, dict[str, Any]], Awaitable[BoltResponse]] | None = None
    """Answers where that failed, given the payload."""

    async def answer(self, body: dict[str, Any]) -> BoltResponse:
        """Over HTTP: answer a payload."""
        listening = self.find(body) if self.find is not None else None
        if listening is None or self.failed is None:
            # Bolt takes a parsed body in the mode of a socket alone. Its own parser for HTTP loses
            # a command with the word "payload" in it (`slack_bolt.request.internals.parse_body`).
            # No header means anything to our listeners.
            return await super().async_dispatch(AsyncBoltRequest(body=body, mode="socket_mode"))
        try:
            return await AsyncAck()(**(await listening() or {}))
        except Exception as error:  # noqa: BLE001  as Bolt does: each is answered
            return await self.failed(error, body)

    async def async_dispatch(self, req: AsyncBoltRequest) -> BoltResponse:
        """Over a socket: answer a request."""
        return await self.answer(req.body)
