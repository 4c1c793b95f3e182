"""Whether what people see in Slack is what the record says."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from bot.live.rendering import renderer
from phases.record.incident import Incident
from tests.lives.town import Town


async def stale(town: Town, incident: Incident) -> list[str]:
    """Return each message that does not show what the record says now."""
    render = renderer(town.catalogue, reverts=True)
    wrong: list[str] = []
    for name, ref in incident.messages.items():
        place = town.workspace.channels.get(ref.channel)
        message = place.message(ref.ts) if place is not None else None
        if message is None:
            wrong.append(f"the message {name} is not there")
            continue
        wanted = await render(name, incident, datetime.now(UTC))
        number_of_blocks = _blocks_that_change(name, incident)
        true, shown = (
            _text_of([*wanted.blocks][:number_of_blocks]),
            _text_of((message.get("blocks") or [])[:number_of_blocks]),
        )
        if true != shown:
            wrong.append(f"{name} is stale: {_apart(shown, true)}")
    return wrong


def _blocks_that_change(name: str, incident: Incident) -> int | None:
    """Blocks that must be of now: a decision that is over keeps what was measured for it."""
    kind, _, number = name.partition(":")
    over = kind == "decision" and int(number) < len(incident.rounds)
    return 2 if over else None


def _apart(shown: str, true: str) -> str:
    """Where two texts part."""
    pairs = enumerate(zip(shown, true, strict=False))
    at = next(
        (i for i, (expected, other) in pairs if expected != other), min(len(shown), len(true))
    )
    return (
        f"…{shown[max(0, at - 40) : at + 120]!r} in place of …{true[max(0, at - 40) : at + 120]!r}"
    )


def _text_of(blocks: list[Any]) -> str:
    """The words of blocks, without what Slack adds and what time makes of them."""
    texts: list[str] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if value.get("type") in ("mrkdwn", "plain_text") and "text" in value:
                texts.append(str(value["text"]))
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(json.loads(json.dumps(blocks)))
    return re.sub(r"\s+", " ", " ".join(texts))
