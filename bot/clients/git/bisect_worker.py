"""One bisect, detached: `python -m bot.clients.git.bisect_worker <folder of the record> <attempt>`.

The bot may die meanwhile. Both ends are tried first: where they agree, or cannot be told, no bisect
is worth its time. Then come the releases between them, where there are any, then the commits as
`git bisect` picks them. The service's script runs with a time limit in a process group of its own.
What it leaves is cleaned up, its answer is kept, and the progress of the run is written down. Exit
codes of the script are those of `git bisect run`: 0 good, 125 cannot be tested, 1-127 bad, others
stop the run (https://git-scm.com/docs/git-bisect#_bisect_run).

Only the standard library and `records.py` are used: the worker must not fall over what an old
commit has lying about.
"""

from __future__ import annotations

import math
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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
    def answers(self) -> dict[str, int]:
        """Commit → exit code of the script."""
        return records.read(self.folder / "answers.json") or {}

    def say(self, **fields: Any) -> None:
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


# --- the whole run --------------------------------------------------------------------------------


def main() -> int:
    folder, attempt = Path(sys.argv[1]), sys.argv[2]
    answer = records.detached()
    if isinstance(answer, str):
        return 0 if answer == "claimed" else 1
    claimed = records.create(folder / f"process-{attempt}.json", records.mark(os.getpid()))
    os.write(answer, b"claimed")
    os.close(answer)
    if claimed:
        drive(Run(folder))
    return 0


def drive(run: Run) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        prepare(run)
        bisect(run)
    except Ended as ended:
        word = ended.word
    except (OSError, subprocess.SubprocessError) as error:
        word = {"state": "failed", "reason": f"{type(error).__name__}: {error}"[:300]}
    else:
        word = {"state": "failed", "reason": "git bisect ended without an answer"}
    if records.read(run.folder / "cancelled.json") is None:
        try:
            clear(run)
        finally:
            # The last word comes last: who reads it may count on everything else being done.
            run.say(**word, step=len(run.answers), steps=len(run.answers))


def prepare(run: Run) -> None:
    """Make a scratch worktree at the bad end.

    The leavings of an earlier attempt are thrown away: the answers are kept beside them.
    """
    clear(run)
    run.git(
        "worktree",
        "add",
        "--quiet",
        "--detach",
        "--force",
        str(run.worktree),
        run.job["bad_commit"],
    )


def clear(run: Run) -> None:
    shutil.rmtree(run.worktree, ignore_errors=True)
    run.git("worktree", "prune", check=False)


def bisect(run: Run) -> None:
    good, bad = run.job["good_commit"], run.job["bad_commit"]
    names = f"{run.job['good']} and {run.job['bad']}"
    if good == bad:
        raise Ended("cannot tell", f"{names} are the same commit")
    if cut(run, good, bad):
        raise Ended(
            "cannot tell", f"the history of the clone is cut (a shallow clone) between {names}"
        )
    commits = int(run.git("rev-list", "--count", f"{good}..{bad}"))
    if not commits:
        raise Ended(
            "cannot tell",
            f"there is no commit in {run.job['bad']} that is not in {run.job['good']} too",
        )
    run.say(step=len(run.answers), steps=2 + math.ceil(math.log2(commits)) if commits > 1 else 2)
    run.deadline = time.monotonic() + float(run.job["whole_seconds"])
    at_bad, at_good = test(run, bad), test(run, good)
    for name, code in ((run.job["bad"], at_bad), (run.job["good"], at_good)):
        if code == CANNOT_TELL:
            raise Ended(
                "cannot tell",
                f"the script cannot tell at {name} (exit code 125, or no answer in time)",
            )
    if (at_bad == 0) == (at_good == 0):
        both = "passes" if at_bad == 0 else "fails"
        raise Ended("cannot tell", f"good and bad agree: the script {both} at {names}")
    if at_bad == 0:
        ends = f"the script passes at {run.job['bad']} and fails at {run.job['good']}"
        raise Ended("cannot tell", f"{ends}: the ends are the wrong way round")
    base = run.git("merge-base", good, bad, check=False)
    if base != good and base and test(run, base) != 0:
        where = f"the script does not pass where {names} part"
        older = f"the trouble is older, and {run.job['good']} has a fix of its own"
        raise Ended("cannot tell", f"{where}: {older}")
    good, bad = over_releases(run, base or good, bad)
    over_commits(run, good, bad)


def cut(run: Run, good: str, bad: str) -> bool:
    """Return whether the commits between the ends are not all there.

    The first behind the cut would seem to have brought the trouble.
    """
    shallow, path = run.git("rev-parse", "--is-shallow-repository", "--git-path", "shallow").split(
        "\n"
    )
    if shallow != "true":
        return False
    edges = (Path(run.worktree) / path).read_text(encoding="ascii").split()
    return not set(edges).isdisjoint(
        run.git("rev-list", "--max-parents=0", f"{good}...{bad}").split()
    )


def over_releases(run: Run, good: str, bad: str) -> tuple[str, str]:
    """Narrow the ends to two releases beside each other.

    A release that cannot be told is passed over.
    """
    pattern = run.job["tag"].replace("{version}", "*")
    listed = run.git(
        "for-each-ref",
        "--sort=creatordate",
        f"--merged={bad}",
        "--format=%(objectname) %(*objectname)",
        f"refs/tags/{pattern}",
    )
    inside = set(run.git("rev-list", "--ancestry-path", f"{good}..{bad}").split())
    tagged = [line.split()[-1] for line in listed.splitlines()]
    order = [c for c in dict.fromkeys(tagged) if c in inside and c != bad]
    while order:
        middle = len(order) // 2
        code = test(run, order[middle])
        if code == 0:
            good, order = (
                order[middle],
                [c for c in order[middle + 1 :] if _is_ancestor(run, order[middle], c)],
            )
        elif code < CANNOT_TELL:
            bad, order = (
                order[middle],
                [c for c in order[:middle] if _is_ancestor(run, c, order[middle])],
            )
        else:
            order.pop(middle)
    return good, bad


def _is_ancestor(run: Run, older: str, newer: str) -> bool:
    return run.git("merge-base", older, newer, check=False) == older


def over_commits(run: Run, good: str, bad: str) -> None:
    run.git("bisect", "start", bad, good)
    while "\n# first bad commit: [" not in (log := run.git("bisect", "log")):
        if "# only skipped commits left to test" in log:
            left = [
                row.split("[", 1)[1][:9]
                for row in log.splitlines()
                if row.startswith("# possible first bad commit: [")
            ]
            reason = "the script cannot tell (exit code 125) at the commits that are left"
            raise Ended("cannot tell", f"{reason}: {', '.join(left[:8])}")
        code = test(run, run.git("rev-parse", "HEAD"))
        word = "good" if code == 0 else "skip" if code == CANNOT_TELL else "bad"
        # Its exit code says, too, that only skipped commits are left.
        run.git("bisect", word, check=False)
    sha = log.rpartition("# first bad commit: [")[2].split("]", 1)[0]
    raise Ended("found", "", culprit(run, sha))


def culprit(run: Run, sha: str) -> dict[str, Any]:
    author, at, subject = run.git("show", "--no-patch", "--format=%an%x1f%at%x1f%s", sha).split(
        "\x1f"
    )
    script = " ".join(run.job["script"])
    return {
        "sha": sha,
        "author": author,
        "at": datetime.fromtimestamp(int(at), tz=UTC).isoformat(),
        "subject": subject[:200],
        "score": 1.0,
        "reasons": [f"bisect: `{script}` passes before this commit and fails with it"],
    }


# --- one commit -----------------------------------------------------------------------------------


def test(run: Run, commit: str) -> int:
    """Return the script's answer at this commit; it is asked once, then known."""
    known = run.answers.get(commit)
    if known is not None:
        return known
    run.git("checkout", "--quiet", "--force", "--detach", commit)
    if time.monotonic() >= run.deadline:
        raise Ended("failed", f"it did not end within {run.job['whole_seconds'] / 60:g} min")
    state = records.read(run.folder / "state.json") or {}
    number = len(run.answers) + 1
    run.say(step=number, steps=max(int(state.get("steps", 0)), number))
    code = run_script(run)
    run.git("reset", "--quiet", "--hard")
    run.git("clean", "-ffdq")  # what is ignored stays: build caches make the next step faster
    if not 0 <= code <= 127:
        raise Ended("failed", f"the script stopped the run at {commit[:9]} with exit code {code}")
    records.replace(run.folder / "answers.json", {**run.answers, commit: code})
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


if __name__ == "__main__":
    sys.exit(main())
