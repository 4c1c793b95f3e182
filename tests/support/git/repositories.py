"""Real Git repositories for the tests: a few commits of a small shop, made with the real `git`."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
from datetime import datetime
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
        self.git("init", "--quiet", "--initial-branch=main", "--template=")

    def copy(self, path: Path) -> Repository:
        """The same elsewhere: a copy costs less than forty runs of git."""
        shutil.copytree(self.path, path, symlinks=True)
        copied = object.__new__(Repository)
        copied.path, copied._hour = path, self._hour
        return copied

    def history(self, *commits: tuple[str, str, dict[str, str]]) -> list[str]:
        """Commit many, each with its message, author and files, in one run of git.

        https://git-scm.com/docs/git-fast-import
        """
        stream: list[str] = []
        for number, (message, author, files) in enumerate(commits, start=1):
            self._hour += 1
            at = f"{datetime.fromisoformat(self._moment()).timestamp():.0f} +0000"
            stream += [
                f"commit refs/heads/main\nmark :{number}\nauthor {author} <ada@example.com> {at}\n",
                f"committer Ada <ada@example.com> {at}\ndata {len(message.encode())}\n{message}\n",
            ]
            for path, text in files.items():
                mode = "100755" if path.endswith(".sh") else "100644"
                stream.append(f"M {mode} inline {path}\ndata {len(text.encode())}\n{text}\n")
        marks = self.path / ".git" / "marks"
        subprocess.run(
            ["git", "fast-import", "--quiet", f"--export-marks={marks}"],
            cwd=self.path,
            input="".join(stream).encode(),
            check=True,
        )
        self.git("reset", "--quiet", "--hard", "main")
        shas = dict(line.split() for line in marks.read_text().splitlines())
        return [shas[f":{number}"] for number in range(1, len(commits) + 1)]

    def _moment(self) -> str:
        return f"2024-05-{1 + self._hour // 24:02d}T{self._hour % 24:02d}:00:00+00:00"

    def git(self, *arguments: str, author: str = "Ada") -> str:
        moment = self._moment()
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


def kept_folder() -> Path:
    """A folder that stays until this process ends, for what is built once and copied."""
    folder = tempfile.mkdtemp(prefix="firebreak-kept-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
