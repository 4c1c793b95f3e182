"""Refusals: of an app by Slack's error strings, of a person by their Slack client."""

from __future__ import annotations

from typing import Any


class SlackError(Exception):
    """An `{"ok": false}` answer. `error` is Slack's string; `extra` joins its top level."""

    def __init__(self, error: str, **extra: Any) -> None:
        super().__init__(error)
        self.error = error
        self.extra = extra


class ClientRefused(Exception):
    """A Slack client would not let them: no such button, a required field is empty, …"""


class NeverHappened(TimeoutError):
    """A person or a test waited for something until the deadline, in vain."""
