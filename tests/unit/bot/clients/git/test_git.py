"""The local clone as source, with real repositories.

Git never takes a name from outside for an option.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.clients.git.source import LocalGit
from phases.ports.ports import NotSetUp, PortError
from phases.record.service import ReleaseNames, Service
from tests.support.git.repositories import Repository

PAY = "def charge(cart):\n    total = cart.total()\n    return total * rate(cart)\n"


def shop(path: Path) -> tuple[Repository, list[str]]:
    repository = Repository(path)
    shas = [
        repository.commit(
            "Shop",
            {"shop/pay.py": PAY, "shop/tax.py": "RATES = {}\n", "README.md": "Shop\n"},
            tag="v1",
        ),
        repository.commit(
            "Round the total (#12)\n\nSo that cents add up.",
            {"shop/pay.py": PAY.replace("return total", "return round(total)")},
            author="Grace",
        ),
        repository.commit(
            "Move taxes", {"shop/tax.py": None, "shop/taxes.py": "RATES = {}\n"}, tag="v2"
        ),
    ]
    return repository, shas


def service(repository: Repository) -> Service:
    return Service(
        name="shop", checkout=str(repository.path), release=ReleaseNames(tag="v{version}")
    )


async def test_commits_between_two_releases(tmp_path: Path) -> None:
    repository, shas = shop(tmp_path)
    commits = await LocalGit().commits(service(repository), "1", "2")
    assert [c.sha for c in commits] == [shas[2], shas[1]]
    moved, rounded = commits
    assert (rounded.author, rounded.subject, rounded.body) == (
        "Grace",
        "Round the total (#12)",
        "So that cents add up.",
    )
    assert [(f.path, f.added, f.deleted) for f in rounded.files] == [("shop/pay.py", 1, 1)]
    assert "+    return round(total) * rate(cart)" in rounded.files[0].patch
    assert moved.files[0].path == "shop/taxes.py"
    assert "rename from shop/tax.py" in moved.files[0].patch
    assert await LocalGit().changed_paths(service(repository), "1", "2") == (
        "shop/pay.py",
        "shop/tax.py",
        "shop/taxes.py",
    )


async def test_between_a_release_and_itself_there_is_nothing(tmp_path: Path) -> None:
    repository, _ = shop(tmp_path)
    assert await LocalGit().commits(service(repository), "2", "2") == ()
    assert await LocalGit().commits(service(repository), "2", "1") == ()


async def test_blame_and_snippet_at_a_release(tmp_path: Path) -> None:
    repository, shas = shop(tmp_path)
    git = LocalGit()
    blamed = await git.blame(service(repository), "2", "/srv/app/shop/pay.py", 3)
    assert blamed is not None
    assert (blamed.sha, blamed.author, blamed.subject) == (
        shas[1],
        "Grace",
        "Round the total (#12)",
    )
    before = await git.blame(service(repository), "1", "shop/pay.py", 3)
    assert before is not None
    assert before.sha == shas[0]
    assert await git.snippet(service(repository), "2", "shop/pay.py", 3) == (
        (1, "def charge(cart):"),
        (2, "    total = cart.total()"),
        (3, "    return round(total) * rate(cart)"),
    )
    assert await git.blame(service(repository), "2", "shop/pay.py", 99) is None
    assert await git.blame(service(repository), "2", "shop/none.py", 1) is None
    assert await git.snippet(service(repository), "2", "shop/pay.py", 99) == ()


async def test_blame_leaves_out_what_only_tidied(tmp_path: Path) -> None:
    """The list comes after the commit that it names: the release may not have it yet."""
    repository, shas = shop(tmp_path)
    rows = PAY.replace("    ", "\t")
    tidied = repository.commit("Tabs", {"shop/pay.py": rows, "shop/new.py": "one\n"})
    repository.git("tag", "v3")
    git = LocalGit()
    blamed = await git.blame(service(repository), "3", "shop/pay.py", 2)
    assert blamed is not None
    assert blamed.sha == tidied
    repository.commit("Ignore it", {".git-blame-ignore-revs": f"# tabs\nnonsense\n{tidied}\n"})
    blamed = await git.blame(service(repository), "3", "shop/pay.py", 2)
    assert blamed is not None
    assert blamed.sha == shas[0]
    # Before the commit that is to be ignored there was nothing: nobody is named.
    assert await git.blame(service(repository), "3", "shop/new.py", 1) is None


async def test_hotfixes_are_the_unmerged_branches_newest_first(tmp_path: Path) -> None:
    repository, _ = shop(tmp_path)
    repository.git("branch", "merged", "v1")
    repository.git("checkout", "--quiet", "-b", "fix/rounding", "v2")
    old = repository.commit("Round less", {"shop/pay.py": PAY})
    repository.git("checkout", "--quiet", "-b", "fix/taxes", "v2")
    new = repository.commit("Taxes again", {"shop/taxes.py": "RATES = {1: 2}\n"})
    repository.git("checkout", "--quiet", "-b", "firebreak/adr-0008-inc-0001-0pc6w9", "v2")
    repository.commit("ADR-0008", {"docs/adr/0008-inc-0001.md": "# ADR-0008\n"})
    repository.git("checkout", "--quiet", "main")
    hotfixes = await LocalGit().hotfixes(service(repository))
    assert [(f.name, f.commit, f.subject) for f in hotfixes] == [
        ("fix/taxes", new, "Taxes again"),
        ("fix/rounding", old, "Round less"),
    ]
    assert hotfixes[0].release.version == f"hotfix fix/taxes@{new[:7]}"
    assert hotfixes[0].release.commit == new
    # A hotfix that runs can be walked like any release.
    blamed = await LocalGit().blame(
        service(repository), hotfixes[0].release.version, "shop/taxes.py", 1
    )
    assert blamed is not None
    assert blamed.sha == new


async def test_a_tag_that_only_the_remote_has_is_fetched(tmp_path: Path) -> None:
    origin, _ = shop(tmp_path / "origin")
    clone = Repository(tmp_path / "clone")
    clone.git("remote", "add", "origin", str(origin.path))
    clone.git("fetch", "--quiet", "--tags", "origin")
    origin.commit("Later", {"shop/late.py": "pass\n"}, tag="v3")
    commits = await LocalGit().commits(service(clone), "2", "3")
    assert [c.subject for c in commits] == ["Later"]


@pytest.mark.parametrize(
    "name",
    [
        "--help",
        "-n1",
        "--output=/tmp/x",
        "1;ls",
        "1..2",
        "HEAD",
        "main",
        "1^{/x}",
        "1@{1}",
        "../1",
        "",
        "x" * 300,
        "1\n2",
    ],
)
async def test_a_name_that_is_no_release_is_refused(tmp_path: Path, name: str) -> None:
    repository, _ = shop(tmp_path)
    with pytest.raises(PortError, match="is not known in the clone of shop"):
        await LocalGit().commits(service(repository), name, "2")


@pytest.mark.parametrize(
    "file", ["--help", "-", "../../etc/passwd", "/etc/passwd", "", "HEAD:shop/pay.py", ":(glob)**"]
)
async def test_a_file_that_git_did_not_list_is_nothing(tmp_path: Path, file: str) -> None:
    repository, _ = shop(tmp_path)
    assert await LocalGit().blame(service(repository), "2", file, 1) is None
    assert await LocalGit().snippet(service(repository), "2", file, 1) == ()


async def test_what_is_not_set_up_is_said(tmp_path: Path) -> None:
    git = LocalGit()
    for checkout in (None, str(tmp_path / "nowhere"), str(tmp_path)):
        with pytest.raises(NotSetUp):
            await git.commits(Service(name="shop", checkout=checkout), "1", "2")


async def test_odd_histories_are_read(tmp_path: Path) -> None:
    """Odd file names, a binary, an empty commit, a merge.

    One message has separators of our own format in it.
    """
    repository, _ = shop(tmp_path)
    repository.commit("Umlaut", {"shop/größe 1.py": "a = 1\n", 'shop/"q".py': "b = 1\n"})
    repository.commit("Odd \x1f message\n\nwith \x1e in it", {"shop/odd.py": "c = 1\n"})
    (tmp_path / "logo.png").write_bytes(bytes(range(256)))
    repository.commit("Logo", {})
    repository.commit("Nothing", {})
    repository.git("checkout", "--quiet", "-b", "side", "v2")
    repository.commit("Side", {"shop/side.py": "d = 1\n"})
    repository.git("checkout", "--quiet", "main")
    repository.git("merge", "--quiet", "--no-ff", "-m", "Merge branch 'side'", "side")
    repository.git("tag", "v3")
    by_subject = {c.subject: c for c in await LocalGit().commits(service(repository), "2", "3")}
    assert {f.path for f in by_subject["Umlaut"].files} == {"shop/größe 1.py", 'shop/"q".py'}
    assert "+a = 1" in by_subject["Umlaut"].files[-1].patch + by_subject["Umlaut"].files[0].patch
    assert [f.path for f in by_subject["Logo"].files] == ["logo.png"]
    assert by_subject["Nothing"].files == ()
    assert [f.path for f in by_subject["Side"].files] == ["shop/side.py"]
    assert "Merge branch 'side'" in by_subject


@pytest.mark.parametrize(
    ("author", "expected"),
    [
        ("Bo <bo@example.com> 1300000000 +051800", "2011-03-13T07:06:40+00:00"),
        ("Bo <bo@example.com> 99999999999999 +0000", None),
        ("Bo <bo@example.com>", None),
    ],
)
async def test_a_commit_whose_date_cannot_be_hides_no_other(
    tmp_path: Path, author: str, expected: str | None
) -> None:
    """Older tools wrote such author lines, and git keeps them for ever."""
    repository, _ = shop(tmp_path)
    repository.write("shop/rates.py", "one\n")
    repository.git("add", "--all")
    ends = f"tree {repository.git('write-tree')}\nparent {repository.git('rev-parse', 'HEAD')}\n"
    text = f"{ends}author {author}\ncommitter Ada <ada@example.com> 1714604400 +0000\n\nOdd\n"
    repository.write(".git/odd", text)
    odd = repository.git("hash-object", "-t", "commit", "-w", "--literally", ".git/odd")
    repository.git("reset", "--quiet", "--hard", odd)
    repository.commit("After", {"shop/late.py": "pass\n"}, tag="v3")
    after, before = await LocalGit().commits(service(repository), "2", "3")
    assert (after.subject, before.subject) == ("After", "Odd")
    assert after.at is not None
    assert (before.at.isoformat() if before.at else None) == expected
    blamed = await LocalGit().blame(service(repository), "3", "shop/rates.py", 1)
    assert blamed is not None
    assert blamed.sha == odd


async def test_lines_are_counted_as_runtimes_count_them(tmp_path: Path) -> None:
    """A form feed between sections, a line separator of Unicode and CRLF end no line or one."""
    repository, _ = shop(tmp_path)
    text = "import rates\r\n\f\r\ndef charge():\r\n    word = '\u2028'\r\n    boom()\r\n"
    repository.commit("Sections", {})
    (tmp_path / "shop" / "odd.py").write_bytes(text.encode())
    repository.commit("Odd", {}, tag="v3")
    shown = await LocalGit().snippet(service(repository), "3", "shop/odd.py", 5)
    assert shown == ((3, "def charge():"), (4, "    word = '\u2028'"), (5, "    boom()"))
    assert await LocalGit().snippet(service(repository), "3", "shop/odd.py", 6) == ()


async def test_colours_of_the_clones_settings_are_not_read_as_text(tmp_path: Path) -> None:
    repository, _ = shop(tmp_path)
    repository.commit("Test", {"tests/test_money.py": "from shop import pay\n"}, tag="v3")
    for name in ("diff", "grep"):
        repository.git("config", f"color.{name}", "always")
    _, _, rounded = await LocalGit().commits(service(repository), "1", "3")
    assert "+    return round(total) * rate(cart)" in rounded.files[0].patch
    covered = await LocalGit().tests_of(service(repository), "3", "shop/pay.py")
    assert covered is not None
    assert covered.naming == ("tests/test_money.py",)
