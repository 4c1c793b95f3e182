"""Real Git repositories for the tests: a few commits of a small shop, made with the real `git`."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

_ENVIRONMENT = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
}


class Repository:
    """A repository that is written to as a person would.

    Dates are an hour apart, in the order of the commits.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._hour = 0
        path.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str, author: str = "Ada") -> str:
        moment = f"2024-05-{1 + self._hour // 24:02d}T{self._hour % 24:02d}:00:00+00:00"
        environment = {
            **os.environ,
            **_ENVIRONMENT,
            "GIT_AUTHOR_NAME": author,
            "GIT_AUTHOR_DATE": moment,
            "GIT_COMMITTER_DATE": moment,
        }
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.path,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def write(self, path: str, text: str, *, executable: bool = False) -> None:
        target = self.path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        if executable:
            target.chmod(0o755)

    def commit(
        self,
        message: str,
        files: dict[str, str | None],
        *,
        tag: str | None = None,
        author: str = "Ada",
    ) -> str:
        """Writes these files (None removes one), commits all, and returns the full sha."""
        self._hour += 1
        for path, text in files.items():
            if text is None:
                (self.path / path).unlink()
            else:
                self.write(path, text, executable=path.endswith(".sh"))
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message, author=author)
        if tag:
            self.git("tag", tag)
        return self.git("rev-parse", "HEAD")
