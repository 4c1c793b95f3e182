"""One call of a Web API method: its arguments, and the refusals that all methods share."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sandbox.slack.channels import BOT_USER, Channel
from sandbox.slack.errors import SlackError
from sandbox.slack.workspace import Workspace
from sandbox.wire import Json

T = TypeVar("T")


@dataclass(slots=True)
class Call:
    workspace: Workspace
    method: str
    args: Json
    socket_url: Callable[[], str] | None = None
    caller: str = BOT_USER
    warnings: list[str] = field(default_factory=list)

    # Arguments: form values are strings, JSON values have types of their own

    def text(self, name: str, default: str = "") -> str:
        value = self.args.get(name)
        return default if value is None else str(value)

    def required(self, name: str, error: str = "invalid_arguments") -> str:
        value = self.text(name)
        if not value:
            messages = [f"[ERROR] missing required field: {name}"]
            raise SlackError(error, response_metadata={"messages": messages})
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        value = self.args.get(name)
        return default if value is None else str(value).lower() in ("1", "true")

    def number(self, name: str, default: int, most: int) -> int:
        try:
            value = int(self.text(name) or default)
        except ValueError as error:
            raise SlackError("invalid_limit" if name == "limit" else "invalid_arguments") from error
        return max(1, min(value, most))

    def structure(self, name: str, error: str = "invalid_arguments") -> Any:
        """JSON, given as such or as a string of JSON; None when absent."""
        value = self.args.get(name)
        if not isinstance(value, str):
            return value
        if value == "":
            return None
        try:
            return json.loads(value)
        except ValueError as problem:
            raise SlackError(error) from problem

    def listed(self, name: str) -> list[str]:
        """A comma-separated list, or a JSON list."""
        value = self.args.get(name)
        parts = value if isinstance(value, list) else str(value or "").split(",")
        return [str(part).strip() for part in parts if str(part).strip()]

    # Checks of every method

    def needs(self, *scopes: str) -> None:
        """Raises `missing_scope` unless the app has one of `scopes`."""
        if not self.workspace.scopes.intersection(scopes):
            provided = ",".join(sorted(self.workspace.scopes))
            raise SlackError("missing_scope", needed=scopes[0], provided=provided)

    def needs_for(self, channel: Channel, verb: str) -> None:
        """Raises `missing_scope` unless the app has the scope for this kind of channel.

        `manage` is called `write` for private channels and direct messages.
        """
        if channel.is_im or channel.is_private:
            self.needs(
                f"{'im' if channel.is_im else 'groups'}:{'write' if verb == 'manage' else verb}"
            )
        else:
            self.needs(f"channels:{verb}")

    def channel(
        self, name: str = "channel", *, by_name: bool = False, member: bool = False
    ) -> Channel:
        """Raises `not_in_channel`, or `channel_not_found` where the bot may not see it."""
        reference = self.text(name)
        channel = self.workspace.channels.get(reference)
        if channel is None and by_name:
            channel = self.workspace.channel_named(reference.removeprefix("#"))
        if channel is None or not self.workspace.may_see(channel, self.caller):
            raise SlackError("channel_not_found")
        if member and self.caller not in channel.members:
            raise SlackError("not_in_channel")
        return channel

    def user(self, name: str = "user") -> Json:
        return self.workspace.user(self.required(name, "user_not_found"))

    def page(self, things: Sequence[T], *, default: int, most: int) -> tuple[list[T], str]:
        """Return a page of `things`, and the cursor of the next one ("" after the last)."""
        begin = decoded_cursor(self.text("cursor"))
        end = begin + self.number("limit", default, most)
        return list(things[begin:end]), encoded_cursor(end) if end < len(things) else ""


def encoded_cursor(position: int) -> str:
    return base64.b64encode(f"next:{position}".encode()).decode()


def decoded_cursor(cursor: str) -> int:
    """Raises `invalid_cursor`."""
    if not cursor:
        return 0
    try:
        return int(base64.b64decode(cursor, validate=True).decode().removeprefix("next:"))
    except ValueError as error:
        raise SlackError("invalid_cursor") from error


Method = Callable[[Call], Json]
