"""`firebreak doctor` and a bisect on a clone that holds less than its remote."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bot.cli.checks.clones import clone as checked
from bot.clients.git import clone as git_clone
from bot.clients.git.bisect import LocalBisector
from bot.clients.git.bisect_worker import Ended, Run, bisect
from bot.clients.git.clone import Clones
from bot.clients.git.source import LocalGit
from bot.clients.processes.records import create
from phases.ports.ports import PortError
from phases.record.service import Service
from tests.support.git.bisects import service as with_script
from tests.support.git.bisects import shop as broken_shop
from tests.support.git.bisects import until_over
from tests.support.git.clones import clone, git, origin, service, unreachable
from tests.support.git.repositories import Repository


async def says(of: Service) -> dict[str, str]:
    return {finding.says: finding.state for finding in await checked(of)}


async def test_a_whole_clone_works(tmp_path: Path) -> None:
    remote, shas = origin(tmp_path / "origin")
    shop = clone(remote, tmp_path / "clone")
    assert await says(shop) == {
        f"all of its history is there, and its main branch stands at {shas[-1][:9]}": "works"
    }


@pytest.mark.parametrize(("away", "state"), [(False, "unproven"), (True, "broken")])
async def test_a_shallow_and_a_partial_clone_are_named(
    tmp_path: Path, away: bool, state: str
) -> None:
    remote, _ = origin(tmp_path / "origin")
    shop = clone(
        remote,
        tmp_path / "clone",
        "--depth=2",
        "--filter=blob:none",
        "--no-single-branch",
        "--no-tags",
    )
    if away:
        unreachable(remote)
    findings = await says(shop)
    (cut,) = [text for text in findings if "history is cut (a shallow clone," in text]
    (partial,) = [text for text in findings if "a partial clone" in text]
    assert (findings[cut], findings[partial]) == (state, state)
    assert away == any("not all that is new comes in: fatal: " in text for text in findings)
    assert git(shop, "rev-parse", "--is-shallow-repository") == "true", "looking changes nothing"


async def test_a_clone_of_one_branch_a_lonely_one_and_none(tmp_path: Path) -> None:
    remote, _ = origin(tmp_path / "origin")
    single = clone(remote, tmp_path / "clone", "--single-branch")
    assert any("hotfix branches are not seen" in text for text in await says(single))
    bare = clone(remote, tmp_path / "bare.git", "--bare")
    assert any("only the main branch is fetched" in text for text in await says(bare))
    assert any("no remote" in text for text in await says(service(remote.path)))
    assert list((await says(service(tmp_path / "nowhere"))).values()) == ["broken"]
    (tmp_path / "plain").mkdir()
    assert any("no git clone" in text for text in await says(service(tmp_path / "plain")))


async def test_another_users_clone_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote, _ = origin(tmp_path / "origin")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert any("belongs to another user" in text for text in await says(service(remote.path)))


# --- bisect ---------------------------------------------------------------------------------------


def shallow(tmp_path: Path) -> tuple[Repository, list[str], Service]:
    """A clone of the last two of twelve commits, and of the tag of the first.

    The ninth broke it.
    """
    remote, shas = broken_shop(tmp_path / "origin")
    shop = clone(remote, tmp_path / "clone", "--depth=2")
    git(shop, "fetch", "--quiet", "--no-tags", "origin", "refs/tags/v1:refs/tags/v1")
    return remote, shas, shop.model_copy(update={"bisect": with_script(remote).bisect})


async def test_a_bisect_deepens_a_shallow_clone(tmp_path: Path) -> None:
    _, shas, shop = shallow(tmp_path)
    bisector = LocalBisector(tmp_path / "state", Clones())
    await bisector.start(shop, "b", "1", "2")
    ended = await until_over(bisector, shop, "b")
    assert ended.culprit is not None
    assert ended.culprit.sha == shas[8]


async def test_a_bisect_over_a_cut_that_stays_names_nobody(tmp_path: Path) -> None:
    remote, shas, shop = shallow(tmp_path)
    unreachable(remote)
    with pytest.raises(PortError, match="history of the clone is cut"):
        await LocalBisector(tmp_path / "state", Clones()).start(shop, "b", "1", "2")
    # Also where it was cut after the bisect had begun.
    job = {
        "good": "1",
        "bad": "2",
        "good_commit": shas[0],
        "bad_commit": shas[-1],
        "checkout": shop.checkout,
    }
    create(tmp_path / "b" / "job.json", job)
    (tmp_path / "b" / "worktree").symlink_to(tmp_path / "clone")
    with pytest.raises(Ended, match=r"history of the clone is cut .* between 1 and 2"):
        bisect(Run(tmp_path / "b"))


async def test_a_bisect_fetches_a_release_that_the_clone_has_not_got(tmp_path: Path) -> None:
    remote, shas = broken_shop(tmp_path / "origin")
    shop = clone(remote, tmp_path / "clone")
    git(shop, "tag", "--delete", "v2")
    shop = shop.model_copy(update={"bisect": with_script(remote).bisect})
    bisector = LocalBisector(tmp_path / "state", Clones())
    await bisector.start(shop, "b", "1", "2")
    ended = await until_over(bisector, shop, "b")
    assert ended.culprit is not None
    assert ended.culprit.sha == shas[8]


async def test_the_bisect_and_the_source_fetch_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two fetches at a time would get into each other's lock files."""
    remote, _ = broken_shop(tmp_path / "origin")
    shop = clone(remote, tmp_path / "clone")
    git(shop, "tag", "--delete", "v2")
    shop = shop.model_copy(update={"bisect": with_script(remote).bisect})
    under_way, most = 0, 0
    fetched = git_clone._fetched  # pyright: ignore[reportPrivateUsage]

    async def slowly(*arguments: str, **options: Any) -> str:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.05)
        words = await fetched(*arguments, **options)
        under_way -= 1
        return words

    monkeypatch.setattr(git_clone, "_fetched", slowly)
    source = LocalGit()
    bisector = LocalBisector(tmp_path / "state", source.clones)
    await asyncio.gather(source.commits(shop, "1", "2"), bisector.start(shop, "b", "1", "2"))
    await bisector.cancel(shop, "b")
    assert most == 1
