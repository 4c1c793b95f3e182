"""The record of one bisect, and one run of its script at one commit.

Only the standard library and `records.py` are used: the worker must not fall over what an old
commit has lying about.
"""

import math
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from bot.clients.git.moments import moment
from bot.clients.processes import records

CANNOT_TELL = 125
_GIT = (
    "git",
    "--no-pager",
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "advice.detachedHead=false",
)
_ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_GRAFT_FILE": os.devnull,
    "LC_ALL": "C",
}
"""As `run.py` reads history; nobody sits in front of it."""
_KEYS = ("GIT_SSH", "GIT_SSH_COMMAND", "GIT_ASKPASS")
"""The way past a remote in the bot's own environment.

A partial clone asks its remote for what a commit needs.
"""


class Ended(Exception):
    """The run is over: `state` is the last word."""

    def __init__(self, state: str, reason: str, culprit: dict[str, Any] | None = None) -> None:
        super().__init__(reason)
        self.word: dict[str, Any] = {"state": state, "reason": reason, "culprit": culprit}


class Run:
    """The record of one bisect, and what its steps have answered so far."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        job = records.read(folder / "job.json")
        if job is None:
            raise SystemExit("there is no record of this bisect")
        self.job: dict[str, Any] = job
        self.worktree = folder / "worktree"
        self.log = folder / "output.log"
        self.deadline = math.inf
        """By the clock of `time.monotonic`."""

    @property
    def answers(self) -> dict[str, list[int]]:
        """Commit → exit codes of the script, in the order of its runs.

        An older version kept one code a commit.
        """
        recorded: dict[str, Any] = records.read(self.folder / "answers.json") or {}
        return {c: code if isinstance(code, list) else [code] for c, code in recorded.items()}

    @property
    def runs(self) -> int:
        return sum(map(len, self.answers.values()))

    @property
    def flaky(self) -> bool:
        """The script passed and failed at the same commit."""
        verdicts = [set(codes) - {CANNOT_TELL} for codes in self.answers.values()]
        return any(0 in codes and len(codes) > 1 for codes in verdicts)

    def write_state(self, **fields: Any) -> None:
        state = {"state": "running", **(records.read(self.folder / "state.json") or {}), **fields}
        records.replace(self.folder / "state.json", state)

    def git(self, *arguments: str, check: bool = True) -> str:
        done = subprocess.run(
            [*_GIT, *arguments],
            cwd=self.worktree if self.worktree.exists() else self.job["checkout"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=120,
            check=False,
            env=plain_environment() | _ENVIRONMENT,
        )
        if check and done.returncode:
            lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
            lines = lines or ["it said nothing"]
            fatal = (line for line in lines if line.startswith(("fatal: ", "error: ")))
            raise Ended("failed", f"git {arguments[0]}: {next(fatal, lines[-1])[:300]}")
        return done.stdout.decode("utf-8", "replace").strip()


def plain_environment() -> dict[str, str]:
    """Return the environment without git's own variables: the service's script may use git, too."""
    return {
        k: v
        for k, v in os.environ.items()
        if k in _KEYS or not (k.startswith("GIT_") or k == "LC_ALL")
    }


def culprit(run: Run, sha: str, noise: str = "") -> dict[str, Any]:
    """Return the commit that was found; `noise` says what a flaky script costs."""
    author, at, subject = run.git("show", "--no-patch", "--format=%an%x1f%at%x1f%s", sha).split(
        "\x1f"
    )
    plain = f"`{' '.join(run.job['script'])}` passes before this commit and fails with it"
    return {
        "sha": sha,
        "author": author,
        "at": when.isoformat() if (when := moment(at)) is not None else None,
        "subject": subject[:200],
        "score": 1.0,
        "reasons": [f"bisect: {noise or plain}"],
    }


# --- one commit -----------------------------------------------------------------------------------


def answer(run: Run, commit: str, *, again: bool = False) -> int:
    """Return the script's answer at this commit; it is asked once, then known, unless `again`."""
    known = run.answers.get(commit, [])
    if known and not again:
        return known[0]
    run.git("checkout", "--quiet", "--force", "--detach", commit)
    if time.monotonic() >= run.deadline:
        so_far = "; the script is flaky" if run.flaky else ""
        minutes = run.job["whole_seconds"] / 60
        raise Ended("failed", f"it did not end within {minutes:g} min{so_far}")
    state = records.read(run.folder / "state.json") or {}
    number = run.runs + 1
    run.write_state(step=number, steps=max(int(state.get("steps", 0)), number))
    code = run_script(run)
    run.git("reset", "--quiet", "--hard")
    run.git("clean", "-ffdq")  # what is ignored stays: build caches make the next step faster
    if not 0 <= code <= 127:
        raise Ended("failed", f"the script stopped the run at {commit[:9]} with exit code {code}")
    answers = run.answers
    answers.setdefault(commit, []).append(code)
    records.replace(run.folder / "answers.json", answers)
    return code


def run_script(run: Run) -> int:
    """Run the service's script in the worktree, and return its exit code.

    It is stopped after its time; then the commit cannot be told.
    """
    argv = [str(a) for a in run.job["script"]]
    lend_script(run, argv[0])
    output = os.open(run.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    asked: list[int] = []
    # A cancel ends this run and then the script on record: the run must not end between the two.
    before = signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
    try:
        child = subprocess.Popen(
            argv,
            cwd=run.worktree,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=plain_environment(),
            start_new_session=True,
        )
    except OSError as error:
        signal.signal(signal.SIGTERM, before)
        raise Ended(
            "failed", f"the script cannot be started: {error.strerror}: {argv[0]}"
        ) from error
    finally:
        os.close(output)
    records.replace(run.folder / "script.json", records.mark(child.pid))
    signal.signal(signal.SIGTERM, before)
    for number in asked:
        os.kill(os.getpid(), number)
    deadline = time.monotonic() + float(run.job["step_seconds"])
    while True:
        try:
            code = child.wait(timeout=0.5)
            break
        except subprocess.TimeoutExpired:
            records.cut_down(run.log)
            if time.monotonic() >= deadline:
                code = CANNOT_TELL
                break
    try:
        # Servers that it left running would answer for the next commit.
        os.killpg(child.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        child.poll()
    child.wait()
    return code


def lend_script(run: Run, program: str) -> None:
    """Copy a script that the commit does not have yet from the clone, as an untracked file."""
    if "/" not in program or os.path.isabs(program):
        return
    there = run.worktree / program
    here = Path(run.job["checkout"]) / program
    if not there.exists() and here.is_file():
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(here, there)
