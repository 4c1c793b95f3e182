"""A service with a clone and a repository on GitHub.

Pull requests have their checks, and some branches have no pull request.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.clients.github.clone import CloneOnGitHub
from bot.store.incident_store import Store
from phases.ports.ports import PullRequests, SourceCode
from sandbox.faults import Fault
from sandbox.github.state import Pull
from tests.support.git.repositories import Repository
from tests.support.worlds.github_world import SHOP, World, github_world


@pytest.fixture
async def world(store: Store) -> AsyncIterator[World]:
    async with github_world(store) as made:
        yield made


async def test_pull_requests_come_first_and_branches_stay(world: World, tmp_path: Path) -> None:
    repo = Repository(tmp_path / "repo")
    repo.commit("Zero", {"pay.py": "zero\n"})
    heads: list[str] = []
    for branch in ("fix/zero", "spike"):
        repo.git("switch", "--quiet", "--create", branch, "main")
        heads.append(repo.commit(f"Work on {branch}", {"pay.py": f"{branch}\n"}))
    repo.git("switch", "--quiet", "main")
    world.github.pulls += [
        Pull(12, "No zero", heads[0], "fix/zero"),
        Pull(13, "Elsewhere", "e" * 40, "elsewhere"),
    ]
    shop = SHOP.model_copy(update={"checkout": str(repo.path)})
    source: SourceCode = CloneOnGitHub(world.source)
    assert isinstance(source, PullRequests)
    hotfixes = [(fix.name, fix.commit, fix.checks) for fix in await source.hotfixes(shop)]
    assert hotfixes == [("#12", heads[0], "green"), ("spike", heads[1], None)]
    world.faults.always("github.graphql", Fault(status=503))
    assert sorted(fix.name for fix in await source.hotfixes(shop)) == ["fix/zero", "spike"]
