"""Bolt, which finds the listener of a click or a form by its id at once, and takes few commands at a time.

Bolt asks each listener in turn, about 10 µs each, and there are some fifty; a click is the one thing that people wait for.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

COMMANDS_AT_ONCE = 2
"""A command costs three clicks: of many in one moment few go at a time, so that who clicks need not wait for all of them."""
TURN_SECONDS = 0.2
"""No command waits longer for its turn: those before it may wait for Slack or Redis."""
ANY_ID = re.compile("")
Listener = Callable[[AsyncAck, dict[str, Any]], Awaitable[None]]


class App(AsyncApp):
    """`action` and `view` with a plain id take listeners of `(ack, body)`; everything else is Bolt's own."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.clicks: dict[str, Listener] = {}
        self.forms: dict[str, Listener] = {}
        """Who listens, by action id and by callback id."""

        async def click(body: dict[str, Any]) -> bool:
            return _action(body) in self.clicks

        async def form(body: dict[str, Any]) -> bool:
            return _callback(body) in self.forms

        async def clicked(ack: AsyncAck, body: dict[str, Any]) -> None:
            await self.clicks[_action(body)](ack, body)

        async def submitted(ack: AsyncAck, body: dict[str, Any]) -> None:
            await self.forms[_callback(body)](ack, body)

        self._commands = asyncio.Semaphore(COMMANDS_AT_ONCE)

        # The two that are asked first: Bolt's own matcher takes every id, ours those that somebody listens to.
        self.block_action(ANY_ID, matchers=[click])(clicked)
        self.view_submission(ANY_ID, matchers=[form])(submitted)

    async def async_dispatch(self, req: AsyncBoltRequest) -> BoltResponse:
        """Over HTTP and over a socket."""
        if "command" not in req.body:
            return await super().async_dispatch(req)
        async with AsyncExitStack() as stack:
            with suppress(TimeoutError):
                async with asyncio.timeout(TURN_SECONDS):
                    await stack.enter_async_context(self._commands)
            return await super().async_dispatch(req)

    def action(self, constraints: Any, *more: Any, **others: Any) -> Any:
        """Raises ValueError where somebody listens to this id already."""
        if isinstance(constraints, str):
            return _kept(self.clicks, constraints)
        return super().action(constraints, *more, **others)

    def view(self, constraints: Any, *more: Any, **others: Any) -> Any:
        """Raises ValueError where somebody listens to this id already."""
        if isinstance(constraints, str):
            return _kept(self.forms, constraints)
        return super().view(constraints, *more, **others)


def _kept(listeners: dict[str, Listener], id: str) -> Callable[[Listener], Listener]:
    if id in listeners:
        raise ValueError(f"two listen to {id}")

    def keep(listener: Listener) -> Listener:
        listeners[id] = listener
        return listener

    return keep


def _action(body: dict[str, Any]) -> str:
    """Of a body that Bolt took for a click."""
    return str(body["actions"][0].get("action_id"))


def _callback(body: dict[str, Any]) -> str:
    """Of a body that Bolt took for a form."""
    return str(body["view"].get("callback_id"))
