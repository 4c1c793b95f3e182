"""Post-mortems in a real clone, written with the real git."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot.clients.git.archive import LocalArchive
from phases.ports import coordination
from phases.ports.ports import NotSetUp, PortError
from phases.postmortem.adr import adr_text
from phases.record.incident import Incident
from phases.record.service import AdrPlace, Service
from tests.support.git.repositories import Repository
from tests.support.values import incidents

NAME = "0003-inc-0042-checkout-is-failing.md"


@pytest.fixture
def shop(tmp_path: Path) -> Repository:
    repository = Repository(tmp_path / "shop")
    repository.commit(
        "the shop",
        {"app.py": "1\n", "docs/adr/0001-we-write-decisions-down.md": "# ADR-0001\n"},
        tag="v1",
    )
    return repository


def service(repository: Repository) -> Service:
    return Service(name="shop", adr=AdrPlace(directory=str(repository.path / "docs" / "adr")))


def text(number: int = 3, incident: Incident | None = None) -> str:
    return adr_text(
        incident or incidents.incident(adr=None), incidents.entries(), number, incidents.NAMES
    )


def commits(repository: Repository) -> int:
    return int(repository.git("rev-list", "--count", "main"))


async def test_one_file_and_one_commit_by_firebreak(shop: Repository) -> None:
    archive: coordination.Archive = LocalArchive()
    assert await archive.highest(service(shop)) == 1
    adr = await archive.write(service(shop), incidents.incident(), 3, text())
    assert (adr.number, adr.path, adr.name) == (3, f"docs/adr/{NAME}", "ADR-0003")
    assert shop.git("show", f"main:docs/adr/{NAME}") == text().rstrip("\n")
    assert (shop.path / "docs/adr" / NAME).read_text(encoding="utf-8") == text()
    assert (
        shop.git("log", "-1", "--format=%an|%cn|%s")
        == "Firebreak|Firebreak|ADR-0003: INC-0042, checkout is failing"
    )
    assert shop.git("show", "--name-only", "--format=", "HEAD") == f"docs/adr/{NAME}"
    assert shop.git("status", "--porcelain") == ""
    assert await archive.highest(service(shop)) == 3
    assert archive.repository(service(shop)) == str(shop.path.resolve() / "docs" / "adr")


async def test_writing_twice_is_writing_once(shop: Repository) -> None:
    first = await LocalArchive().write(service(shop), incidents.incident(), 3, text())
    again = await LocalArchive().write(
        service(shop), incidents.incident(title="another title"), 4, text(4)
    )
    assert again == first
    assert commits(shop) == 2
    assert shop.git("status", "--porcelain") == ""


async def test_what_a_crash_left_without_its_commit_is_committed(shop: Repository) -> None:
    shop.write(f"docs/adr/{NAME}", text()[:-200])
    assert await LocalArchive().highest(service(shop)) == 3
    adr = await LocalArchive().write(service(shop), incidents.incident(), 4, text())
    assert adr.path == f"docs/adr/{NAME}"
    assert commits(shop) == 2
    assert shop.git("show", f"HEAD:docs/adr/{NAME}") == text().rstrip("\n")
    assert shop.git("status", "--porcelain") == ""


async def test_a_crash_behind_the_commit_is_mended_too(shop: Repository) -> None:
    await LocalArchive().write(service(shop), incidents.incident(), 3, text())
    shop.git("rm", "--quiet", "--cached", f"docs/adr/{NAME}")
    await LocalArchive().write(service(shop), incidents.incident(), 3, text())
    assert commits(shop) == 2
    assert shop.git("status", "--porcelain") == ""


async def test_the_same_number_of_another_life_is_another_incident(shop: Repository) -> None:
    await LocalArchive().write(service(shop), incidents.incident(), 3, text())
    other = incidents.incident(ulid="01JE000000000000000000000B", adr=None)
    adr = await LocalArchive().write(service(shop), other, 4, text(4, other))
    assert adr.path == f"docs/adr/0004{NAME[4:]}"
    assert commits(shop) == 3


async def test_staged_changes_and_changed_files_stay_as_they_are(shop: Repository) -> None:
    shop.write("app.py", "2\n")
    shop.write("new.py", "new\n")
    shop.git("add", "new.py")
    before = shop.git("status", "--porcelain")
    await LocalArchive().write(service(shop), incidents.incident(), 3, text())
    assert shop.git("status", "--porcelain") == before
    assert shop.git("show", "--name-only", "--format=", "HEAD") == f"docs/adr/{NAME}"


async def test_in_the_middle_of_a_merge(shop: Repository) -> None:
    shop.git("checkout", "--quiet", "-b", "other")
    shop.commit("theirs", {"app.py": "theirs\n"})
    shop.git("checkout", "--quiet", "main")
    shop.commit("ours", {"app.py": "ours\n"})
    with pytest.raises(Exception, match="merge"):
        shop.git("merge", "--quiet", "other")
    await LocalArchive().write(service(shop), incidents.incident(), 3, text())
    assert shop.git("status", "--porcelain") == "UU app.py"
    assert shop.git("show", "--name-only", "--format=", "main") == f"docs/adr/{NAME}"


async def test_a_clone_that_a_deploy_detached_gets_it_on_its_branch(shop: Repository) -> None:
    shop.commit("later", {"app.py": "2\n"})
    shop.git("checkout", "--quiet", "--detach", "v1")
    archive = LocalArchive()
    adr = await archive.write(service(shop), incidents.incident(), 3, text())
    assert adr == await archive.write(service(shop), incidents.incident(), 5, text(5))
    assert shop.git("show", f"main:docs/adr/{NAME}") == text().rstrip("\n")
    assert shop.git("status", "--porcelain") == ""  # the work tree is the old release, untouched
    assert not (shop.path / "docs/adr" / NAME).exists()
    assert await archive.highest(service(shop)) == 3
    shop.git("checkout", "--quiet", "main")
    assert (shop.path / "docs/adr" / NAME).exists()


async def test_where_the_branch_is_checked_out_elsewhere_the_file_is_there(
    shop: Repository, tmp_path: Path
) -> None:
    shop.git("checkout", "--quiet", "--detach", "v1")
    shop.git("worktree", "add", "--quiet", str(tmp_path / "desk"), "main")
    await LocalArchive().write(service(shop), incidents.incident(), 3, text())
    assert (tmp_path / "desk/docs/adr" / NAME).exists()
    assert shop.git("-C", str(tmp_path / "desk"), "status", "--porcelain") == ""
    assert shop.git("status", "--porcelain") == ""


async def test_two_incidents_at_once_are_two_commits(shop: Repository) -> None:
    archive = LocalArchive()
    other = incidents.incident(id="INC-0043", ulid="01JE000000000000000000000B", adr=None)
    await asyncio.gather(
        archive.write(service(shop), incidents.incident(), 3, text()),
        archive.write(service(shop), other, 4, text(4, other)),
    )
    assert commits(shop) == 3
    assert shop.git("status", "--porcelain") == ""


@pytest.mark.parametrize("hash", ["sha1", "sha256"])
async def test_a_directory_that_is_not_there_yet_and_a_clone_without_a_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hash: str
) -> None:
    monkeypatch.setenv("GIT_DEFAULT_HASH", hash)
    fresh = Repository(tmp_path / "fresh")
    assert await LocalArchive().highest(service(fresh)) == 0
    await LocalArchive().write(service(fresh), incidents.incident(), 3, text())
    assert commits(fresh) == 1
    assert fresh.git("status", "--porcelain") == ""


async def test_outside_git_the_file_is_written_and_said_to_be_no_more(tmp_path: Path) -> None:
    place = Service(name="shop", adr=AdrPlace(directory=str(tmp_path / "adrs")))
    adr = await LocalArchive().write(place, incidents.incident(), 3, text())
    assert adr.path == f"{tmp_path / 'adrs' / NAME} (outside Git: written, not committed)"
    assert (await LocalArchive().write(place, incidents.incident(), 4, text())).number == 3
    assert [path.name for path in (tmp_path / "adrs").iterdir()] == [NAME]


async def test_errors_say_what_to_do(shop: Repository, tmp_path: Path) -> None:
    archive = LocalArchive()
    with pytest.raises(NotSetUp, match="`adr` in the catalogue"):
        await archive.highest(Service(name="shop"))
    with pytest.raises(NotSetUp, match="set `adr"):
        archive.repository(Service(name="shop", adr=AdrPlace(repository="acme/shop")))
    shop.write("file", "no directory")
    with pytest.raises(PortError) as refused:
        await archive.write(
            Service(name="shop", adr=AdrPlace(directory=str(shop.path / "file"))),
            incidents.incident(),
            3,
            text(),
        )
    assert not refused.value.retryable
    assert "cannot be" in refused.value.text
    shop.git("branch", "-m", "main", "trunk")
    shop.git("checkout", "--quiet", "--detach")
    with pytest.raises(PortError, match="check a branch out"):
        await archive.highest(service(shop))


async def test_an_index_in_use_is_tried_again(shop: Repository) -> None:
    lock = shop.path / ".git" / "index.lock"
    lock.touch()
    with pytest.raises(PortError) as busy:
        await LocalArchive().write(service(shop), incidents.incident(), 3, text())
    assert busy.value.retryable
    lock.unlink()
    await LocalArchive().write(service(shop), incidents.incident(), 3, text())
    assert commits(shop) == 2
    assert shop.git("status", "--porcelain") == ""


async def test_the_folders_own_template(shop: Repository, tmp_path: Path) -> None:
    archive: coordination.Archive = LocalArchive()
    assert await archive.template(service(shop)) == ""
    shop.commit(
        "a template", {"docs/adr/9999-adr-template.md": "# {title}\n", "docs/adr/readme.md": "x"}
    )
    assert await archive.template(service(shop)) == "# {title}\n"
    assert await archive.highest(service(shop)) == 1, "a template is no post-mortem"
    shop.write("docs/adr/9999-adr-template.md", "half-written")
    assert await archive.template(service(shop)) == "# {title}\n", "what is committed counts"

    bare = tmp_path / "outside"
    (bare / "templates").mkdir(parents=True)
    place = Service(name="shop", adr=AdrPlace(directory=str(bare)))
    (bare / "templates" / "template.md").write_text("# NUMBER. TITLE\n")
    assert await archive.template(place) == "# NUMBER. TITLE\n"


# --- folders with a way of their own --------------------------------------------------------------


@pytest.mark.parametrize(
    ("there", "written"),
    [
        ("ADR-0007-use-rust.md", "ADR-0008-inc-0042-checkout-is-failing.md"),
        ("0007_use_rust.md", "0008_inc-0042_checkout_is_failing.md"),
        ("7. use-rust.md", "8. inc-0042-checkout-is-failing.md"),
        ("7. Use Rust.md", "8. inc-0042 checkout is failing.md"),
        ("adr-007.md", "adr-008-inc-0042-checkout-is-failing.md"),
        ("ADR 7 - Use Rust.markdown", "ADR 8 - inc-0042 checkout is failing.markdown"),
        ("0007-use-rust.adoc", "0008-inc-0042-checkout-is-failing.md"),
        ("0007-use-rust/README.md", "0008-inc-0042-checkout-is-failing.md"),
        ("2024/0007-use-rust.md", "2026/0008-inc-0042-checkout-is-failing.md"),
        ("accepted/0007-use-rust.md", "0008-inc-0042-checkout-is-failing.md"),
        ("20240927-use-rust.md", "20261122-adr-0001-inc-0042-checkout-is-failing.md"),
        ("0007-email-template-engine.md", "0008-inc-0042-checkout-is-failing.md"),
    ],
)
async def test_the_next_one_is_named_like_the_others(
    tmp_path: Path, there: str, written: str
) -> None:
    repository = Repository(tmp_path / "shop")
    repository.commit(
        "decisions",
        {f"docs/adr/{there}": "# Use Rust\n\n## Why\n", "docs/adr/README.md": "Read me.\n"},
    )
    archive, place = LocalArchive(), service(repository)
    assert await archive.template(place) == ""
    number = await archive.highest(place) + 1
    adr = await archive.write(place, incidents.incident(), number, text(number))
    assert (adr.number, adr.path) == (number, f"docs/adr/{written}")
    again = await LocalArchive().write(
        place, incidents.incident(title="another"), number + 5, text(number + 5)
    )
    assert again == adr, "written once, whatever it is called"
    assert await archive.highest(place) == number
    await archive.revise(place, incidents.incident(), lambda content: f"{content}More.\n", "more")
    assert repository.git("show", f"main:docs/adr/{written}").endswith("More.")
    assert repository.git("status", "--porcelain") == ""

    loose = Service(name="shop", adr=AdrPlace(directory=str(tmp_path / "loose")))
    (tmp_path / "loose" / there).parent.mkdir(parents=True)
    (tmp_path / "loose" / there).write_text("# Use Rust\n")
    assert (await archive.write(loose, incidents.incident(), number, text(number))).number == number
    assert (tmp_path / "loose" / written).is_file()


async def test_a_partial_and_sparse_clone_gets_it_without_its_remote(
    shop: Repository, tmp_path: Path
) -> None:
    shop.git("config", "uploadpack.allowFilter", "true")
    shop.commit("more", {"web/app.js": "1\n"})
    desk = Repository(tmp_path / "desk")
    desk.git(
        "clone",
        "--quiet",
        "--filter=blob:none",
        "--sparse",
        f"file://{shop.path}",
        str(tmp_path / "clone"),
    )
    shop.path.rename(tmp_path / "moved away")
    place = Service(name="shop", adr=AdrPlace(directory=str(tmp_path / "clone" / "docs" / "adr")))
    assert await LocalArchive().highest(place) == 1
    adr = await LocalArchive().write(place, incidents.incident(), 2, text(2))
    content = desk.git("-C", str(tmp_path / "clone"), "show", f"main:{adr.path}")
    assert content == text(2).rstrip("\n")


async def test_a_detached_clone_of_another_remote_and_branch(
    shop: Repository, tmp_path: Path
) -> None:
    shop.git("branch", "-m", "main", "trunk")
    shop.git("clone", "--quiet", "--origin=upstream", str(shop.path), str(tmp_path / "clone"))
    shop.git("-C", str(tmp_path / "clone"), "checkout", "--quiet", "--detach", "v1")
    place = Service(name="shop", adr=AdrPlace(directory=str(tmp_path / "clone" / "docs" / "adr")))
    adr = await LocalArchive().write(place, incidents.incident(), 3, text())
    assert shop.git("-C", str(tmp_path / "clone"), "show", f"trunk:{adr.path}") == text().rstrip(
        "\n"
    )
