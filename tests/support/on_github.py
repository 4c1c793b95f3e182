"""A world whose production is deployed by a local GitHub."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sandbox.faults import Faults
from sandbox.github.api import github_app
from sandbox.github.state import TOKEN, File, GitHub, Pull, Run
from sandbox.serving import bound, serving
from sandbox.world import World
from tests.support.stage import (
    SHOP,
    eventually,
    town,
    transcript,
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


@pytest.fixture
def github() -> GitHub:
    made = GitHub()
    for number in (1, 2):
        made.commit(f"{number}" * 40, f"Change {number}", tag=f"v1.{number}.0")
    made.commit(
        "b" * 40, "Regions", File("shop/cart.py", "@@ -1 +1 @@\n-x\n+region = user['region']")
    ).pull = 7
    made.commit("3" * 40, "Release", tag="v1.3.0")
    made.pulls += [
        Pull(7, "Regions", "b" * 40, "regions", merged=True),
        Pull(9, "No region", "f" * 40, "fix/region"),
    ]
    deployed(made)
    return made


@pytest.fixture
async def world(tmp_path: Path, github: GitHub) -> AsyncIterator[World]:
    listening = bound(0)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    env = {"GITHUB_API_URL": url, "GITHUB_TOKEN": TOKEN, "GITHUB_WEBHOOK_SECRET": SECRET}
    async with serving(github_app(github, Faults()), listening, lambda: None):
        services = ON_GITHUB.replace('deploy = "v{version}"', 'deploy = "{version}"')
        async with town(tmp_path, services=services, env=env) as made:
            try:
                yield made
            finally:
                print(transcript(made))  # pytest shows it where a story fails


async def started(world: World, github: GitHub, file: str) -> Run:
    return await eventually(
        world,
        lambda: next((r for r in github.runs if r.workflow == file), None),
        f"a run of {file}",
    )
