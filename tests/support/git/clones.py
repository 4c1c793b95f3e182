"""A git repository to clone from."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

from phases.record.service import ReleaseNames, Service
from tests.support.git.repositories import Repository, kept_folder

LINES = tuple(f"line {number}\n" for number in range(1, 9))


def origin(path: Path) -> tuple[Repository, list[str]]:
    """Eight commits, tagged v1 to v8; the n-th writes line n of `pay.py`.

    Branch `fix` stands beside them, and `old` is merged.
    """
    built, shas = _built()
    return built.copy(path), list(shas)


@cache
def _built() -> tuple[Repository, list[str]]:
    repository = Repository(kept_folder() / "origin")
    repository.git("config", "uploadpack.allowFilter", "true")
    shas: list[str] = []
    for number in range(1, 9):
        files: dict[str, str | None] = {
            "shop/pay.py": "".join(LINES[:number]),
            f"shop/part{number}.py": f"{number}\n",
        }
        shas.append(
            repository.commit(
                f"Change {number}", files, tag=f"v{number}", author=f"Author {number}"
            )
        )
    repository.git("branch", "old", "v3")
    repository.git("checkout", "--quiet", "-b", "fix", "v6")
    repository.commit("A fix", {"shop/fix.py": "pass\n"})
    repository.git("checkout", "--quiet", "main")
    return repository, shas


def clone(of: Repository, path: Path, *how: str) -> Service:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    subprocess.run(
        ["git", "clone", "--quiet", *how, f"file://{of.path}", str(path)],
        env=environment,
        check=True,
        capture_output=True,
    )
    return service(path)


def service(path: Path) -> Service:
    return Service(name="shop", checkout=str(path), release=ReleaseNames(tag="v{version}"))


def git(of: Service, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=of.checkout, capture_output=True, text=True, check=True
    ).stdout.strip()


def unreachable(of: Repository) -> None:
    of.path.rename(of.path.with_name("moved away"))
