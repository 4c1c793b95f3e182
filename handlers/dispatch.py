"""Bolt, which finds the listener of a click or a form by its id at once, and not by asking one listener after the other.

Bolt asks each listener in turn, about 10 µs each, and there are some fifty; a click is the one thing that people wait for.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck

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

        # The two that are asked first: Bolt's own matcher takes every id, ours those that somebody listens to.
        self.block_action(ANY_ID, matchers=[click])(clicked)
        self.view_submission(ANY_ID, matchers=[form])(submitted)

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
