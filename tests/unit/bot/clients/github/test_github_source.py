"""Source code over the local GitHub: commits, blame, code, pull requests, over real HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from bot.clients.github.paths import candidates
from bot.clients.github.source import COMMITS, GitHubSource
from bot.store.incident_store import Store
from handlers.views import forms
from phases.ports.ports import HotfixRef, PortError, PullRequests, SourceCode
from phases.record.findings import Choice, Release
from phases.record.service import Service
from phases.root_cause.investigate import investigate
from phases.triage.measure import known_fix
from sandbox.faults import Fault
from sandbox.github.state import File, Pull
from tests.support.values.factories import incident, report
from tests.support.worlds.github_world import SHOP, World, github_world

CART = "def total(cart):\n    rate = cart.rate\n    return cart.sum / rate\n\n\n# the end\n"
BAD = "b" * 40
PATCH = (
    "@@ -1,2 +1,3 @@ def total(cart):\n+    rate = cart.rate\n-    return cart.sum\n"
    "+    return cart.sum / rate"
)


@pytest.fixture
async def world(store: Store) -> AsyncIterator[World]:
    async with github_world(store) as made:
        files = (File("src/shop/cart.py", PATCH, 2, 1), File("logo.png"))
        made.github.commit(BAD, "Rates\n\nby customer", *files, author="Bo").pull = 7
        made.github.commit("c" * 40, "Wording", File("README.md", "@@ -1 +1 @@"), tag="v1.4.0")
        made.github.files["c" * 40, "src/shop/cart.py"] = CART
        made.github.blame["c" * 40, "src/shop/cart.py"] = [
            (1, 1, "1" * 40),
            (2, 3, BAD),
            (4, 6, "1" * 40),
        ]
        yield made


async def test_commits_newest_first_with_files_and_patches(world: World) -> None:
    source: SourceCode = world.source
    newest, older = await source.commits(SHOP, "1.3.0", "1.4.0")
    assert (newest.subject, older.sha, older.author, older.subject, older.body) == (
        "Wording",
        BAD,
        "Bo",
        "Rates",
        "by customer",
    )
    assert [(f.path, f.added, f.deleted, f.patch) for f in older.files] == [
        ("src/shop/cart.py", 2, 1, PATCH),
        ("logo.png", 1, 0, ""),
    ]
    assert older.url == f"https://github.com/acme/shop/commit/{BAD}"
    assert await source.commits(SHOP, "1.4.0", "1.3.0") == ()


async def test_one_commit_needs_no_second_look(world: World) -> None:
    (commit,) = await world.source.commits(SHOP, "1.3.0", BAD)
    assert [f.path for f in commit.files] == ["src/shop/cart.py", "logo.png"]
    assert not world.sent("GET", f"/commits/{BAD}")


async def test_a_merge_is_no_suspect_beside_what_it_merged(world: World) -> None:
    """GitHub shows the whole pull request again as the files of its merge: https://docs.github.com/en/rest/commits/commits#get-a-commit"""
    merged = File("src/shop/cart.py", PATCH, 2, 1)
    world.github.commit("d" * 40, "Merge pull request #7", merged, tag="v1.5.0").merged = BAD
    merge, *_ = commits = await world.source.commits(SHOP, "1.3.0", "1.5.0")
    assert (merge.subject, merge.files) == ("Merge pull request #7", ())
    assert [f.path for f in commits[-1].files] == ["src/shop/cart.py", "logo.png"]


@pytest.mark.parametrize("many", [130, 500, 730])
async def test_many_commits_by_pages(world: World, many: int) -> None:
    for number in range(many - 2):
        world.github.commit(f"{number:040x}", f"Change {number}", File(f"f{number}.py"))
    world.github.tags["v2.0.0"] = world.github.commits[-1].sha
    commits = await world.source.commits(SHOP, "1.3.0", "2.0.0")
    expected = [c.sha for c in reversed(world.github.commits)][:many][:COMMITS]
    assert [c.sha for c in commits] == expected
    assert all(c.files for c in commits[:120])
    before = len(world.asked)
    await world.source.commits(SHOP, "1.3.0", "2.0.0")
    assert len(world.asked) - before <= 8  # what was seen of a commit never changes


async def test_out_of_calls_the_commits_are_there_without_their_files(world: World) -> None:
    world.faults.always("github.commit", Fault(status=429, retry_after=600))
    commits = await world.source.commits(SHOP, "3" * 40, "c" * 40)
    assert [(c.subject, c.files) for c in commits] == [("Wording", ()), ("Rates", ())]
    with pytest.raises(PortError, match="slow down"):
        # Which commits these are is not known yet.
        await world.source.commits(SHOP, "1.3.0", "1.4.0")


async def test_blame_says_who_when_and_which_pull_request(world: World) -> None:
    world.github.pulls.append(Pull(7, "Rates", BAD, "rates", merged=True))
    blamed = await world.source.blame(SHOP, "1.4.0", "/app/shop/cart.py", 3)
    assert blamed is not None
    assert (blamed.sha, blamed.author, blamed.subject) == (BAD, "Bo", "Rates")
    assert blamed.pull_request == "https://github.com/acme/shop/pull/7"
    assert await world.source.blame(SHOP, "1.4.0", "shop/cart.py", 99) is None
    assert await world.source.blame(SHOP, "1.4.0", "shop/other.py", 3) is None


@pytest.mark.parametrize("at", ["c" * 40, "HEAD"])
async def test_blame_names_nobody_for_what_only_tidied(world: World, at: str) -> None:
    release = world.github.resolve(at)
    assert release is not None
    world.github.files[release, ".git-blame-ignore-revs"] = f"{BAD}  # black\n"
    assert await world.source.blame(SHOP, "1.4.0", "/app/shop/cart.py", 3) is None


async def test_code_around_a_line(world: World) -> None:
    snippet = await world.source.snippet(SHOP, "1.4.0", "app:///src/shop/cart.py", 3)
    assert [number for number, _ in snippet] == [1, 2, 3, 4, 5]
    assert dict(snippet)[3] == "    return cart.sum / rate"
    assert await world.source.snippet(SHOP, "1.4.0", "shop/cart.py", 70) == ()
    assert await world.source.snippet(SHOP, "1.4.0", "shop/gone.py", 1) == ()


@pytest.mark.parametrize(
    "file", ["../../etc/passwd", "a/../../b.py", "/", "", "x:y.py", "a\nb.py", "C:\\src\\a.py"]
)
def test_no_frame_leads_out_of_the_repository(file: str) -> None:
    for place in candidates(file):
        assert ".." not in place
        assert not place.startswith("/")
        assert ":" not in place
        assert place.isprintable()


async def test_hotfixes_are_open_pull_requests_with_their_checks(world: World) -> None:
    world.github.pulls += [
        Pull(11, "Old", "d" * 40, "old", checks=None),
        Pull(12, "From elsewhere", "e" * 40, "evil", fork=True),
        Pull(15, "ADR-0008: INC-0001", "9" * 40, "firebreak/adr-0008-inc-0001-0pc6w9"),
        Pull(13, "No zero", "f" * 40, "fix/zero", checks="FAILURE", body="Fixes SHOP-1"),
        Pull(14, "Still going", "a" * 40, "wip", checks="PENDING"),
    ]
    hotfixes = await world.source.hotfixes(SHOP)
    assert [(f.name, f.checks) for f in hotfixes] == [
        ("#14", "running"),
        ("#13", "red"),
        ("#11", None),
    ]
    assert (hotfixes[1].release.version, hotfixes[1].release.commit) == (
        "hotfix #13@fffffff",
        "f" * 40,
    )
    assert hotfixes[1].url == "https://github.com/acme/shop/pull/13"
    issue = report(Choice.INVESTIGATE).issues[0].model_copy(update={"short_id": "SHOP-1"})
    assert known_fix(hotfixes, incident(), [issue]) == "#13"  # its description names the issue


def test_the_form_says_how_the_checks_are() -> None:
    fixes = [HotfixRef(name="#13", commit="f" * 40, subject="No zero", checks="red")]
    shown = str(
        forms.hotfix(incident(triage=report()), SHOP, fixes, running=None, metadata={}).payload()
    )
    assert "checks FAILED: No zero" in shown
    assert "#13 @ fffffff" in shown


async def test_changed_paths_both_ways(world: World) -> None:
    world.github.commits[-1].files.append(File("db/new.sql", previous="migrations/1.sql"))
    there = ["src/shop/cart.py", "logo.png", "README.md", "db/new.sql", "migrations/1.sql"]
    assert list(await world.source.changed_paths(SHOP, "1.3.0", "1.4.0")) == there
    assert list(await world.source.changed_paths(SHOP, "1.4.0", "1.3.0")) == there
    world.github.commits[-1].files += [File(f"f{n}") for n in range(300)]
    with pytest.raises(PortError, match="300 or more files"):
        await world.source.changed_paths(SHOP, "1.3.0", "1.4.0")


async def test_a_hotfix_a_sha_and_what_nobody_knows(world: World) -> None:
    assert await world.source.changed_paths(SHOP, "hotfix #7@ccccccc", "1.4.0") == ()
    assert await world.source.changed_paths(SHOP, "c" * 40, "ccccccc") == ()
    with pytest.raises(
        PortError, match=r"9\.9\.9 is not known in acme/shop \(its tag would be v9\.9\.9\)"
    ):
        await world.source.changed_paths(SHOP, "1.4.0", "9.9.9")
    with pytest.raises(PortError, match="no repository"):
        await world.source.hotfixes(Service(name="x"))


async def test_a_suspect_gets_its_pull_request(world: World) -> None:
    assert isinstance(world.source, PullRequests)
    assert await world.source.pull_request(SHOP, BAD) == "https://github.com/acme/shop/pull/7"
    assert await world.source.pull_request(SHOP, "c" * 40) is None
    measured = report(Choice.ROLLBACK).model_copy(
        update={"suspect": Release(version="1.4.0"), "targets": (Release(version="1.3.0"),)}
    )
    known = measured.recommendation.model_copy(update={"target": Release(version="1.3.0")})
    burning = incident().model_copy(
        update={"triage": measured.model_copy(update={"recommendation": known})}
    )
    investigated = await investigate(burning, SHOP, world.source, False, datetime.now(UTC))
    pulls = {s.sha: s.pull_request for s in investigated.investigation.suspects}
    assert pulls[BAD] == "https://github.com/acme/shop/pull/7"


async def test_which_checks_ran_on_the_pull_request(world: World) -> None:
    assert await world.source.checks(SHOP, BAD) is None, "no pull request is known"
    pull = Pull(7, "Rates", BAD, "rates", merged=True)
    pull.runs += [("unit", "SUCCESS"), ("e2e", "SKIPPED"), ("load", None), ("lint", "FAILURE")]
    world.github.pulls.append(pull)
    checks = await world.source.checks(SHOP, BAD)
    assert checks is not None
    assert (checks.pull_request, checks.url) == ("#7", "https://github.com/acme/shop/pull/7")
    conclusions = [(check.name, check.conclusion) for check in checks.checks]
    assert conclusions == [
        ("unit", "passed"),
        ("e2e", "skipped"),
        ("load", "did not end"),
        ("lint", "failed"),
    ]
    pull.checks = None
    none = await world.source.checks(SHOP, BAD)
    assert none is not None
    assert none.checks == ()


@pytest.mark.parametrize("listed", [100_000, 1])
async def test_tests_are_known_by_their_names_and_without_a_list_where_they_usually_lie(
    world: World, listed: int
) -> None:
    world.github.listed = listed
    covered = await world.source.tests_of(SHOP, "1.4.0", "/app/shop/cart.py")
    assert covered is not None
    assert (covered.naming, covered.read, covered.everywhere) == ((), False, listed > 1)
    world.github.files["c" * 40, "tests/shop/test_cart.py"] = "def test_total(): ..."
    world.source = GitHubSource(world.client)  # what a commit holds does not change; here it does
    covered = await world.source.tests_of(SHOP, "1.4.0", "/app/shop/cart.py")
    assert covered is not None
    assert covered.naming == ("tests/shop/test_cart.py",)
    assert await world.source.tests_of(SHOP, "1.4.0", "/app/shop/nowhere.py") is None
    commit = await world.source.commit(SHOP, BAD)
    assert commit is not None
    assert [f.path for f in commit.files] == ["src/shop/cart.py", "logo.png"]
    assert await world.source.commit(SHOP, "9" * 40) is None


async def test_a_commit_that_is_too_large_to_show_hides_no_other(world: World) -> None:
    world.faults.next(
        "github.commit", Fault(status=422, error="Sorry, this diff is taking too long to generate.")
    )
    commits = await world.source.commits(SHOP, "3" * 40, "c" * 40)
    assert sorted(bool(commit.files) for commit in commits) == [False, True]
    world.faults.next("github.commit", Fault(status=404), times=9)
    with pytest.raises(PortError, match="Contents: read"):
        await GitHubSource(world.client).commits(SHOP, "3" * 40, "c" * 40)
