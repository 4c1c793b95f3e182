"""Git in one working tree, without the machine's own configuration."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

GIT_SECONDS = 30


class GitFailed(Exception):
    """Git failed; the text is its output."""


@dataclass(frozen=True, slots=True)
class Author:
    name: str
    email: str


def environment(author: Author | None = None, at: datetime | None = None) -> dict[str, str]:
    """Return git's environment, without settings of this machine."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    clean |= {
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "LC_ALL": "C",
    }
    who = author or Author("Shop CI", "ci@shop.example")
    for role in ("AUTHOR", "COMMITTER"):
        clean |= {f"GIT_{role}_NAME": who.name, f"GIT_{role}_EMAIL": who.email}
        if at:
            clean[f"GIT_{role}_DATE"] = at.isoformat()
    return clean


@dataclass(frozen=True, slots=True)
class Tree:
    """A working tree."""

    path: Path

    def git(self, *arguments: str, author: Author | None = None, at: datetime | None = None) -> str:
        """Run git here, and return its output without the last newline.

        Raises:
            GitFailed
        """
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.path,
            env=environment(author, at),
            capture_output=True,
            text=True,
            timeout=GIT_SECONDS,
            check=False,
        )
        if done.returncode:
            raise GitFailed(f"git {arguments[0]}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout.rstrip("\n")

    def try_git(self, *arguments: str) -> str | None:
        """As `git`; None where it fails."""
        try:
            return self.git(*arguments)
        except GitFailed:
            return None

    def commit(
        self,
        message: str,
        files: Mapping[str, str],
        *,
        author: Author,
        at: datetime,
        remove: Iterable[str] = (),
    ) -> str:
        """Write these files, commit them alone, and return the commit's full name."""
        for name, text in files.items():
            target = self.path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        for name in remove:
            (self.path / name).unlink()
        self.git("add", "--all", "--", *files, *remove)
        self.git("commit", "--quiet", "--no-verify", "-m", message, author=author, at=at)
        return self.head()

    def head(self) -> str:
        return self.git("rev-parse", "HEAD")

    def resolve(self, name: str) -> str | None:
        """Return the full name of a commit; None when there is none of this name."""
        return self.try_git(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"
        )

    def tags(self) -> list[str]:
        """Releases, the highest version first."""
        return self.git("tag", "--list", "v*", "--sort=-version:refname").split()

    def read(self, name: str) -> str:
        return (self.path / name).read_text()
