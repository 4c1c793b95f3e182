"""The ordinary merge of a hotfix's pull request, and a branch in a real clone.

The local GitHub answers over real HTTP.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.clients.deployers.hotfix_merges import HotfixMerges
from bot.clients.git.source import LocalGit
from bot.store.incident_store import Store
from phases.ports.ports import HotfixRef, PortError
from phases.record.findings import MergeState
from phases.record.service import Service
from sandbox.faults import Fault
from sandbox.github.state import Pull
from tests.support.git.repositories import Repository
from tests.support.worlds.github_world import SHOP, World, github_world

HEAD, NEXT = "ab" * 20, "cd" * 20
FIX = HotfixRef(name="#12", commit=HEAD).release


@pytest.fixture
async def world(store: Store) -> AsyncIterator[World]:
    async with github_world(store) as made:
        made.github.pulls.append(Pull(12, "No zero", HEAD, "fix/zero"))
        yield made


@pytest.fixture
def merges(world: World) -> HotfixMerges:
    return HotfixMerges(world.client, LocalGit())


def pull(world: World) -> Pull:
    return world.github.pulls[0]


async def test_merged_at_the_head_that_was_shipped(world: World, merges: HotfixMerges) -> None:
    assert await merges.state(SHOP, FIX) == MergeState(head=HEAD)
    done = await merges.merge(SHOP, 12, HEAD)
    assert (done.merged, done.head) == (True, HEAD)
    (sent,) = world.sent("PUT", "/merge")
    assert sent.body == {"sha": HEAD, "merge_method": "merge"}
    assert pull(world).merged
    after = await merges.state(SHOP, FIX)
    assert after is not None
    assert (after.merged, after.by, after.holds) == (True, "firebreak[bot]", True)


async def test_twice_is_once_even_where_the_answer_is_lost(
    world: World, merges: HotfixMerges
) -> None:
    world.faults.next("github.merge", Fault(lose_answer=True))
    with pytest.raises(PortError) as lost:
        await merges.merge(SHOP, 12, HEAD)
    assert lost.value.retryable
    assert (await merges.merge(SHOP, 12, HEAD)).merged
    assert len(world.sent("PUT", "/merge")) == 1


@pytest.mark.parametrize(
    ("staged", "sent", "words"),
    [
        (
            {"blocked": "At least 1 approving review is required by reviewers with write access."},
            1,
            "approving review",
        ),
        (
            {"blocked": "Repository rule violations: Changes must be made through the merge queue"},
            1,
            "Add it to the queue on GitHub",
        ),
        ({"blocked": "Pull Request is in the merge queue"}, 1, "it has a merge queue before it"),
        ({"conflicts": True}, 1, "Pull Request is not mergeable"),
        ({"draft": True}, 1, "still a draft"),
        ({"head_sha": NEXT}, 1, "its head has moved from abababa to cdcdcdc"),
        ({"checks": "FAILURE"}, 0, "its checks have failed"),
        ({"checks": "PENDING"}, 0, "its checks are still running"),
        ({"closed": True}, 0, "closed without a merge"),
    ],
)
async def test_what_is_refused_says_why_and_what_to_do(
    world: World, merges: HotfixMerges, staged: dict[str, object], sent: int, words: str
) -> None:
    for key, value in staged.items():
        setattr(pull(world), key, value)
    with pytest.raises(PortError) as refused:
        await merges.merge(SHOP, 12, HEAD)
    assert words in refused.value.text
    assert "https://github.com/acme/shop/pull/12" in refused.value.text
    assert not refused.value.retryable
    assert len(world.sent("PUT", "/merge")) == sent
    assert not pull(world).merged


async def test_a_token_that_may_not_says_what_it_needs(world: World, merges: HotfixMerges) -> None:
    world.faults.next(
        "github.merge", Fault(status=403, error="Resource not accessible by personal access token")
    )
    with pytest.raises(PortError, match="Pull requests: write") as refused:
        await merges.merge(SHOP, 12, HEAD)
    assert not refused.value.retryable
    with pytest.raises(PortError, match="GITHUB_TOKEN"):
        await HotfixMerges(None, LocalGit()).merge(SHOP, 12, HEAD)


async def test_a_repository_without_merge_commits_merges_as_it_allows(
    world: World, merges: HotfixMerges
) -> None:
    world.github.merge_methods = ("squash",)
    await merges.merge(SHOP, 12, HEAD)
    assert world.sent("PUT", "/merge")[0].body["merge_method"] == "squash"


async def test_a_branch_with_a_linear_history_is_merged_as_it_allows(
    world: World, merges: HotfixMerges
) -> None:
    """https://github.com/chdsbd/kodiak/issues/295 shows the words."""
    refused = Fault(status=405, error="This branch must not contain merge commits.")
    world.faults.next("github.merge", refused)
    assert (await merges.merge(SHOP, 12, HEAD)).merged
    sent = [request.body["merge_method"] for request in world.sent("PUT", "/merge")]
    assert sent == ["merge", "squash"]


@pytest.mark.parametrize("holds", [True, False])
async def test_merged_by_people_with_another_head(
    world: World, merges: HotfixMerges, holds: bool
) -> None:
    world.github.push(pull(world), NEXT)
    if holds:
        world.github.built_on.add((HEAD, NEXT))
    world.github.merge(pull(world), "ada")
    merge = await merges.state(SHOP, FIX)
    assert merge is not None
    assert (merge.merged, merge.by, merge.head, merge.holds) == (True, "ada", NEXT, holds)


async def test_looks_without_news_cost_nothing(world: World, merges: HotfixMerges) -> None:
    for _ in range(3):
        await merges.state(SHOP, FIX)
    asked = [request for request in world.asked if request.path.endswith("/pulls/12")]
    assert ["if-none-match" in request.headers for request in asked] == [False, True, True]


# --- a branch, in the local clone -----------------------------------------------------------------


@pytest.mark.parametrize("how", ["merge", "pick", "squash", "squash of two"])
async def test_a_branch_is_merged_where_main_holds_it(tmp_path: Path, how: str) -> None:
    repo = Repository(tmp_path / "repo")
    repo.commit("Zero", {"pay.py": "zero\n"})
    repo.git("switch", "--quiet", "--create", "fix/zero")
    head = repo.commit("No zero", {"pay.py": "one\n"})
    if how == "squash of two":
        head = repo.commit("And its test", {"test_pay.py": "one\n"})
    repo.git("switch", "--quiet", "main")
    repo.commit("Elsewhere", {"other.py": "x\n"})
    service = Service(name="shop", checkout=str(tmp_path / "repo"))
    fix, merges = HotfixRef(name="fix/zero", commit=head).release, HotfixMerges(None, LocalGit())
    assert await merges.state(service, fix) == MergeState(merged=False)
    if how == "merge":
        repo.git("merge", "--quiet", "--no-ff", "-m", "Merge", "fix/zero")
    elif how == "pick":
        repo.git("cherry-pick", head)
    else:
        repo.git("merge", "--quiet", "--squash", "fix/zero")
        repo.git("commit", "--quiet", "-m", "No zero (#12)")
    assert await merges.state(service, fix) == MergeState(merged=True)
    unknown = HotfixRef(name="fix/zero", commit="ef" * 20).release
    assert await merges.state(service, unknown) is None
    assert await merges.state(Service(name="shop"), fix) is None
