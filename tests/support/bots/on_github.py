"""A world whose production is deployed by a local GitHub."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sandbox.github.state import GitHub, Run
from sandbox.world import World
from tests.support.bots.stage import (
    SHOP,
    eventually,
)

SECRET = "hook-of-github"

ON_GITHUB = (
    SHOP.partition('deployer = "command"')[0]
    + """
repository = "acme/shop"
deployer = "github"
adr = { repository = "acme/shop", path = "docs/adr" }
"""
)


def deployed(github: GitHub) -> None:
    """As the town's Sentry tells of it (stage.py)."""
    now = datetime.now(UTC)
    github.deploy("v1.2.0", at=now - timedelta(days=2))
    github.deploy("v1.3.0", at=now - timedelta(seconds=42))


async def started(world: World, github: GitHub, file: str) -> Run:
    return await eventually(
        world,
        lambda: next((r for r in github.runs if r.workflow == file), None),
        f"a run of {file}",
    )
