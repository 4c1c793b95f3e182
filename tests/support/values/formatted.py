"""The formatted texts of a Slack message."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def formatted(thing: Any) -> Iterator[str]:
    """Every text in which Slack would format, link and mention."""
    if isinstance(thing, list):
        for part in thing:
            yield from formatted(part)
    elif isinstance(thing, dict):
        if thing.get("type") == "mrkdwn":
            yield thing["text"]
        for part in thing.values():
            yield from formatted(part)
