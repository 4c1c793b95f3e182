"""The stories of the tables beside this file, and how the bot answers each."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from tests.judgement.postmortems.stage import Fire, Story, answer_of, triaged_story

HERE = Path(__file__).parent
TABLES = ("stories.toml", "batches.toml", "further.toml", "rare.toml", "fresh.toml", "unseen.toml")
OURS: dict[str, tuple[str, str]] = {
    "python": ("shop/orders.py:88 create", "shop/wishlist.py"),
    "node": ("src/orders.js:40 save", "src/wish.js"),
    "javascript": ("src/api.ts:9 get", "src/wish.ts"),
    "ruby": ("app/models/order.rb:1 find", "app/models/wish.rb"),
    "go": ("app/orders/orders.go:3 Load", "app/wish/wish.go"),
    "java": ("com/shop/Orders.java:10 load", "com/shop/Wish.java"),
    "csharp": ("Shop/Orders.cs:9 Load", "Shop/Wish.cs"),
    "php": ("src/Orders.php:22 load", "src/Wish.php"),
    "elixir": ("lib/shop/orders.ex:2 all", "lib/shop/wish.ex"),
}
"""Platform → our frame, and the file that the innocent release changed."""


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((HERE / name).read_text())


def behind() -> Iterator[Story]:
    """Something behind the service fails, and the release changed another file of ours."""
    for platform, rows in _read("behind.toml").items():
        ours, other = OURS[platform]
        for name, error, frame in rows:
            fire = Fire(error=error, stack=(frame, ours), since=5, platform=platform)
            yield Story(
                name=name,
                right=("investigate",),
                fires=(fire,),
                deploys=(("v3", 9), ("v2", 900), ("v1", 4000)),
                changed={other: "x = 1"},
            )


def stories() -> Iterator[Story]:
    known = {field.name for field in fields(Story)}
    for row in (row for name in TABLES for row in _read(name)["story"]):
        fires = tuple(Fire(**fire) for fire in row.pop("fires", ()))
        assert set(row) <= known, row
        yield Story(**row, fires=fires)


def wrong() -> tuple[list[str], int]:
    """Return a line for each story that is answered wrongly, and the number of stories."""
    every = [*behind(), *stories()]
    lines: list[str] = []
    for story in every:
        report = asyncio.run(triaged_story(story))
        if (answer := answer_of(report, story.target)) not in story.right:
            right = " or ".join(story.right)
            lines.append(f"{story.name}: {answer}, and right is {right}")
            lines += [f"    {why}" for why in report.recommendation.reasons]
    return lines, len(every)
