"""Bolt, which takes few commands at a time."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

COMMANDS_AT_ONCE = 2
"""A command costs three clicks; whoever clicks need not wait for many commands."""
TURN_SECONDS = 0.2
"""No command waits longer for its turn: those before it may wait for Slack or Redis."""


class App(AsyncApp):
    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._commands = asyncio.Semaphore(COMMANDS_AT_ONCE)

    async def async_dispatch(self, req: AsyncBoltRequest) -> BoltResponse:
        """Over HTTP and over a socket."""
        if "command" not in req.body:
            return await super().async_dispatch(req)
        async with AsyncExitStack() as stack:
            with suppress(TimeoutError):
                async with asyncio.timeout(TURN_SECONDS):
                    await stack.enter_async_context(self._commands)
            return await super().async_dispatch(req)
