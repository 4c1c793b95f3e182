"""The shop's GitHub over the shop's own repository. Pushes, merges and reverts there are real."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.faults import Faults
from sandbox.github.api import github_app
from sandbox.github.state import CI_TOKEN, GitHubRefusal
from sandbox.shop import history
from sandbox.shop.git import Tree
from sandbox.shop.github import ShopGitHub
from sandbox.shop.work import Work


@pytest.fixture
def work(tmp_path: Path) -> Work:
    history.build(tmp_path / "repo", datetime.now(UTC))
    Tree(tmp_path / "repo").git(
        "worktree", "add", "--quiet", "--detach", "--force", str(tmp_path / "work"), "main"
    )
    (tmp_path / "run").mkdir()
    return Work(tmp_path)


@pytest.fixture
async def hub(work: Work) -> ShopGitHub:
    made = ShopGitHub(work.repo, lambda: work, asyncio.Lock())
    await made.refresh()
    return made


async def test_a_fix_is_a_pull_request_that_is_merged_for_real(work: Work, hub: ShopGitHub) -> None:
    events: list[tuple[str, Any]] = []
    hub.on_event = lambda event, about: events.append((event, about["action"]))
    assert len(hub.pulls) == 12
    assert all(p.merged for p in hub.pulls)
    breakage = await asyncio.to_thread(work.release_bad, "everything")
    await hub.refresh()
    pull = hub.pulls[-1]
    assert (pull.head_ref, pull.head_sha, pull.checks, pull.merged) == (
        breakage.fix_branch,
        breakage.fix_commit,
        "SUCCESS",
        False,
    )
    sha = hub.merge(pull, "ada")
    assert work.repo.resolve("main") == sha
    assert work.repo.try_git("merge-base", "--is-ancestor", breakage.fix_commit, "main") is not None
    await hub.refresh()
    assert events == [("pull_request", "closed")]
    guilty = next(p for p in hub.pulls if p.head_sha == breakage.commit)
    assert hub.revert(guilty.number, "takes it back") is None, "the fix is in: git has conflicts"


async def test_what_is_merged_by_hand_is_merged_here_too_and_a_culprit_can_be_reverted(
    work: Work, hub: ShopGitHub
) -> None:
    breakage = await asyncio.to_thread(work.release_bad, "everything")
    await hub.refresh()
    guilty = next(p for p in hub.pulls if p.head_sha == breakage.commit)
    made = hub.revert(guilty.number, "takes it back")
    assert made is not None
    assert made.head_ref == f"revert-{guilty.number}-{guilty.head_ref}"
    work.repo.git("merge", "--quiet", "--no-ff", "-m", "By hand", made.head_sha)
    await hub.refresh()
    assert (made.merged, made.closed) == (True, False)
    with pytest.raises(GitHubRefusal, match="not mergeable"):
        hub.merge(made, "ada")


async def test_a_push_moves_its_head_and_what_came_in_another_way_is_closed(
    work: Work, hub: ShopGitHub
) -> None:
    breakage = await asyncio.to_thread(work.release_bad, "everything")
    await hub.refresh()
    pull = hub.pulls[-1]
    await asyncio.to_thread(work.release_fix)
    await hub.refresh()
    assert (pull.merged, pull.closed) == (False, True)
    work.repo.git("branch", "fix/more", breakage.fix_commit)
    await hub.refresh()
    more = hub.pulls[-1]
    assert more.head_ref == "fix/more"
    work.repo.git("branch", "--force", "fix/more", "v1.0.0")
    await hub.refresh()
    assert more.merged, "its head is in main"


async def test_a_deploy_tells_of_itself_while_a_developer_works_in_the_tree(
    hub: ShopGitHub,
) -> None:
    """The developer waits for that deploy.

    If it waited for the developer, its deployment would stay pending for ever.
    """
    transport = httpx.ASGITransport(github_app(hub, Faults()))
    async with (
        httpx.AsyncClient(verify=False, transport=transport, base_url="http://github") as ci,
        hub.working(),
    ):
        where = "/repos/acme/shop/deployments"
        headers = {"Authorization": f"Bearer {CI_TOKEN}", "User-Agent": "ci"}
        async with asyncio.timeout(60):
            made = await ci.post(where, json={"ref": "v1.2.0"}, headers=headers)
            answer = await ci.post(
                f"{where}/{made.json()['id']}/statuses", json={"state": "success"}, headers=headers
            )
    assert (made.status_code, answer.status_code) == (201, 201)
    assert [state for state, _ in hub.deployments[-1].statuses] == ["success"]
