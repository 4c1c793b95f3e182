"""Clones that hold less than the remote. Missing commits accuse nobody.

They are shallow, partial, of one branch, bare, damaged, or out of date.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.clients.git import clone as git_clone
from bot.clients.git.source import LocalGit
from phases.ports.ports import NotSetUp, PortError
from tests.support.git.clones import clone, git, origin, service, unreachable
from tests.support.git.repositories import Repository

# --- shallow --------------------------------------------------------------------------------------


async def test_a_shallow_clone_is_deepened_and_the_writer_is_named(tmp_path: Path) -> None:
    remote, shas = origin(tmp_path / "origin")
    shop = clone(remote, tmp_path / "clone", "--depth=1")
    blamed = await LocalGit().blame(shop, "8", "shop/pay.py", 2)
    assert blamed is not None
    assert (blamed.sha, blamed.author) == (shas[1], "Author 2")
    assert [c.subject for c in await LocalGit().commits(shop, "5", "8")] == [
        "Change 8",
        "Change 7",
        "Change 6",
    ]


async def test_a_shallow_clone_that_cannot_be_deepened_accuses_nobody(tmp_path: Path) -> None:
    remote, shas = origin(tmp_path / "origin")
    shop = clone(remote, tmp_path / "clone", "--depth=2")
    unreachable(remote)
    source = LocalGit()
    with pytest.raises(
        PortError, match=r"history of the clone is cut .*could not be deepened .*--unshallow"
    ):
        await source.blame(shop, "8", "shop/pay.py", 2)
    known = await source.blame(shop, "8", "shop/pay.py", 8)
    assert known is not None
    assert known.sha == shas[7], "what lies before the cut is known as ever"
    with pytest.raises(PortError, match="is cut"):
        await source.commit(shop, shas[6])  # at the edge, it would seem to have brought every file
    assert len(await source.snippet(shop, "8", "shop/pay.py", 2)) == 4
    with pytest.raises(
        PortError, match=r"2 is not known in the clone of shop, whose history is cut .*git fetch: "
    ):
        await source.commits(shop, "2", "8")
    git(shop, "remote", "remove", "origin")
    with pytest.raises(
        PortError, match=r"it has no remote\); only a clone with all of it mends that"
    ):
        await LocalGit().blame(shop, "8", "shop/pay.py", 2)


async def test_a_range_across_the_cut_is_unknown_and_one_before_it_is_known(tmp_path: Path) -> None:
    remote, shas = origin(tmp_path / "origin")
    shop = clone(remote, tmp_path / "clone", "--depth=3")
    git(shop, "fetch", "--quiet", "--no-tags", "origin", "refs/tags/v2:refs/tags/v2")
    unreachable(remote)
    with pytest.raises(PortError, match="is cut"):
        await LocalGit().commits(shop, "2", "8")
    # The edge itself is in both of them.
    assert [c.sha for c in await LocalGit().commits(shop, "6", "8")] == [shas[7], shas[6]]


async def test_a_shallow_clone_never_says_that_something_is_not_merged(tmp_path: Path) -> None:
    remote, shas = origin(tmp_path / "origin")
    branches = (
        "fetch",
        "--quiet",
        "--depth=1",
        "--no-tags",
        "origin",
        "+refs/heads/*:refs/remotes/origin/*",
    )
    shop = clone(remote, tmp_path / "clone", "--depth=1")
    git(shop, *branches)
    source = LocalGit()
    fix = git(shop, "rev-parse", "origin/fix")
    assert await source.merged(shop, shas[2]) is True, "deepened"
    assert await source.merged(shop, fix) is False, "and now it can be said"

    cut = clone(remote, tmp_path / "cut", "--depth=1")
    git(cut, *branches)
    unreachable(remote)
    with pytest.raises(PortError, match="is cut"):
        await LocalGit().merged(cut, shas[2])
    offline = LocalGit()
    assert {f.name for f in await offline.hotfixes(cut)} == {"fix", "old"}
    assert any("history of the clone of shop is cut" in remark for remark in offline.remarks(cut))
    assert any("not all that is new could be fetched" in remark for remark in offline.remarks(cut))


async def test_a_lock_that_another_git_left_behind_is_said_and_stays(tmp_path: Path) -> None:
    remote, _ = origin(tmp_path / "origin")
    shop = clone(remote, tmp_path / "clone", "--depth=1")
    lock = tmp_path / "clone" / ".git" / "shallow.lock"
    lock.touch()
    with pytest.raises(PortError, match=r"Unable to create .*shallow\.lock"):
        await LocalGit().blame(shop, "8", "shop/pay.py", 2)
    assert lock.exists()


async def test_a_fetch_that_is_stopped_leaves_no_lock_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote, _ = origin(tmp_path / "origin")
    shop = clone(remote, tmp_path / "clone", "--depth=1")
    # The remote tells what it will send, which git holds in its lock file, and then sends nothing.
    hook, slow = tmp_path / "hook", tmp_path / "slow"
    hook.write_text(
        f"#!/bin/sh\ncp {tmp_path}/clone/.git/shallow.lock {tmp_path}/locked\nsleep 60\n"
    )
    slow.write_text(f'#!/bin/sh\nexec git -c uploadpack.packObjectsHook={hook} upload-pack "$@"\n')
    hook.chmod(0o755)
    slow.chmod(0o755)
    git(shop, "config", "remote.origin.uploadpack", str(slow))
    monkeypatch.setattr(git_clone, "FETCH_SECONDS", 5.0)
    with pytest.raises(PortError, match=r"did not end within 5 s"):
        await LocalGit().blame(shop, "8", "shop/pay.py", 2)
    assert (tmp_path / "locked").exists()
    assert not list((tmp_path / "clone" / ".git").rglob("*.lock"))


async def test_grafts_and_replacements_do_not_change_who_wrote_it(tmp_path: Path) -> None:
    remote, shas = origin(tmp_path / "origin")
    shop = clone(remote, tmp_path / "clone")
    (tmp_path / "clone" / ".git" / "info" / "grafts").write_text(f"{shas[4]}\n")
    git(shop, "replace", "--graft", shas[6])
    blamed = await LocalGit().blame(shop, "8", "shop/pay.py", 2)
    assert blamed is not None
    assert blamed.sha == shas[1]
    assert len(await LocalGit().commits(shop, "2", "8")) == 6


# --- partial --------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["blob:none", "tree:0"])
async def test_what_a_partial_clone_lacks_comes_in_few_requests(
    tmp_path: Path, missing: str
) -> None:
    remote, shas = origin(tmp_path / "origin")
    shop = clone(remote, tmp_path / "clone", "--bare", f"--filter={missing}")
    asked = tmp_path / "asked"
    pack = tmp_path / "pack"
    pack.write_text(f'#!/bin/sh\necho one >> {asked}\nexec git-upload-pack "$@"\n')
    pack.chmod(0o755)
    git(shop, "config", "remote.origin.uploadpack", str(pack))
    source = LocalGit()
    commits = await source.commits(shop, "1", "8")
    assert [c.sha for c in commits] == shas[:0:-1]
    assert all("+line" in "".join(f.patch for f in c.files) for c in commits)
    blamed = await source.blame(shop, "8", "shop/pay.py", 2)
    assert blamed is not None
    assert blamed.sha == shas[1]
    assert len(await source.snippet(shop, "8", "shop/pay.py", 2)) == 4
    assert len(asked.read_text().splitlines()) <= 6
    assert source.remarks(shop) == []


@pytest.mark.parametrize(("missing", "files"), [("blob:none", 2), ("tree:0", 0)])
async def test_without_its_remote_a_partial_clone_tells_what_it_has(
    tmp_path: Path, missing: str, files: int
) -> None:
    remote, shas = origin(tmp_path / "origin")
    shop = clone(remote, tmp_path / "clone", "--bare", f"--filter={missing}")
    unreachable(remote)
    source = LocalGit()
    commits = await source.commits(shop, "1", "8")
    assert [c.sha for c in commits] == shas[:0:-1]
    assert {len(c.files) for c in commits} == {files}
    assert any(
        "only the names of their files could be read" in remark for remark in source.remarks(shop)
    )
    with pytest.raises(PortError):
        await source.blame(shop, "8", "shop/pay.py", 2)


async def test_tests_of_a_partial_clone_are_found_by_name_and_said_so(tmp_path: Path) -> None:
    remote, _ = origin(tmp_path / "origin")
    remote.commit(
        "Tests",
        {"tests/test_pay.py": "import shop.pay\n", "tests/test_all.py": "import shop.pay\n"},
        tag="v9",
    )
    whole = clone(remote, tmp_path / "whole")
    partial = clone(remote, tmp_path / "partial", "--bare", "--filter=blob:none")
    covered = await LocalGit().tests_of(whole, "9", "shop/pay.py")
    named = await LocalGit().tests_of(partial, "9", "shop/pay.py")
    assert covered is not None
    assert named is not None
    assert (covered.naming, covered.read) == (("tests/test_pay.py", "tests/test_all.py"), True)
    assert (named.naming, named.read) == (("tests/test_pay.py",), False)


# --- damaged, refused, elsewhere ------------------------------------------------------------------


def loose(of: Repository, name: str) -> Path:
    sha = of.git("rev-parse", name)
    return of.path / ".git" / "objects" / sha[:2] / sha[2:]


async def test_a_missing_commit_accuses_nobody(tmp_path: Path) -> None:
    remote, shas = origin(tmp_path / "origin")
    shop, source = service(remote.path), LocalGit()
    loose(remote, "v4").unlink()
    with pytest.raises(PortError, match=r"git blame: .*Could not read"):
        await source.blame(shop, "8", "shop/pay.py", 2)
    with pytest.raises(PortError, match="git rev-list: error: Could not read"):
        await source.commits(shop, "2", "8")
    with pytest.raises(PortError, match="git merge-base"):
        await source.merged(shop, shas[1])
    with pytest.raises(
        PortError, match="the tag v4 is in the clone of shop, and its commit cannot be read"
    ):
        await source.commits(shop, "4", "8")


async def test_a_missing_file_is_not_a_line_that_is_not_there(tmp_path: Path) -> None:
    remote, _ = origin(tmp_path / "origin")
    loose(remote, "v4:shop/pay.py").unlink()
    with pytest.raises(PortError, match="git blame"):
        await LocalGit().blame(service(remote.path), "8", "shop/pay.py", 2)
    commits = await LocalGit().commits(service(remote.path), "2", "8")
    assert len(commits) == 6, "the names of their files are known"


async def test_another_users_clone_is_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote, shas = origin(tmp_path / "origin")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    for asked in (
        LocalGit().commits(service(remote.path), "1", "2"),
        LocalGit().hotfixes(service(remote.path)),
        LocalGit().merged(service(remote.path), shas[0]),
    ):
        with pytest.raises(NotSetUp, match=r"safe\.directory"):
            await asked


async def test_a_worktree_a_subdirectory_and_a_bare_clone_are_clones(tmp_path: Path) -> None:
    remote, shas = origin(tmp_path / "origin")
    shop = clone(remote, tmp_path / "clone")
    git(shop, "worktree", "add", "--quiet", "--detach", str(tmp_path / "desk"), "v8")
    clone(remote, tmp_path / "bare.git", "--mirror")
    for place in ("desk", "clone/shop", "bare.git"):
        linked, source = service(tmp_path / place), LocalGit()
        blamed = await source.blame(linked, "8", "shop/pay.py", 2)
        assert blamed is not None, place
        assert blamed.sha == shas[1]
        assert len(await source.commits(linked, "5", "8")) == 3
        assert await source.changed_paths(linked, "7", "8") == ("shop/part8.py", "shop/pay.py")
        assert [f.name for f in await source.hotfixes(linked)] == ["fix"]
        assert await source.merged(linked, shas[2]) is True


# --- a fetch that does not bring everything -------------------------------------------------------


async def test_a_tag_that_moved_does_not_hide_the_new_ones(tmp_path: Path) -> None:
    remote, shas = origin(tmp_path / "origin")
    shop = clone(remote, tmp_path / "clone")
    remote.git("tag", "--force", "v2", "v3")
    new = remote.commit("Change 9", {"shop/part9.py": "9\n"}, tag="v9")
    source = LocalGit()
    assert [c.sha for c in await source.commits(shop, "8", "9")] == [new]
    assert source.remarks(shop) == [], "whether v2 has moved is no matter of theirs"
    assert git(shop, "rev-parse", "v2") == shas[1], "the clone's own tag stays"
    # The release was built from the remote's tag, not from the clone's.
    assert [c.sha for c in await source.commits(shop, "2", "4")] == [shas[3]]


async def test_a_new_tag_whose_ref_cannot_be_written_is_used(tmp_path: Path) -> None:
    remote, _ = origin(tmp_path / "origin")
    shop = clone(remote, tmp_path / "clone")
    git(shop, "tag", "v9/old", "v1")  # no tag `v9` can be beside it
    (tmp_path / "clone/.git/refs/tags/v10.lock").touch()
    remote.git("tag", "--annotate", "-m", "Nine", "v9", "v8")
    ten = remote.commit("Change 10", {"shop/part10.py": "10\n"}, tag="v10")
    assert [c.sha for c in await LocalGit().commits(shop, "9", "10")] == [ten]


async def test_one_branch_that_cannot_be_stored_does_not_hide_the_others(tmp_path: Path) -> None:
    remote, _ = origin(tmp_path / "origin")
    remote.git("branch", "fix-b/deep", "v1")
    shop = clone(remote, tmp_path / "clone")
    remote.git("branch", "-D", "fix-b/deep")
    remote.git("branch", "fix-b", "fix")
    remote.git("checkout", "--quiet", "-b", "fix-c", "v7")
    other = remote.commit("Another fix", {"shop/fix.py": "1\n"})
    remote.git("checkout", "--quiet", "main")
    source = LocalGit()
    assert {f.commit for f in await source.hotfixes(shop)} >= {other}
    assert any("fix-b" in remark for remark in source.remarks(shop))


async def test_without_a_network_what_is_there_is_used_and_said(tmp_path: Path) -> None:
    remote, _ = origin(tmp_path / "origin")
    shop = clone(remote, tmp_path / "clone")
    unreachable(remote)
    source = LocalGit()
    assert [f.name for f in await source.hotfixes(shop)] == ["fix"]
    assert len(await source.commits(shop, "5", "8")) == 3
    (remark,) = source.remarks(shop)
    assert "does not appear to be a git repository" in remark
    with pytest.raises(
        PortError, match=r"9 is not known in the clone of shop \(git fetch: fatal: "
    ):
        await source.commits(shop, "8", "9")
    fix = git(shop, "rev-parse", "origin/fix")
    with pytest.raises(PortError, match="whether it is merged by now is not known") as unknown:
        await source.merged(shop, fix)
    assert unknown.value.retryable


async def test_a_release_that_is_a_sha_is_fetched_by_itself(tmp_path: Path) -> None:
    remote, _ = origin(tmp_path / "origin")
    shop = clone(remote, tmp_path / "clone", "--single-branch")
    beside = remote.git("rev-parse", "fix")
    assert [c.sha for c in await LocalGit().commits(shop, "6", beside)] == [beside]


@pytest.mark.parametrize("named", ["origin", "upstream"])
async def test_the_main_branch_is_the_remotes_own(tmp_path: Path, named: str) -> None:
    remote, shas = origin(tmp_path / "origin")
    shop = clone(remote, tmp_path / "clone", f"--origin={named}")
    fix = git(shop, "rev-parse", f"{named}/fix")
    git(shop, "checkout", "--quiet", "--detach", "v2")
    git(shop, "branch", "--force", "main", "v1")  # nobody pulls in a clone for deploys
    remote.git("branch", "-m", "main", "trunk")
    remote.git("checkout", "--quiet", "trunk")
    remote.git("merge", "--quiet", "--no-ff", "-m", "Merge", "fix")
    source = LocalGit()
    assert await source.merged(shop, shas[7]) is True
    assert await source.merged(shop, fix) is True
    assert [f.name for f in await source.hotfixes(shop)] == []


async def test_a_clone_of_one_branch_learns_the_main_one(tmp_path: Path) -> None:
    remote, shas = origin(tmp_path / "origin")
    shop = clone(remote, tmp_path / "clone", "--single-branch", "--branch=fix")
    fix = git(shop, "rev-parse", "HEAD")
    assert await LocalGit().merged(shop, shas[2]) is True
    assert await LocalGit().merged(shop, fix) is False, (
        "its own branch is not the one that merges go to"
    )
    unreachable(remote)
    with pytest.raises(PortError, match="which branch is the main one"):
        await LocalGit().merged(shop, fix)


async def test_where_no_branch_is_the_main_one_nothing_is_guessed(tmp_path: Path) -> None:
    remote, _ = origin(tmp_path / "origin")
    remote.git("branch", "-m", "main", "production")
    remote.git("checkout", "--quiet", "--detach", "v2")
    with pytest.raises(PortError, match="which branch is the main one is not known"):
        await LocalGit().hotfixes(service(remote.path))


async def test_a_branch_named_like_a_tag_or_a_sha_is_neither(tmp_path: Path) -> None:
    remote, shas = origin(tmp_path / "origin")
    remote.git("branch", "v8", "v1")
    remote.git("branch", "1234567", "v1")
    source = LocalGit()
    assert [c.sha for c in await source.commits(service(remote.path), "7", "8")] == [shas[7]]
    with pytest.raises(PortError, match="1234567 is not known"):
        await source.commits(service(remote.path), "7", "1234567")


@pytest.mark.parametrize("version", ["1.0+812", "1.0(eu)", "größe", "1.0,2", "rel=1"])
async def test_a_tag_may_have_any_name_that_git_allows(tmp_path: Path, version: str) -> None:
    remote, shas = origin(tmp_path / "origin")
    remote.git("tag", f"v{version}", "v8")
    assert [c.sha for c in await LocalGit().commits(service(remote.path), "7", version)] == [
        shas[7]
    ]


@pytest.mark.parametrize("by", ["environment", "clone"])
async def test_the_key_of_the_clone_or_of_the_environment_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    remote, _ = origin(tmp_path / "origin")
    shop = clone(remote, tmp_path / "clone")
    new = remote.commit("Change 9", {"shop/part9.py": "9\n"}, tag="v9")
    with_key = tmp_path / "ssh-with-key"
    with_key.write_text('#!/bin/sh\nfor last; do :; done\nexec sh -c "$last"\n')
    with_key.chmod(0o755)
    git(shop, "remote", "set-url", "origin", f"git@git.example.com:{remote.path}")
    if by == "clone":
        git(shop, "config", "core.sshCommand", str(with_key))
    else:
        monkeypatch.setenv("GIT_SSH_COMMAND", str(with_key))
    assert [c.sha for c in await LocalGit().commits(shop, "8", "9")] == [new]
