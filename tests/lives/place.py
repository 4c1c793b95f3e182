"""Where an incident runs: a channel of its own, or a thread where Slack made none."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sandbox.slack.channels import Channel
from sandbox.slack.people import Json, plain
from sandbox.slack.workspace import Workspace


@dataclass(frozen=True)
class Place:
    """`root`: the first message of the thread; None: the channel is the incident's own."""

    channel: Channel
    incident: str
    root: str | None = None

    def messages(self) -> list[Json]:
        return self.channel.messages if self.root is None else self.channel.thread(self.root)

    def roots(self) -> list[Json]:
        """Return what people see at once, oldest first."""
        return self.channel.roots() if self.root is None else self.channel.thread(self.root)

    def pins(self) -> int:
        """Return how many of its messages are pinned."""
        here = {message["ts"] for message in self.messages()}
        return sum(pin["ts"] in here for pin in self.channel.pins)

    def describe(self) -> str:
        """Return what it is called, and what stands first in it."""
        first = next(iter(self.messages()), None)
        return f"{self.channel.name} {self.root or ''}: {plain(first) if first else ''}"[:200]

    def words(self, verb: str, rest: str = "") -> str:
        """Return the command as one has to type it here: in a thread the incident is named."""
        named = "" if self.root is None else self.incident
        return " ".join(filter(None, ("/incident", verb, named, rest)))


def places(workspace: Workspace, shop: str) -> list[Place]:
    """Return every place that was begun for the incident of this shop."""
    all_places = [
        Place(channel, f"INC-{channel.name.split('-')[1]}")
        for channel in workspace.channels.values()
        if re.match(rf"inc-\d+-.*{shop}", channel.name)
    ]
    common = workspace.channel("incidents")
    for message in common.messages:
        marks, words = marks_of(message), plain(message)
        is_root = message.get("thread_ts", message["ts"]) == message["ts"]
        if is_root and marks.get("effect") and not marks.get("live") and shop in words:
            all_places.append(Place(common, str(marks["incident"]), str(message["ts"])))
    return all_places


def marks_of(message: dict[str, Any]) -> dict[str, Any]:
    """Return what the bot wrote into the metadata of a message."""
    return (message.get("metadata") or {}).get("event_payload") or {}
